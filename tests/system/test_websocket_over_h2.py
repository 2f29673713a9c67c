"""A WebSocket on a stream of HTTP/2 (RFC 8441) is an upgraded connection of HTTP/1.1 to the
origin, and shares the client's connection with everything else."""

import contextlib

import pytest

import h2_frames as f
import h2_scene
import ws
import ws_scene
from h2_client import Reset
from h2_frames import Answer, StreamError
from scripted import Origin, pool
from waiting import wait_for


@pytest.fixture(scope="module")
def scene(certs):
    origin, server = Origin(), ws.Server("legacy")
    with h2_scene.running(certs, {"scripted": pool(origin, retry={"attempts": 1}),
                                  "legacy": pool(server)},
                          routes=[{"host": "a", "path": "/", "pool": "scripted"},
                                  {"host": "localhost", "path": "/", "pool": "legacy"}]) as sluice:
        sluice.origin, sluice.server = origin, server
        yield sluice
    origin.stop()
    server.stop()


@pytest.fixture(autouse=True)
def clean(scene):
    yield
    scene.origin.hang_up()


def connect(client, path="/echo", host=None, *more):
    return client.open(fields=[
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", client.scheme),
        (":path", path), (":authority", host or client.name), ("sec-websocket-version", "13"),
        *more])


def tunnel(client, path="/echo"):
    stream = connect(client, path)
    assert stream.head().status == 200
    return stream


def echo(stream, payload):
    stream.send(ws.masked(ws.BINARY, payload))
    got = ws.read_frame(stream.bytes)
    assert (got.opcode, got.payload) == (ws.BINARY, payload)


def test_the_origin_sees_an_upgrade(scene):
    with h2_scene.client(scene) as client:
        stream = connect(client, "/chat?x=1", "a", ("sec-websocket-protocol", "chat"),
                         ("origin", "https://b"))
        up = scene.origin.next()
        lines = up.read_head().lower().split("\r\n")
        key = next(line for line in lines if line.startswith("sec-websocket-key: "))

        assert lines[0] == "get /chat?x=1 http/1.1"
        assert set(lines) >= {"host: a", "upgrade: websocket", "connection: upgrade",
                              "sec-websocket-version: 13", "sec-websocket-protocol: chat",
                              "origin: https://b"}
        assert len(key) == len("sec-websocket-key: ") + 24, "16 bytes of its own"
        up.close()
        with contextlib.suppress(Reset):
            assert stream.response().status == 502


def test_echo_beside_other_streams(scene):
    with h2_scene.client(scene) as client:
        tunnels = [tunnel(client) for _ in range(10)]
        for turn in range(5):
            for n, stream in enumerate(tunnels):
                echo(stream, f"{n} {turn}".encode() * 100)
            assert client.request("/api/health").status == 200
        for stream in tunnels:
            stream.send(ws.close(1000))
            assert ws.code_of(ws.read_frame(stream.bytes)) == 1000


@pytest.mark.parametrize("size", [0, 125, 65_536, 1 << 20])
def test_messages_of_any_size(scene, size):
    with h2_scene.client(scene) as client:
        echo(tunnel(client), bytes(i & 255 for i in range(size)))


def test_the_server_ends_it(scene):
    with h2_scene.client(scene) as client:
        stream = tunnel(client, "/close/4001")
        stream.send(ws.masked(ws.TEXT, b"go"))
        assert ws.code_of(ws.read_frame(stream.bytes)) == 4001
        stream.send(ws.close(4001), end=True)

        client.wait(stream.is_over, "the end")
        assert stream.ended or stream.reset in (f.NO_ERROR, f.CANCEL)
        assert client.request("/api/health").status == 200


@pytest.mark.parametrize("how", ["resets", "ends", "closes"])
def test_the_client_ends_it(scene, how):
    wait_for(lambda: scene.server.count() == 0, 5, "those of before are gone")
    with h2_scene.client(scene) as client:
        stream = tunnel(client)
        wait_for(lambda: scene.server.count() == 1, 5, "it is there")
        if how == "resets":
            stream.cancel()
        elif how == "ends":
            stream.end()
        else:
            client.close()

        wait_for(lambda: scene.server.count() == 0, 5, "the server is rid of it")


@pytest.mark.parametrize("status", [200, 403])
def test_an_origin_that_refuses(scene, status):
    """200 to an upgrade is no tunnel: it must not look like one (RFC 8441, 5)."""
    with h2_scene.client(scene) as client:
        stream = connect(client, "/chat", "a")
        up = scene.origin.next()
        up.read_head()
        up.send(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nno")

        try:
            assert stream.head().status == (403 if status == 403 else 502)
        except Reset:
            assert status == 200


def test_a_wrong_accept_key_is_no_tunnel(scene):
    with h2_scene.client(scene) as client:
        stream = connect(client, "/chat", "a")
        up = scene.origin.next()
        up.read_head()
        up.send(ws.SWITCHING.replace(ws.ACCEPT, "AAAAAAAAAAAAAAAAAAAAAAAAAAA="))

        try:
            assert stream.head().status == 502
        except Reset as end:
            assert end.code in (f.INTERNAL_ERROR, f.CANCEL, f.PROTOCOL_ERROR)


@pytest.mark.parametrize("fields", [
    [(":method", "CONNECT"), (":protocol", "websocket"), (":authority", "a")],
    [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"),
     (":authority", "a"), ("upgrade", "websocket")],
    [(":method", "GET"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"),
     (":authority", "a")],
])
def test_handshakes_that_are_none(scene, fields):
    with h2_scene.raw(scene) as raw:
        raw.send(f.headers(1, fields, f.END_HEADERS))

        assert raw.outcome(1) in (StreamError(f.PROTOCOL_ERROR), Answer(400))
        assert raw.is_alive()
    assert scene.origin.is_untouched()


def test_a_stalled_tunnel_holds_up_nobody(scene):
    with h2_scene.client(scene, window=60_000, hold=True, huge=True) as client:
        stalled = tunnel(client, "/flood")
        client.wait(lambda: len(stalled.body) == 60_000, "a full window")

        for _ in range(5):
            assert client.request("/api/health").status == 200
        stalled.cancel()


def test_it_drains_at_a_cutback(certs):
    with ws_scene.migrating(certs, 100, api={"tunnels": {"on_revert": "drain"}}) as sluice, \
            h2_scene.client(sluice) as client:
        stream = tunnel(client)
        echo(stream, b"hello")
        sluice.ctl("cutback", "api")

        assert ws.code_of(ws.read_frame(stream.bytes)) in (ws.RESTART, ws.GOING_AWAY)
        stream.send(ws.close(ws.RESTART), end=True)
        client.wait(stream.is_over, "the end")
        again = tunnel(client)
        assert again.result.get("x-server") == "legacy"


def test_a_refused_storm_says_when_to_come_again(certs):
    with ws_scene.migrating(certs, 100, api={"tunnels": {"enabled": False}}) as sluice, \
            h2_scene.client(sluice) as client:
        response = connect(client).head()

        assert response.status == 503
        assert int(response.get("retry-after")) >= 1
        assert client.request("/api/health").status == 200

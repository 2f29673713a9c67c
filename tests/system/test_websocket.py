"""A WebSocket is a pipe: what goes in at one end comes out at the other, frame by frame as it
was, for as long as both want, whatever sluice's configuration does meanwhile."""

import contextlib
import ssl
import threading
import time

import pytest

import ws
import ws_scene
from http1 import Closed, client_context
from scripted import OK, Counts, Origin, added, pool, reset, running, side
from waiting import PATIENCE, holds_for, wait_for

FRAMES = {
    "a text": ws.masked(ws.TEXT, b"hello"),
    "nothing": ws.masked(ws.TEXT),
    "a fragmented message": (ws.masked(ws.TEXT, b"one ", fin=False) + ws.masked(ws.PING, b"p") +
                             ws.masked(ws.CONTINUE, b"two ", fin=False) +
                             ws.masked(ws.CONTINUE, b"three")),
    "a ping": ws.masked(ws.PING, b"are you there"),
    "a pong nobody asked for": ws.masked(ws.PONG, b"x" * 125),
    "16 bits of length": ws.masked(ws.BINARY, bytes(range(256)) * 100),
    "64 bits of length": ws.masked(ws.BINARY, bytes(range(256)) * 1000),
    "a close": ws.close(1000, b"bye"),
    "a close of the application": ws.close(4711, b"mine"),
    "reserved bits and opcodes": b"\xf3\x85abcdefghi",
    "no mask": ws.frame(ws.TEXT, b"unmasked"),
    "no frame at all": b"\xff" * 100,
}


@pytest.fixture(scope="module")
def scene(certs):
    """A byte-exact origin behind the host a, one that echoes behind localhost."""
    origin, server = Origin(), ws.Server("legacy")
    with running(certs, {"scripted": pool(origin, retry={"attempts": 1}),
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


@contextlib.contextmanager
def tunnel(scene, tls=False, response=ws.SWITCHING):
    """Both ends of one, byte for byte."""
    with ws.by_hand(scene, tls) as client:
        client.send(ws.request("/chat", "a"))
        up = scene.origin.next()
        up.read_head()
        up.send(response)
        assert client.read_head().status == 101
        yield client, up


# --- the handshake -----------------------------------------------------------------------------

def test_the_handshake_as_both_see_it(scene):
    with ws.by_hand(scene) as client:
        client.send(ws.request("/chat?x=1", "a", "Sec-WebSocket-Protocol: chat, superchat",
                               "Sec-WebSocket-Extensions: permessage-deflate", "Origin: http://b"))
        up = scene.origin.next()
        head = up.read_head()
        lines = head.split("\r\n")

        assert lines[0] == "GET /chat?x=1 HTTP/1.1"
        assert {line.lower() for line in lines} >= {
            "host: a", "upgrade: websocket", "connection: upgrade",
            f"sec-websocket-key: {ws.KEY.lower()}", "sec-websocket-version: 13",
            "sec-websocket-protocol: chat, superchat",
            "sec-websocket-extensions: permessage-deflate", "origin: http://b"}
        assert added().split("\r\n")[0] in lines
        up.send(ws.SWITCHING.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"))
        response = client.read_head()
        assert response.status == 101
        assert response.get("upgrade").lower() == "websocket"
        assert response.get("connection").lower() == "upgrade"
        assert response.get("sec-websocket-accept") == ws.ACCEPT
        assert response.get("sec-websocket-protocol") == "chat"
        assert response.get("transfer-encoding") is None


@pytest.mark.parametrize("wishes", ["h2c, websocket", "websocket, h2c", "foo/2, WebSocket"])
def test_a_websocket_among_other_wishes_is_the_one_that_goes_on(scene, wishes):
    request = ws.request("/", "a").replace("Upgrade: websocket", f"Upgrade: {wishes}")
    with ws.by_hand(scene) as client:
        client.send(request)
        up = scene.origin.next()
        lines = [line.lower() for line in up.read_head().split("\r\n")]

        assert [line for line in lines if line.startswith("upgrade")] == ["upgrade: websocket"]
        up.send(ws.SWITCHING)
        assert client.read_head().status == 101


def test_bytes_right_behind_the_handshake_are_not_lost(scene):
    """Both ends may speak at once: the server in the segment of its 101, the client as soon
    as it likes."""
    with ws.by_hand(scene) as client:
        client.send(ws.request("/chat", "a") + "early bird")
        up = scene.origin.next()
        up.read_head()
        up.send(ws.SWITCHING + "worm")

        assert client.read_head().status == 101
        assert client.take(4) == b"worm"
        assert up.read(10) == b"early bird"


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "426 Upgrade Required",
                                    "500 Oh"])
def test_a_refused_upgrade_is_an_ordinary_response(scene, status):
    with ws.by_hand(scene) as client:
        client.send(ws.request("/chat", "a"))
        up = scene.origin.next()
        up.read_head()
        up.send(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno")
        response = client.read_response()

        assert (response.status, response.body) == (int(status[:3]), b"no")
        client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        again = scene.origin.next()
        assert again.read_head().startswith("GET /next ")
        again.send(OK)
        assert client.read_response().status == 200


@pytest.mark.parametrize("response", [
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
])
def test_a_101_that_is_none_is_the_pools_error(scene, response):
    with ws.by_hand(scene) as client:
        client.send(ws.request("/chat", "a"))
        up = scene.origin.next()
        up.read_head()
        up.send(response)

        assert client.read_response().status == 502


def test_a_101_that_nobody_asked_for_is_the_pools_error(scene):
    with ws.by_hand(scene) as client:
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        scene.origin.next().answer(ws.SWITCHING)

        assert client.read_response().status == 502


# --- the pipe -------------------------------------------------------------------------------------

@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("what", FRAMES)
def test_bytes_pass_as_they_are(scene, what, tls):
    with tunnel(scene, tls) as (client, up):
        client.send(FRAMES[what])
        assert up.read(len(FRAMES[what])) == FRAMES[what]
        up.send(FRAMES[what])
        assert client.take(len(FRAMES[what])) == FRAMES[what]


def test_bytes_pass_one_by_one(scene):
    whole = b"".join(FRAMES.values())[:600]
    with tunnel(scene) as (client, up):
        for at in range(len(whole)):
            client.send(whole[at:at + 1])
        assert up.read(len(whole)) == whole
        for at in range(len(whole)):
            up.send(whole[at:at + 1])
        assert client.take(len(whole)) == whole


def test_much_passes_both_ways_at_once(scene):
    size = 20 << 20
    content = bytes(range(256)) * (size // 256)
    with tunnel(scene) as (client, up):
        writers = [threading.Thread(target=one.send, args=(content,)) for one in (client, up)]
        got = []
        readers = [threading.Thread(target=lambda: got.append(client.take(size) == content)),
                   threading.Thread(target=lambda: got.append(up.read(size) == content))]
        for thread in writers + readers:
            thread.start()
        for thread in writers + readers:
            thread.join()

        assert got == [True, True]


def test_the_end_of_one_is_the_end_of_the_other(scene):
    with tunnel(scene) as (client, up):
        up.send(ws.frame(ws.CLOSE, b"\x03\xe8"))
        up.close()
        assert ws.code_of(client.read_frame()) == 1000
        with pytest.raises((Closed, ConnectionResetError, ssl.SSLError)):
            client.take(1)
    with tunnel(scene) as (client, up):
        client.close()
        assert up.read_rest() == b""


def test_a_half_closed_tunnel_still_brings_the_rest(scene):
    with tunnel(scene) as (client, up):
        client.send("last words")
        client.half_close()
        assert up.read_rest() == b"last words"
        up.send("answer")
        up.close()
        assert client.take(6) == b"answer"


# --- real peers -----------------------------------------------------------------------------------

@pytest.mark.parametrize("tls", [False, True])
def test_a_real_client_and_a_real_server(scene, tls):
    port = (scene.web if tls else scene.plain).number
    crowd = ws.Crowd(f"{'wss' if tls else 'ws'}://localhost:{port}/echo", 20,
                     client_context(scene.ca) if tls else None, talk_every=0.01)
    wait_for(lambda: len(crowd.events) >= 20, 5, "all have opened")
    holds_for(lambda: not crowd.seen("close") and not crowd.seen("failed"), 0.5)
    crowd.stop()

    assert crowd.wrong == []


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 1 << 20])
def test_messages_of_any_size(scene, size):
    with ws.by_hand(scene) as client:
        client.upgrade()
        client.echo(bytes(i & 255 for i in range(size)))


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_close_codes(scene, code):
    for path, frame in ((f"/close/{code}", ws.masked(ws.TEXT, b"go")), ("/echo", ws.close(code))):
        before = len(scene.server.closes)
        with ws.by_hand(scene) as client:
            client.upgrade(path)
            client.send(frame)
            assert ws.code_of(client.read_frame()) == code
            client.send(ws.close(code))
            wait_for(lambda: code in scene.server.closes[before:], 5, "the server knows it")


# --- its time -------------------------------------------------------------------------------------

def test_a_tunnel_has_an_idle_timeout_of_its_own(certs):
    origin = Origin()
    with running(certs, {"legacy": pool(origin)},
                 timeouts={"tunnel_idle": "700ms", "stream_idle": "200ms", "client_idle": "200ms",
                           "response_head": "300ms", "client_header": "200ms",
                           "stall": "100ms"}) as sluice:
        sluice.origin = origin
        with tunnel(sluice) as (client, up):
            for _ in range(6):
                time.sleep(0.25)
                up.send(ws.frame(ws.PING))
                assert client.read_frame().opcode == ws.PING
            start = time.monotonic()
            up.read_rest()
            assert 0.5 < time.monotonic() - start < 5
    origin.stop()


def test_a_101_must_come_in_time(certs):
    origin = Origin()
    with running(certs, {"legacy": pool(origin, retry={"attempts": 1})},
                 timeouts={"response_head": "300ms"}) as sluice:
        with ws.by_hand(sluice) as client:
            client.send(ws.request())
            origin.next().read_head()
            assert client.read_response().status == 504
    origin.stop()


def test_reloads_do_not_touch_it(certs):
    origin = Origin()
    with running(certs, {"legacy": pool(origin)}) as sluice:
        sluice.origin = origin
        with tunnel(sluice) as (client, up):
            for turn in range(3):
                sluice.reload(timeouts={"client_idle": f"{50 + turn}s"})
            sluice.reload(listeners=[sluice.config["listeners"][0]])
            for one, other in ((client.send, up.read), (up.send, client.take)):
                one(FRAMES["a text"])
                assert other(len(FRAMES["a text"])) == FRAMES["a text"]
    origin.stop()


# --- who may ----------------------------------------------------------------------------------------

def expect_come_again(response):
    assert response.status == 503
    assert int(response.get("retry-after")) >= 1


def test_tunnels_can_be_switched_off(certs):
    with ws_scene.migrating(certs, api={"tunnels": {"enabled": False}}) as sluice:
        counts = Counts(sluice)
        with ws.by_hand(sluice) as client:
            expect_come_again(client.ask())
        counts.wait("sluice_limit_upgrades_total", 1)
        assert counts.rise(side("attempts_total")) == 0, "no pool is asked"

        sluice.reload(migrations={"api": {"tunnels": {"enabled": True}}})
        with ws.by_hand(sluice) as client:
            client.upgrade()
            sluice.reload(migrations={"api": {"tunnels": {"enabled": False}}})
            client.echo(b"what is there stays")


BUCKET = {"rate": 5, "burst": 3, "queue": 4}


@pytest.mark.parametrize("where", ["listener", "migration"])
def test_a_storm_is_metered(certs, where):
    with ws_scene.migrating(certs, api={"tunnels": BUCKET} if where == "migration" else {}) as sluice:
        if where == "listener":
            web, plain = sluice.config["listeners"]
            sluice.reload(listeners=[web, {**plain, "upgrades": BUCKET}])
        counts = Counts(sluice)
        clients = [ws.by_hand(sluice) for _ in range(12)]
        start = time.monotonic()
        for client in clients:
            client.send(ws.request())
        done = [(client.read_response(), time.monotonic() - start) for client in clients]

        let_in = [when for response, when in done if response.status == 101]
        assert 7 <= len(let_in) <= 8
        assert 0.6 < max(let_in) < 3, "those that waited come in at the rate"
        for response, _ in done:
            if response.status != 101:
                expect_come_again(response)
        counts.wait("sluice_limit_upgrades_total", len(done) - len(let_in))
        assert counts.rise(side("attempt_errors_total")) == 0
        for client in clients:
            client.close()


def test_a_thousand_that_come_back_at_once(certs):
    """Nearly all are told at once to come later; who asks for a page does not notice."""
    with ws_scene.migrating(certs, api={
            "tunnels": {"rate": 100, "burst": 50, "queue": 100}}) as sluice:
        clients = [ws.by_hand(sluice, timeout=20) for _ in range(1_000)]
        start = time.monotonic()
        for client in clients:
            client.send(ws.request())
        assert sluice.get("/api/health").status == 200
        assert time.monotonic() - start < 2 * PATIENCE
        statuses = [client.read_response().status for client in clients]
        took = time.monotonic() - start

        assert set(statuses) == {101, 503}
        # The bucket, the queue, and what the bucket got while they were asking.
        assert 140 <= statuses.count(101) <= 160 + 100 * took
        for client in clients:
            client.close()


def test_one_that_waits_and_leaves_takes_no_turn(certs):
    with ws_scene.migrating(certs, api={"tunnels": {"rate": 2, "burst": 1, "queue": 10}}) as sluice:
        first = ws.by_hand(sluice)
        first.upgrade()
        leaving = [ws.by_hand(sluice) for _ in range(8)]
        for client in leaving:
            client.send(ws.request())
            client.close()
        start = time.monotonic()
        with ws.by_hand(sluice) as patient:
            patient.upgrade()
        assert time.monotonic() - start < 3
        first.close()


# --- what the guard hears ----------------------------------------------------------------------------

def test_a_101_is_a_success_and_an_ordinary_end_no_error(certs):
    with ws_scene.migrating(certs) as sluice:
        counts = Counts(sluice)
        with ws.by_hand(sluice) as client:
            client.upgrade("/close/1011")
            counts.wait(side("attempts_total"), 1)
            client.send(ws.masked(ws.TEXT, b"go"))
            assert ws.code_of(client.read_frame()) == 1011
        with ws.by_hand(sluice) as client:
            client.upgrade()  # and leaves without a word: no fault of the server's
        wait_for(lambda: sluice.new.count() == 0, 5, "the end")
        assert counts.rise(side("attempt_errors_total")) == 0


@pytest.mark.parametrize("how", ["closes", "resets"])
def test_an_early_end_without_a_close_frame_counts(certs, how):
    new = Origin()
    with ws_scene.migrating(certs, new=new) as sluice:
        counts = Counts(sluice)
        with ws.by_hand(sluice) as client:
            client.send(ws.request())
            up = new.next()
            up.read_head()
            up.send(ws.SWITCHING)
            assert client.read_head().status == 101
            up.close() if how == "closes" else reset(up)

            counts.wait(side("attempt_errors_total"), 1)
            assert counts.rise(side("attempts_total")) == 1


def test_a_pool_whose_tunnels_break_reverts(certs):
    new = ws.Server("new")
    new.breaks = True
    with ws_scene.migrating(certs, 50, new=new, api={"guard": {"error_rate": 5.0}}) as sluice:
        with ws_scene.coming_and_going(sluice):
            sluice.wait_phase("reverted", deadline=15)

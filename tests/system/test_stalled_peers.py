"""Whoever stops reading for five seconds, and whatever was on its way to him, sluice's memory
stays as it was; then all of it arrives."""

import contextlib
import threading
import time

import pytest

import h2_scene
import settings
import ws
from h2_origin import H2Origin
from scripted import OK, Origin, pool
from waiting import PATIENCE, holds_for, wait_for

STREAMS, SIZE, STOP = 20, 8 << 20, 5.0
# Longer than anybody stops here; then those are given up whose client has left unseen.
TIMEOUTS = {"stream_idle": "8s", "client_body": "8s", "response_head": "8s"}
# Two buffers of 16 KiB and a window of 64 KiB for each, and what the allocator keeps.
PER_STREAM = 256 << 10


@contextlib.contextmanager
def flat(sluice, is_sanitized, n=STREAMS):
    """Inside, memory may rise by what n stalled streams are allowed."""
    before = sluice.rss_bytes()
    yield
    if not is_sanitized:
        holds_for(lambda: sluice.rss_bytes() - before < n * PER_STREAM, STOP, "memory is flat")


@pytest.fixture(scope="module")
def scene(certs):
    """Servers of HTTP/1.1, of HTTP/2 and of WebSockets, each for a host of its own."""
    h1, h2, echo = Origin(receive_buffer=4096), H2Origin("legacy"), ws.Server("legacy")
    pools = {"h1": pool(h1), "h2": settings.pool([h2], protocol="h2", health=None),
             "legacy": pool(echo)}
    routes = [{"host": name, "path": "/", "pool": name} for name in ("h1", "h2")]
    with h2_scene.running(certs, pools, timeouts=TIMEOUTS, routes=[
            *routes, {"host": "localhost", "path": "/", "pool": "legacy"}]) as sluice:
        sluice.h1, sluice.h2, sluice.echo = h1, h2, echo
        yield sluice
    h1.stop()
    h2.stop()
    echo.stop()


@pytest.fixture(autouse=True)
def nothing_is_left(scene):
    yield
    scene.h1.hang_up()
    wait_for(lambda: scene.metrics()["sluice_requests_open"] == 0, 15, "nothing is left")


def held(scene, host, **options):
    """A client whose windows stay shut."""
    client = h2_scene.client(scene, huge=True, hold=True, timeout=30, **options)
    client.name = host
    return client


def test_readers_of_h2_from_h2(scene, is_sanitized):
    with held(scene, "h2") as client, flat(scene, is_sanitized):
        streams = [client.get(f"/bytes/{SIZE}") for _ in range(STREAMS)]
        client.wait(lambda: all(len(s.body) == 65_535 for s in streams), "full windows")
    with held(scene, "h2") as client:
        stream = client.get(f"/bytes/{SIZE}")
        client.wait(lambda: len(stream.body) == 65_535, "a full window")
        client.h2.increment_flow_control_window(SIZE, stream.id)
        client.flush()
        assert stream.response().body_bytes == SIZE


def test_readers_of_h2_from_h1(scene, is_sanitized):
    with held(scene, "h1") as client, flat(scene, is_sanitized):
        writers = []
        for _ in range(STREAMS):
            client.get("/x")
            up = scene.h1.next()
            up.read_head()
            writers.append(threading.Thread(target=pour, args=(up,), daemon=True))
            writers[-1].start()
        client.settle()
    for writer in writers:
        writer.join(10 * PATIENCE)
        assert not writer.is_alive(), "the origin was told that nobody reads"


def pour(up):
    with contextlib.suppress(OSError):
        up.socket.settimeout(60)
        up.send(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")
        up.send(bytes(SIZE))


@pytest.mark.parametrize("host", ["h1", "h2"])
def test_uploads_to_an_origin_that_stops(scene, is_sanitized, host):
    with h2_scene.client(scene, huge=True, timeout=30) as client, flat(scene, is_sanitized):
        client.name = host
        for _ in range(STREAMS):
            stream = client.open("/deaf", "POST")
            if host == "h1":
                scene.h1.accept().read_head()
            sent = push(client, stream)
            assert sent < SIZE // 2, "the window stays shut"


def push(client, stream):
    """Sends all that is taken; how much that was."""
    sent, quiet = 0, time.monotonic() + 0.05
    while time.monotonic() < quiet:
        if (n := stream.send_some()) > 0:
            sent += n
            quiet = time.monotonic() + 0.05
        client.turn(0.01)
    return sent


def test_an_upload_goes_on_when_the_origin_reads_again(scene):
    with h2_scene.client(scene, timeout=30) as client:
        client.name = "h1"
        stream = client.open("/x", "POST", [("content-length", str(SIZE))])
        up = scene.h1.next()
        up.read_head()
        sent = push(client, stream)
        reader = threading.Thread(target=up.read, args=(SIZE,))
        reader.start()
        stream.send(bytes(SIZE - sent), end=True)
        reader.join(30)
        up.send(OK)
        assert stream.response().status == 200


def test_uploads_of_http1_to_an_h2_origin_that_stops(scene, is_sanitized):
    clients = [scene.client(tls=False) for _ in range(STREAMS)]
    with flat(scene, is_sanitized):
        for client in clients:
            client.send(f"POST /deaf HTTP/1.1\r\nHost: h2\r\nContent-Length: {SIZE}\r\n\r\n")
            client.socket.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                client.send(bytes(SIZE))
    for client in clients:
        client.close()


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_readers_of_websockets(scene, is_sanitized, version):
    before = scene.echo.count()
    with contextlib.ExitStack() as stack, flat(scene, is_sanitized):
        if version == "h1":
            for _ in range(STREAMS):
                stack.enter_context(ws.by_hand(scene, receive_buffer=4096)).upgrade("/flood")
        else:
            client = stack.enter_context(held(scene, "localhost"))
            for _ in range(STREAMS):
                client.open(fields=[(":method", "CONNECT"), (":protocol", "websocket"),
                                    (":scheme", "https"), (":path", "/flood"),
                                    (":authority", "localhost"),
                                    ("sec-websocket-version", "13")])
            client.wait(lambda: all(len(s.body) >= 65_535 for s in client.streams.values()),
                        "full windows")
        wait_for(lambda: scene.echo.count() == before + STREAMS, 5, "all are there")
    wait_for(lambda: scene.echo.count() <= before, 10, "the servers are rid of them")


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_readers_of_events(scene, is_sanitized, version):
    with contextlib.ExitStack() as stack, flat(scene, is_sanitized):
        if version == "h2":
            client = stack.enter_context(held(scene, "h2"))
            for _ in range(STREAMS):
                client.get("/events")
        else:
            for _ in range(STREAMS):
                client = stack.enter_context(scene.client(tls=False, receive_buffer=4096))
                client.send("GET /events HTTP/1.1\r\nHost: h2\r\n\r\n")
        wait_for(lambda: len(scene.h2.open("/events")) == STREAMS, 5, "all are there")
        for _ in range(100):
            scene.h2.say(b"data: " + bytes(10_000) + b"\n\n")
    wait_for(lambda: not scene.h2.open("/events"), 10, "the origin is rid of them")

"""A client may be slow, but not for ever: who sends a body or takes an answer below
limits.client_rate for timeouts.client_slow is thrown out and counted, while nobody pays for
the other side's slowness; and who has gone is missed at once, even where nobody reads."""

import contextlib
import socket
import threading
import time

import pytest

import h2_scene
from http1 import Closed
from scripted import OK, Counts, Origin, pool, reset, running
from waiting import PATIENCE, holds_for, wait_for

SLOW = 0.6
SLOW_COUNT, GONE_COUNT = "sluice_timeout_client_slow_total", "sluice_client_gone_total"
SILENT_COUNT = "sluice_timeout_stream_idle_total"
UPLOAD = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n"
GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
# Longer than anybody here is slow.
TIMEOUTS = {"client_slow": "600ms", "client_body": "20s", "stream_idle": "20s",
            "response_head": "20s"}


@pytest.fixture(scope="module")
def scene(certs):
    origin = Origin(receive_buffer=4096)
    with running(certs, {"legacy": pool(origin, retry={"attempts": 1})}, timeouts=TIMEOUTS,
                 limits={"client_rate": "1000"}) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()


@pytest.fixture(autouse=True)
def clean(scene):
    yield
    scene.origin.hang_up()


def pass_time(seconds):
    """Waits for nothing but time."""
    holds_for(lambda: True, seconds, every=min(seconds, 0.02))


def drip(move, until, seconds=20.0, pause=0.03):
    """move() again and again; how long it was let."""
    start = time.monotonic()
    with contextlib.suppress(OSError, Closed):
        while not until() and time.monotonic() < start + seconds:
            move()
            pass_time(pause)
    return time.monotonic() - start


def never():
    return False


def is_readable(client):
    client.socket.settimeout(0.001)
    with contextlib.suppress(TimeoutError):
        client.buffer += client.socket.recv(65536)
    client.socket.settimeout(10)
    return bool(client.buffer)


@pytest.mark.parametrize("tls", [False, True])
def test_a_body_that_comes_in_drops(scene, tls):
    counts = Counts(scene)
    with scene.client(tls) as client:
        client.send(UPLOAD.format(1 << 20))
        up = scene.origin.next()
        up.read_head()
        took = drip(lambda: client.send("x"), lambda: is_readable(client))
        response = client.read_response()

    assert (response.status, response.get("connection")) == (408, "close")
    assert SLOW * 0.9 <= took < SLOW + 2 * PATIENCE
    assert set(up.read_rest()) == {ord("x")}, "the origin is rid of it, too"
    counts.wait(SLOW_COUNT)


def test_a_body_over_http2_that_comes_in_drops(scene):
    counts = Counts(scene)
    with h2_scene.client(scene) as client:
        stream = client.open("/x", "POST")
        scene.origin.next().read_head()
        drip(lambda: (stream.send(b"x"), client.turn(0.001)),
             lambda: stream.result.status != 0)
        assert stream.response().status == 408
    counts.wait(SLOW_COUNT)


def test_a_body_that_comes_fast_enough_may_take_long(scene):
    counts = Counts(scene)
    with scene.client(tls=False) as client:
        client.send(UPLOAD.format(40 * 100))
        up = scene.origin.next()
        up.read_head()
        for _ in range(40):
            client.send("x" * 100)
            up.read(100)
            pass_time(SLOW / 12)
        up.send(OK)
        assert client.read_response().status == 200
    assert counts.rise(SLOW_COUNT) == 0


def test_a_pause_is_forgiven_to_who_is_fast_after_it(scene):
    with scene.client(tls=False) as client:
        client.send(UPLOAD.format(3 * 600))
        up = scene.origin.next()
        up.read_head()
        for _ in range(3):
            pass_time(SLOW * 0.7)
            client.send("x" * 600)
            up.read(600)
        up.send(OK)
        assert client.read_response().status == 200


def test_an_origin_that_reads_in_drops_is_not_blamed_on_the_client(scene):
    size, counts = 32 << 20, Counts(scene)
    with scene.client(tls=False) as client:
        client.send(UPLOAD.format(size))
        up = scene.origin.next()
        up.read_head()
        sender = threading.Thread(target=client.send, args=("x" * size,), daemon=True)
        sender.start()
        drip(lambda: up.socket.recv(1), never, 2 * SLOW)
        assert sender.is_alive(), "the origin is what it waits for"
        drip(lambda: up.socket.recv(1 << 20), lambda: not sender.is_alive(), pause=0.001)
        up.send(OK)
        assert client.read_response().status == 200
    assert counts.rise(SLOW_COUNT) == 0


def test_an_origin_that_answers_in_drops_is_not_blamed_on_the_client(scene):
    counts = Counts(scene)
    with scene.client(tls=False) as client:
        client.send(GET)
        up = scene.origin.next()
        up.answer("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
        for _ in range(40):
            up.send("x")
            pass_time(SLOW / 15)
        assert client.read_response().body == b"x" * 40
    assert counts.rise(SLOW_COUNT) == 0


def pour(up, size):
    with contextlib.suppress(OSError):
        up.socket.settimeout(60)
        up.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        up.send(bytes(size))


@contextlib.contextmanager
def pouring(scene, size):
    up = scene.origin.next()
    up.read_head()
    thread = threading.Thread(target=pour, args=(up, size), daemon=True)
    thread.start()
    yield
    wait_for(lambda: not thread.is_alive(), 10, "the origin is told")


# What its kernel has taken counts: so an answer that no kernel holds, and little patience.
READERS = {"client_slow": "600ms", "stream_idle": "1s"}


@pytest.fixture
def readers(certs, scene):
    with running(certs, {"legacy": pool(scene.origin)}, timeouts=READERS,
                 limits={"client_rate": "100k"}) as sluice:
        sluice.origin = scene.origin
        yield sluice


@pytest.mark.parametrize("tls", [False, True])
def test_an_answer_that_is_taken_in_drops(readers, tls):
    counts = Counts(readers)
    with readers.client(tls, receive_buffer=4096) as client:
        client.send(GET)
        with pouring(readers, 64 << 20):
            client.socket.settimeout(10)
            drip(lambda: client.socket.recv(500),
                 lambda: counts.rise(SLOW_COUNT, SILENT_COUNT) == 1, pause=0.02)
    assert counts.rise(SLOW_COUNT, SILENT_COUNT) == 1


def open_window(client, stream, n):
    client.h2.increment_flow_control_window(n, stream.id)
    client.flush()
    client.turn(0.001)


def test_an_answer_over_http2_that_is_taken_in_drops(scene):
    counts = Counts(scene)
    with h2_scene.client(scene, huge=True, hold=True) as client:
        stream = client.get("/x")
        with pouring(scene, 4 << 20):
            client.wait(lambda: len(stream.body) == 65_535, "a full window")
            drip(lambda: open_window(client, stream, 1),
                 lambda: counts.rise(SLOW_COUNT) == 1)
    counts.wait(SLOW_COUNT)


def test_a_reader_behind_a_deep_buffer_is_not_taken_for_a_silent_one(certs, scene):
    """The kernel tells of room when a third of its buffer is free: that may take long."""
    size = 24 << 20
    with running(certs, {"legacy": pool(scene.origin)}, timeouts={"stream_idle": "700ms"}
                 ) as sluice, sluice.client(tls=False, timeout=30) as client:
        sluice.origin = scene.origin
        client.send(GET)
        with pouring(sluice, size):
            client.read_head()
            drip(lambda: client.buffer.extend(client.socket.recv(10_000)), never, 4.0, 0.02)
            client.read_exactly(size, len)


def block(client):
    client.socket.settimeout(0.3)
    with contextlib.suppress(TimeoutError, socket.timeout):
        while True:
            client.send(bytes(1 << 20))


@pytest.mark.parametrize("tls", [False, True])
def test_who_resets_an_upload_that_nobody_reads_is_missed_at_once(scene, tls):
    counts = Counts(scene)
    with scene.client(tls) as client:
        client.send(UPLOAD.format(1 << 30))
        up = scene.origin.next()
        up.read_head()
        block(client)
        assert scene.metrics()["sluice_requests_open"] == 1
        reset(client)

        wait_for(lambda: scene.metrics()["sluice_requests_open"] == 0, 3, "it is missed")
    counts.wait(GONE_COUNT)
    up.read_rest()


def test_a_half_closed_client_that_resets_is_missed_at_once(scene):
    counts = Counts(scene)
    with scene.client(tls=False) as client:
        client.send(GET)
        client.half_close()
        scene.origin.next().read_head()
        holds_for(lambda: scene.metrics()["sluice_requests_open"] == 1, 0.2, "it may wait")
        reset(client)

        wait_for(lambda: scene.metrics()["sluice_requests_open"] == 0, 3, "it is missed")
    counts.wait(GONE_COUNT)

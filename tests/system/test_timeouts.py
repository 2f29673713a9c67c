"""Every wait ends after the time that the file says, not sooner and not much later, with a
clear answer to those who can still hear it, and is counted; bytes that came in time count
as such even when sluice itself stood still."""

import contextlib
import socket
import time

import pytest

from http1 import Closed
from scripted import OK, Counts, Deaf, Origin, frozen, pool, running, unread_bytes
from waiting import PATIENCE, holds_for, wait_for

LIMIT = 0.3
GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
TIMEOUTS = {name: "300ms" for name in
            ("client_header", "client_body", "client_idle", "tls_handshake", "connect",
             "response_head", "stream_idle", "upstream_idle")}


@pytest.fixture(scope="module")
def scene(certs):
    origin = Origin(receive_buffer=4096)
    with running(certs, {"legacy": pool(origin, retry={"attempts": 1},
                                        eject={"failures": 1000})},
                 timeouts=TIMEOUTS) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()


@pytest.fixture(autouse=True)
def clean(scene):
    yield
    scene.origin.hang_up()


@contextlib.contextmanager
def lasts(scene, count, seconds=LIMIT):
    """What is inside takes the limit, and is counted once under this name."""
    counts, start = Counts(scene), time.monotonic()
    yield
    took = time.monotonic() - start
    assert seconds * 0.95 <= took < seconds + 1.0 * PATIENCE, f"{took:.3f} s"
    counts.wait(f"sluice_timeout_{count}_total")


def pass_time(seconds):
    """Waits for nothing but time."""
    holds_for(lambda: True, seconds, every=0.02)


# --- clients -------------------------------------------------------------------------------

@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("begin", ["G", "GET /x HTTP/1.1\r\nHost: a\r\nX: ", "\r\n"])
def test_a_head_that_does_not_come(scene, begin, tls):
    with scene.client(tls) as client, lasts(scene, "client_header"):
        client.send(begin)
        response = client.read_response()

        assert response.status == 408
        assert response.get("connection") == "close"
        assert client.is_closed()
    assert scene.origin.is_untouched()


def test_a_head_in_drops_gets_no_more_time(scene):
    with scene.client(tls=False) as client, lasts(scene, "client_header"):
        client.send("GET /x HTTP/1.1\r\nHost: a\r\nX: ")
        client.socket.settimeout(0.02)
        with pytest.raises(TimeoutError):
            while True:
                pass_time(0.02)
                client.send("y")
                client.buffer += _peek(client)
                if client.buffer:
                    raise TimeoutError
        client.socket.settimeout(5)
        assert client.read_response().status == 408


def _peek(client):
    try:
        return client.socket.recv(65536)
    except TimeoutError:
        return b""


@pytest.mark.parametrize("tls", [False, True])
def test_a_body_that_does_not_come(scene, tls):
    with scene.client(tls) as client, lasts(scene, "client_body"):
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        up = scene.origin.next()
        up.read_head()
        response = client.read_response()

        assert (response.status, response.get("connection")) == (408, "close")
        assert client.is_closed()
    assert up.read_rest() == b"abc"


def test_a_body_that_goes_on_gets_more_time(scene):
    with scene.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
        up = scene.origin.next()
        up.read_head()
        for byte in "abcdef":
            pass_time(LIMIT / 3)
            client.send(byte)
            assert up.read(1) == byte.encode()
        up.send(OK)

        assert client.read_response().status == 200


@pytest.mark.parametrize("tls", [False, True])
def test_a_client_that_asks_nothing(scene, tls):
    with scene.client(tls) as client, lasts(scene, "client_idle"):
        assert client.is_closed()


@pytest.mark.parametrize("tls", [False, True])
def test_a_client_that_asks_nothing_more(scene, tls):
    with scene.client(tls) as client:
        client.send(GET)
        up = scene.origin.next()
        up.read_head()
        with lasts(scene, "client_idle"):
            up.send(OK)
            assert client.read_response().body == b"ok"
            assert client.is_closed()


@pytest.mark.parametrize("hello", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_a_handshake_that_does_not_go_on(scene, hello):
    with socket.create_connection(scene.web.address, timeout=10) as raw, \
            lasts(scene, "tls_handshake"):
        raw.sendall(hello)
        with contextlib.suppress(ConnectionResetError):
            assert raw.recv(100) == b""


# --- upstream --------------------------------------------------------------------------------

def test_a_server_that_answers_no_syn(certs):
    deaf = Deaf(mute=True)
    with running(certs, {"legacy": pool(deaf, retry={"attempts": 1})},
                 timeouts=TIMEOUTS) as sluice:
        with sluice.client(tls=False) as client, lasts(sluice, "connect"):
            client.send(GET)
            assert client.read_response().status == 504
    deaf.stop()


def test_a_server_that_accepts_and_never_answers(scene):
    with scene.client(tls=False) as client, lasts(scene, "response_head"):
        client.send(GET)
        up = scene.origin.next()
        response = client.read_response()

        assert (response.status, response.get("connection")) == (504, "keep-alive")
    up.read_head()
    assert up.read_rest() == b"", "the connection is not kept"


def test_a_head_in_drops_gets_no_more_time_from_a_server_either(scene):
    with scene.client(tls=False) as client, lasts(scene, "response_head"):
        client.send(GET)
        up = scene.origin.next()
        up.read_head()
        client.socket.settimeout(0.02)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            up.send("HTTP/1.1 200 OK\r\nX: ")
            while not client.buffer:
                up.send("y")
                client.buffer += _peek(client)
        client.socket.settimeout(5)
        assert client.read_response().status == 504


def test_a_server_that_answers_after_the_client_has_left(scene):
    with scene.client(tls=False) as client:
        client.send(GET)
        client.half_close()
        up = scene.origin.next()
        up.read_head()
    up.send(OK)
    scene.origin.hang_up()
    with scene.client(tls=False) as client:
        client.send(GET)
        scene.origin.next().answer()
        assert client.read_response().status == 200


def test_a_half_closed_client_is_told_too(scene):
    with scene.client(tls=False) as client, lasts(scene, "response_head"):
        client.send(GET)
        client.half_close()
        scene.origin.next().read_head()

        assert client.read_response().status == 504


def test_a_body_that_stands_still(scene):
    with scene.client(tls=False) as client, lasts(scene, "stream_idle"):
        client.send(GET)
        up = scene.origin.next()
        up.answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        with pytest.raises((Closed, ConnectionResetError)):
            client.read_response()
    assert up.read_rest() == b""


def test_a_byte_at_a_time_is_enough(scene):
    with scene.client(tls=False) as client:
        client.send(GET)
        up = scene.origin.next()
        up.answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for byte in "abcdef":
            pass_time(LIMIT / 3)
            up.send(byte)

        assert client.read_response().body == b"abcdef"


def fill(up):
    up.socket.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            up.socket.send(b"x" * 65536)
    up.socket.settimeout(10)


@pytest.mark.parametrize("tls", [False, True])
def test_a_client_that_does_not_read(scene, tls):
    with scene.client(tls, receive_buffer=4096) as client, lasts(scene, "stream_idle"):
        client.send(GET)
        up = scene.origin.next()
        up.read_head()
        up.send(f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 30}\r\n\r\n")
        fill(up)
        up.read_rest()


def test_a_server_that_does_not_read(scene):
    with scene.client(tls=False) as client, lasts(scene, "response_head"):
        client.send(f"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {1 << 30}\r\n\r\n")
        scene.origin.next().read_head()
        client.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                client.socket.send(b"x" * 65536)
        client.socket.settimeout(10)

        assert client.read_response().status == 504


def test_a_kept_connection_that_nobody_needs(scene):
    with scene.client(tls=False) as client:
        client.send(GET)
        up = scene.origin.next()
        up.answer()
        client.read_response()
        start = time.monotonic()

        assert up.read_rest() == b""
        assert LIMIT * 0.95 <= time.monotonic() - start < LIMIT + 1.0 * PATIENCE


def where_it_is(scene, size):
    """Of what TLS has made the kernel takes all; or not all, and the exchange is over all
    the same; or so little that the exchange waits, until it is given up."""
    counts = Counts(scene)
    wait_for(lambda: scene.metrics()["sluice_requests_open"] == 0, 5, "the exchange is over")
    if counts.rise("sluice_timeout_stream_idle_total") > 0:
        return "origin"
    return "kernel" if unread_bytes(scene.web.number, of_clients=True) >= size else "sluice"


@pytest.mark.parametrize("half_closed", [False, True])
def test_an_answer_that_waits_for_its_reader_is_not_cut_off(scene, half_closed):
    """A part of it waits in sluice, for longer than an idle connection may last. That is at
    most 64 KiB, and what the kernel takes before differs: smaller steps than that lead
    there."""
    size, steps = 100_000, {"kernel": 48_000, "origin": -20_000}
    for _ in range(150):
        with scene.client(receive_buffer=4096) as client:
            client.send(GET)
            if half_closed:
                socket.socket.shutdown(client.socket, socket.SHUT_WR)
            up = scene.origin.next()
            up.read_head()
            up.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n" + "x" * size)
            where = where_it_is(scene, size)
            if where == "sluice":
                pass_time(LIMIT * 1.5)
                assert client.read_response().body == b"x" * size
                return
        size += steps[where]
    raise AssertionError("no answer was ever held")


# --- sluice itself stood still ------------------------------------------------------------------

def stands_still(scene):
    return _Still(scene)


class _Still:
    """Longer than every limit."""

    def __init__(self, scene):
        self.scene, self.stack = scene, contextlib.ExitStack()

    def __enter__(self):
        self.stack.enter_context(frozen(self.scene))

    def __exit__(self, *_):
        pass_time(LIMIT * 1.5)
        self.stack.close()


def test_an_answer_that_came_meanwhile_came_in_time(scene):
    counts = Counts(scene)
    with scene.client(tls=False) as client:
        client.send(GET)
        up = scene.origin.next()
        up.read_head()
        with stands_still(scene):
            up.send(OK)

        assert client.read_response().status == 200
    assert counts.rise("sluice_timeout_response_head_total") == 0


def test_a_head_that_came_meanwhile_came_in_time(scene):
    with scene.client(tls=False) as client:
        client.send(GET[:10])
        wait_for(lambda: scene.metrics()["sluice_requests_open"] == 1, 5, "a head has begun")
        with stands_still(scene):
            client.send(GET[10:])
        scene.origin.next().answer()

        assert client.read_response().status == 200


def test_a_body_that_came_meanwhile_came_in_time(scene):
    with scene.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        up = scene.origin.next()
        up.read_head()
        with stands_still(scene):
            client.send("abc")
        assert up.read(3) == b"abc"
        up.send(OK)

        assert client.read_response().status == 200


def test_the_rest_of_an_answer_that_came_meanwhile_came_in_time(scene):
    with scene.client(tls=False) as client:
        client.send(GET)
        up = scene.origin.next()
        up.answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        assert client.read_head().status == 200
        with stands_still(scene):
            up.send("def")

        client.read_exactly(6, len)


@pytest.mark.parametrize("tls", [False, True])
def test_a_request_that_came_meanwhile_came_in_time(scene, tls):
    with scene.client(tls) as client:
        client.send(GET)
        scene.origin.next().answer()
        client.read_response()
        with stands_still(scene):
            client.send(GET)
        scene.origin.next().answer()

        assert client.read_response().status == 200

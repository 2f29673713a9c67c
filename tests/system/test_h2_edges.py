"""Where HTTP/2 could leave something standing for ever, or blame the wrong one: every
connection that says no more ends in time, and what a client holds up is no pool's fault."""

import contextlib
import signal
import socket
import threading
import time

import h2.errors
import h2.exceptions
import h2.settings
import pytest

import h2_frames as f
import h2_scene
import settings
import ws
from h2_client import Reset
from h2_frames import Raw
from h2_origin import H2Origin, server_context
from scripted import OK, Counts, Deaf, Origin, outcome, pool, reset, side, unread_bytes
from settings import migration
from waiting import PATIENCE, DeadlinePassed, holds_for, wait_for

QUICK = {"client_idle": "500ms", "client_header": "500ms", "stream_idle": "500ms",
         "stall": "200ms"}


@contextlib.contextmanager
def scene(certs, new=None, of_new=None, **changes):
    """Everything is new's; nothing is rescued."""
    legacy, origin = Origin(), new or Origin()
    api = migration(100, rescue={"enabled": False},
                    guard={"mode": "observe", "error_rate": 50.0})
    more = {"protocol": "h2"} if isinstance(origin, H2Origin) else {}
    more |= of_new or {}
    pools = {"legacy": pool(legacy),
             "new": settings.pool([origin], health=None, retry={"attempts": 1},
                                  eject={"failures": 1000}, **more)}
    try:
        with h2_scene.running(certs, pools, {"api": api},
                              **settings.merged({"timeouts": QUICK}, changes)) as sluice:
            sluice.new = origin
            yield sluice
    finally:
        legacy.stop()
        origin.stop()


def is_forgotten(sluice):
    """No connection, no request is left."""
    now = sluice.metrics()
    return now["sluice_connections_open"] == 0 and now["sluice_requests_open"] == 0


# --- connections that nobody goes on with ----------------------------------------------------

@pytest.mark.parametrize("n", [1, 14, 23])
def test_half_a_preface_is_given_up(certs, n):
    with scene(certs) as sluice, Raw(sluice.plain.address, greeting=f.PREFACE[:n]):
        wait_for(lambda: sluice.metrics()["sluice_connections_open"] == 1, 5)
        wait_for(lambda: is_forgotten(sluice), 5, "the connection is given up")


def test_an_answer_of_ours_that_no_window_lets_go(certs):
    """404 has a body, and nobody ever takes it."""
    with scene(certs, routes=[{"host": "a", "path": "/", "pool": "legacy"}]) as sluice, \
            h2_scene.raw(sluice) as raw:
        raw.send(f.settings((f.INITIAL_WINDOW_SIZE, 0)), f.headers(1, f.get()))
        raw.wait(f.HEADERS)
        wait_for(lambda: is_forgotten(sluice), 10, "the connection is given up")


def test_a_client_that_reads_nothing_at_all(certs):
    """Its request was given up, and its connection is, too."""
    with scene(certs) as sluice, h2_scene.raw(sluice, receive_buffer=4096) as raw:
        raw.send(f.settings((f.INITIAL_WINDOW_SIZE, (1 << 31) - 1)),
                 f.window_update(0, (1 << 31) - 65536),
                 f.headers(1, f.get()))
        up = sluice.new.next()
        up.read_head()
        up.socket.settimeout(1)
        with contextlib.suppress(OSError):
            up.send(f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 30}\r\n\r\n")
            up.send(b"x" * (64 << 20))
        wait_for(lambda: is_forgotten(sluice), 10, "the connection is given up")


def test_a_drain_says_its_last_word_to_one_that_goes_on_asking(certs):
    """Who does not answer PING is told by the clock, whatever it asks for meanwhile."""
    with scene(certs, timeouts={"stream_idle": "10s", "response_head": "10s"}) as sluice, h2_scene.raw(sluice) as raw:
        raw._acknowledge = lambda got: None
        raw.send(f.headers(1, f.get()))
        up = sluice.new.next()
        up.read_head()
        sluice.signal(signal.SIGTERM)
        first = raw.wait(f.GOAWAY)
        assert first.payload[:4] == b"\x7f\xff\xff\xff"
        raw.send(f.headers(3, f.get()))
        later = sluice.new.next()
        later.read_head()
        start = time.monotonic()
        last = raw.wait(f.GOAWAY)
        assert last.payload[:4] == b"\0\0\0\3"
        assert time.monotonic() - start < 3 * PATIENCE
        up.send(OK)
        later.send(OK)
        assert raw.outcome(1) == raw.outcome(3) == f.Answer(200)
        assert raw.next() is None, "and the connection is closed"


# --- whose fault it is -----------------------------------------------------------------------

def test_the_end_of_an_answer_that_the_window_holds_back_is_no_stall(certs):
    """All of the body is through, and its window is used up: only the end is missing."""
    with scene(certs) as sluice, h2_scene.raw(sluice) as raw:
        counts = Counts(sluice)
        raw.send(f.settings((f.INITIAL_WINDOW_SIZE, 3)), f.headers(1, f.get()))
        up = sluice.new.next()
        up.read_head()
        up.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert raw.wait(f.DATA).payload == b"abc"
        up.send("0\r\n\r\n")

        counts.wait(outcome("client_gone"))
        assert counts.rise(side("attempt_errors_total")) == 0


def failures(sluice):
    return sluice.status()["guard"]["floor"]["failed_in_a_row"]


@pytest.mark.parametrize("version", ["h1", "h2"])
@pytest.mark.parametrize("seconds, n", [(0.3, 0), (1.2, 1)])
def test_a_client_that_left_after_a_second_is_a_failure_for_the_floor(certs, version, seconds, n):
    """S19: of those that left sooner nobody knows."""
    with scene(certs, timeouts={"response_head": "10s"}) as sluice, contextlib.ExitStack() as end:
        if version == "h2":
            stream = end.enter_context(h2_scene.client(sluice)).get()
        else:
            client = end.enter_context(sluice.client(tls=False))
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        sluice.new.next().read_head()
        counts = Counts(sluice)
        holds_for(sluice.is_alive, seconds)
        if version == "h2":
            stream.cancel()
        else:
            reset(client)

        counts.wait(outcome("client_gone"))
        assert counts.rise(side("attempt_errors_total")) == 0
        with contextlib.suppress(DeadlinePassed):
            wait_for(lambda: failures(sluice) == 1, 1)
        assert failures(sluice) == n


def pour(client, upload):
    """As much as sluice takes of it, which takes nothing more; how much that was."""
    sent = upload.send_some()
    while client.turn(0.5):
        sent += upload.send_some()
    return sent


def is_held(client, origin, begin):
    """Begins a request; True if not a byte of it has gone to the server's connection."""
    before = unread_bytes(origin.listener.getsockname()[1])
    begin()
    client.settle()  # sluice has read it
    client.settle()  # and the turn of its loop is over in which it did
    return unread_bytes(origin.listener.getsockname()[1]) == before


def test_a_goodbye_before_a_request_has_left_is_nobodys_failure(certs):
    """A server that reads no more, and then says GOAWAY: what has left for its connection
    is answered there, what has not goes over another one, and neither is a failure. Which
    is which depends on how much the two sockets take, so it is counted."""
    most = (1 << 31) - 1
    origin = H2Origin(settings={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: most})
    with scene(certs, origin, timeouts={"stream_idle": "30s", "response_head": "30s"}) as sluice, \
            h2_scene.client(sluice, huge=True) as client:
        assert client.request("/").status == 200
        connection, = origin.connections
        goes_on, stands = threading.Event(), threading.Event()

        def stand_still():
            connection.h2.increment_flow_control_window(most - 65535)
            connection._flush()
            stands.set()
            goes_on.wait(60)

        connection.do(stand_still)
        stands.wait(10)
        counts = Counts(sluice)
        uploads, asked = [], []

        def begin_upload():
            upload = client.open("/upload", "POST")
            uploads.append((upload, pour(client, upload)))

        while not is_held(client, origin, begin_upload):
            pass
        while not is_held(client, origin, lambda: asked.append(client.get("/"))):
            pass
        connection.socket.sendall(f.goaway(last=most))
        port = origin.listener.getsockname()[1]
        wait_for(lambda: unread_bytes(port, of_clients=True) == 0, 10, "sluice has read it")
        client.settle()
        goes_on.set()

        assert all(one.response().status == 200 for one in asked)
        for upload, sent in uploads:
            upload.end()
            assert upload.response().body == f"{sent}\n".encode()
        assert origin.accepted == 2
        assert counts.rise(side("attempt_errors_total")) == 0


# --- one attempt after the other, each in its own protocol ---------------------------------------

BODY = bytes(range(256)) * 200
TRAILER = ("x-checksum", "1234")
AGAIN = ("idempotency-key", "1")


class Late(H2Origin):
    """Resets what it has read to the end."""

    def _begin_late(self, *_):
        pass

    def _end_late(self, exchange):
        self._reset(exchange, h2.errors.ErrorCodes.INTERNAL_ERROR)


@contextlib.contextmanager
def migrating(certs, legacy, new):
    """From legacy to new, each of which may speak HTTP/2; what new fails is rescued."""
    def pool_of(origin):
        return settings.pool([origin], health=None, retry={"attempts": 1},
                             eject={"failures": 1000},
                             protocol="h2" if isinstance(origin, H2Origin) else None)
    try:
        with h2_scene.running(certs, {"legacy": pool_of(legacy), "new": pool_of(new)},
                              {"api": migration(100)}) as sluice:
            yield sluice
    finally:
        legacy.stop()
        new.stop()


@contextlib.contextmanager
def uploading(sluice, version, path):
    """A body in pieces, with a trailer; gives the function that reads the answer."""
    if version == "h2":
        with h2_scene.client(sluice) as client:
            stream = client.open(path, "POST", [AGAIN])
            for at in range(0, len(BODY), 5000):
                stream.send(BODY[at:at + 5000])
            stream.end([TRAILER])
            yield stream.response
        return
    with sluice.client(tls=False) as client:
        client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\n{AGAIN[0]}: 1\r\n"
                    "Transfer-Encoding: chunked\r\nTrailer: x-checksum\r\n\r\n")
        for at in range(0, len(BODY), 5000):
            piece = BODY[at:at + 5000]
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        client.send("0\r\n{}: {}\r\n\r\n".format(*TRAILER))
        yield client.read_response


def read_chunks(up):
    """(body, the lines behind it)"""
    body = b""
    while n := int(up.read_until(b"\r\n"), 16):
        body += up.read(n + 2)[:-2]
    lines = []
    while (line := up.read_until(b"\r\n")) != b"\r\n":
        lines.append(line)
    return body, lines


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_a_body_that_new_of_http2_has_failed_goes_to_legacy_in_chunks(certs, version):
    legacy = Origin()
    with migrating(certs, legacy, Late()) as sluice, \
            uploading(sluice, version, "/late") as answer:
        up = legacy.next()
        head = up.read_head()
        assert "Transfer-Encoding: chunked\r\n" in head
        assert read_chunks(up) == (BODY, [b"x-checksum: 1234\r\n"])
        up.send(OK)
        assert answer().status == 200


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_a_body_that_new_of_http1_has_failed_goes_to_legacy_in_frames(certs, version):
    legacy, new = H2Origin("legacy"), Origin()
    with migrating(certs, legacy, new) as sluice, \
            uploading(sluice, version, "/upload") as answer:
        up = new.next()
        up.read_head()
        assert read_chunks(up) == (BODY, [b"x-checksum: 1234\r\n"])
        up.close()
        response = answer()
        assert (response.status, response.body) == (200, b"%d\n" % len(BODY))
        assert legacy.requests[-1].trailers == [TRAILER]


def test_a_cutback_while_new_is_being_connected(certs):
    """Its handshake ends too late: legacy answers, and new has failed in nothing."""
    tls, legacy, new = server_context(certs), Origin(), Origin()
    trust = {"ca_file": str(certs / "ca.pem"), "server_name": "localhost"}
    pools = {"legacy": settings.pool([legacy], health=None),
             "new": settings.pool([new], health=None, protocol="h2", tls=trust)}
    try:
        with h2_scene.running(certs, pools, {"api": migration(100)}) as sluice, \
                h2_scene.client(sluice) as client:
            counts = Counts(sluice)
            streams = [client.get() for _ in range(3)]
            accepted, _ = new.listener.accept()
            client.settle()
            sluice.ctl("cutback", "api")
            with tls.wrap_socket(accepted, server_side=True) as up:
                for _ in streams:
                    legacy.next().answer()
                assert [s.response().status for s in streams] == [200] * 3
                assert counts.rise(side("attempt_errors_total")) == 0
                sluice.signal(signal.SIGTERM)
                up.settimeout(10 * PATIENCE)
                with contextlib.suppress(ConnectionError):
                    while up.recv(4096):
                        pass  # the connection that nobody used ends with sluice
    finally:
        legacy.stop()
        new.stop()


# --- windows ---------------------------------------------------------------------------------

def test_what_was_refused_is_given_back_to_the_connection(certs):
    """Bodies above the limit, of more bytes than the connection's window has."""
    with scene(certs, limits={"body_bytes": "40k", "streams": 4}) as sluice, \
            h2_scene.client(sluice) as client:
        for _ in range(20):
            stream = client.open("/", "POST")
            with contextlib.suppress(Reset, h2.exceptions.StreamClosedError):
                stream.send(bytes(60_000))
            with contextlib.suppress(Reset):
                assert stream.response().status == 413
            sluice.new.hang_up()
        client.settle()
        assert client.h2.outbound_flow_control_window >= 2 * 65535


# --- queues ----------------------------------------------------------------------------------

def test_who_has_a_place_in_a_full_queue_keeps_it(certs):
    """Its body may come meanwhile."""
    with scene(certs, of_new={"max_requests": 1}, limits={"pending": 1},
               timeouts={"response_head": "10s"}) as sluice, \
            h2_scene.client(sluice) as client:
        first = client.get()
        up = sluice.new.next()
        up.read_head()
        second = client.open("/", "POST")
        client.settle()
        for _ in range(20):
            second.send(b"x")
            client.settle()
        up.send(OK)
        assert first.response().status == 200
        second.end()
        up = sluice.new.next()
        up.read_until(b"0\r\n\r\n")
        up.send(OK)
        assert second.response().status == 200


# --- tunnels ---------------------------------------------------------------------------------

def connect(client, path):
    return client.open(fields=[
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
        (":path", path), (":authority", "localhost"), ("sec-websocket-version", "13")])


@pytest.mark.parametrize("size", [1, 5000])
def test_the_end_that_comes_with_the_last_bytes_of_a_tunnel_is_passed_on(certs, size):
    """The server says nothing to it: it has half a frame."""
    server = ws.Server("legacy")
    try:
        with h2_scene.running(certs, {"legacy": settings.pool([server], health=None)}) as sluice, \
                h2_scene.client(sluice) as client:
            stream = connect(client, "/echo")
            assert stream.head().status == 200
            wait_for(lambda: server.count() == 1, 5, "it is there")
            half = ws.masked(ws.BINARY, bytes(2 * size + 100))[:size]
            client.h2.send_data(stream.id, half, end_stream=True)
            client.flush()
            wait_for(lambda: server.count() == 0, 3, "the server is told")
    finally:
        server.stop()


# --- the end ---------------------------------------------------------------------------------

@pytest.mark.parametrize("protocol", ["h1", "h2"])
def test_a_drain_that_takes_too_long_ends_all_there_is(certs, protocol):
    """Requests in every state, and a tunnel: nothing of them is left, nothing is freed twice."""
    origin, echo = (H2Origin() if protocol == "h2" else Origin()), ws.Server("echo")
    deaf = Deaf(mute=True)
    slow = {name: "30s" for name in ("connect", "response_head", "stream_idle", "client_body")}
    pools = {"new": settings.pool([origin], health=None, max_requests=3,
                                  protocol="h2" if protocol == "h2" else None),
             "echo": settings.pool([echo], health=None),
             "deaf": settings.pool([deaf], health=None, protocol="h2" if protocol == "h2" else None)}
    routes = [{"host": "*", "path": "/ws", "pool": "echo"},
              {"host": "*", "path": "/deaf", "pool": "deaf"},
              {"host": "*", "path": "/", "pool": "new"}]
    with h2_scene.running(certs, pools, routes=routes,
                          timeouts={**slow, "drain": "1s"}) as sluice, \
            h2_scene.client(sluice) as client, sluice.client(tls=False) as old:
        assert connect(client, "/ws").head().status == 200
        client.get("/hang")
        client.open("/upload", "POST").send(b"abc")
        client.get("/deaf")
        old.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: sluice.metrics()["sluice_requests_open"] == 5, 10)
        client.get("/queued")
        wait_for(lambda: sluice.metrics()["sluice_requests_open"] == 6, 10)
        sluice.signal(signal.SIGTERM)
        wait_for(lambda: not sluice.is_alive(), 20, "sluice has ended")
        assert sluice.process.returncode == 0
    for one in (origin, echo, deaf):
        one.stop()

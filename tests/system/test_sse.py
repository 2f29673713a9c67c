"""Server-sent events and long polls pass as they come, stay as long as they like, and end so
that the client comes back by itself."""

import contextlib
import json
import re
import signal
import statistics
import time

import pytest

import h2_scene
import settings
from h2_client import Reset
from h2_origin import H2Origin
from http1 import Closed
from scripted import Counts, Origin, pool, side
from settings import migration
from waiting import PATIENCE, holds_for, wait_for

HEAD = ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "Transfer-Encoding: chunked\r\n\r\n")
VERSIONS = ["h1", "h2"]
both = pytest.mark.parametrize("version", VERSIONS)


def chunk(text):
    return f"{len(text):x}\r\n{text}\r\n"


class Reader:
    """An EventSource of either version."""

    def __init__(self, sluice, version, path="/events", *headers):
        self.version = version
        if version == "h2":
            self.client = h2_scene.client(sluice)
            self.stream = self.client.get(path, headers=[("accept", "text/event-stream"),
                                                         *headers])
        else:
            self.client = sluice.client(tls=False)
            lines = "".join(f"{k}: {v}\r\n" for k, v in headers)
            self.client.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
                             f"Accept: text/event-stream\r\n{lines}\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def head(self):
        return self.stream.head() if self.version == "h2" else self.client.read_head()

    def read(self, n):
        """The next n bytes, which came in whatever pieces."""
        if self.version == "h2":
            return self.stream.bytes(n)
        got = b""
        while len(got) < n:
            size = int(self.client.read_until(b"\r\n"), 16)
            assert size, "the end came too soon"
            got += self.client.read_until(b"\r\n")
        return got

    def ends_well(self):
        """The end comes as an end, not as a loss."""
        try:
            if self.version == "h2":
                self.stream.response()
                return True
            return self.client.read_until(b"\r\n\r\n").endswith(b"0")
        except (Reset, Closed, ConnectionError):
            return False

    def breaks(self):
        return not self.ends_well()


@pytest.fixture(scope="module")
def scene(certs):
    origin = Origin()
    with h2_scene.running(certs, {"legacy": pool(origin)},
                          timeouts={"stall": "100ms", "stream_idle": "300ms",
                                    "client_idle": "300ms", "tunnel_idle": "10s"}) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()


@pytest.fixture(autouse=True)
def clean(scene):
    yield
    scene.origin.hang_up()


@contextlib.contextmanager
def streaming(sluice, version, *headers):
    """A reader, and the origin's end of its stream."""
    with Reader(sluice, version, "/events", *headers) as reader:
        up = sluice.origin.next()
        head = up.read_head()
        up.send(HEAD)
        assert reader.head().get("content-type") == "text/event-stream"
        reader.request = head.lower()
        yield reader, up


# --- as they come -----------------------------------------------------------------------------------

@both
def test_the_head_does_not_wait_for_an_event(scene, version):
    with streaming(scene, version, ("last-event-id", "7")) as (reader, _):
        assert "last-event-id: 7\r\n" in reader.request


@both
def test_events_leave_when_they_come(scene, version, record_property):
    with streaming(scene, version) as (reader, up):
        late = []
        for n in range(100):
            event = f"id: {n:03}\ndata: x\n\n"
            start = time.monotonic()
            up.send(chunk(event))
            assert reader.read(len(event)) == event.encode()
            late.append(time.monotonic() - start)
        record_property("median ms from send to receive", round(statistics.median(late) * 1e3, 3))
        assert statistics.median(late) < 0.003 * PATIENCE


@both
def test_half_an_event_leaves_too(scene, version):
    with streaming(scene, version) as (reader, up):
        for piece in ("da", "ta", ": x\n", "\n"):
            up.send(chunk(piece))
            assert reader.read(len(piece)) == piece.encode()


@both
def test_silence_is_no_error(scene, version):
    """No heartbeats: neither stall, stream_idle nor client_idle ends what says nothing."""
    counts = Counts(scene)
    with streaming(scene, version) as (reader, up):
        holds_for(lambda: scene.metrics()["sluice_requests_open"] >= 1, 1.0)
        up.send(chunk("data: late\n\n"))
        assert reader.read(12) == b"data: late\n\n"
        up.send("0\r\n\r\n")
        assert reader.ends_well()
    assert counts.rise("sluice_timeout_stream_idle_total") == 0


@both
def test_a_long_poll_waits(scene, version):
    with Reader(scene, version, "/poll") as reader:
        up = scene.origin.next()
        up.read_head()
        holds_for(lambda: scene.metrics()["sluice_requests_open"] >= 1, 0.7)
        start = time.monotonic()
        up.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnews")
        assert reader.head().status == 200
        assert time.monotonic() - start < 0.2 * PATIENCE


@both
def test_a_reader_that_leaves_frees_the_origin(scene, version):
    with streaming(scene, version) as (reader, up):
        up.send(chunk("data: x\n\n"))
        reader.read(9)
        reader.client.close()
        start = time.monotonic()
        assert up.read_rest() == b""
        assert time.monotonic() - start < 2 * PATIENCE, "without another event"


def test_many_on_one_connection(scene):
    with h2_scene.client(scene) as client:
        streams, ups = [], []
        for n in range(20):
            streams.append(client.get(f"/events/{n}"))
            ups.append(scene.origin.next())
            ups[-1].read_head()
            ups[-1].send(HEAD)
        for turn in range(5):
            for n, up in enumerate(ups):
                up.send(chunk(f"data: {n:02} {turn}\n\n"))
            for n, stream in enumerate(streams):
                assert stream.bytes(12) == f"data: {n:02} {turn}\n\n".encode()


@both
def test_from_a_server_of_http2(certs, version):
    origin = H2Origin("legacy")
    servers = settings.pool([origin], protocol="h2", health=None)
    with h2_scene.running(certs, {"legacy": servers}, timeouts={"stall": "100ms"}) as sluice, \
            Reader(sluice, version) as reader:
        assert reader.head().get("content-type") == "text/event-stream"
        late = []
        for n in range(50):
            event = f"data: {n:03}\n\n".encode()
            start = time.monotonic()
            origin.say(event)
            assert reader.read(len(event)) == event
            late.append(time.monotonic() - start)
        assert statistics.median(late) < 0.005 * PATIENCE
        origin.say(b"", end=True)
        assert reader.ends_well()
    origin.stop()


# --- the shift --------------------------------------------------------------------------------------

@contextlib.contextmanager
def shifting(certs, percent, **tunnels):
    legacy, new = Origin(), Origin()
    api = migration(percent, **({"tunnels": tunnels} if tunnels else {}))
    with h2_scene.running(certs, {"legacy": pool(legacy), "new": pool(new)},
                          {"api": api}) as sluice:
        sluice.legacy, sluice.new, sluice.origin = legacy, new, new
        yield sluice
    legacy.stop()
    new.stop()


@both
def test_no_weight_breaks_a_stream(certs, version):
    with shifting(certs, 100) as sluice, streaming(sluice, version) as (reader, up):
        for percent in (0, 100, 50, 0):
            sluice.ctl("weight", "api", percent)
            up.send(chunk("data: x\n\n"))
            assert reader.read(9) == b"data: x\n\n"
        sluice.reload(timeouts={"client_header": "9s"})
        up.send(chunk("data: y\n\n"))
        assert reader.read(9) == b"data: y\n\n"


@both
def test_drain_ends_it_well_and_the_client_comes_back_to_legacy(certs, version):
    with shifting(certs, 100, on_revert="drain") as sluice, \
            streaming(sluice, version) as (reader, up):
        counts = Counts(sluice)
        up.send(chunk("data: x\n\n"))
        assert reader.read(9) == b"data: x\n\n"
        sluice.ctl("cutback", "api")

        assert reader.ends_well()
        assert up.read_rest() == b""
        assert counts.rise(side("attempt_errors_total")) == 0
        with Reader(sluice, version) as again:
            back = sluice.legacy.next()
            back.read_head()
            back.send(HEAD)
            assert again.head().status == 200


@both
def test_stay_keeps_it(certs, version):
    with shifting(certs, 100, on_revert="stay") as sluice, \
            streaming(sluice, version) as (reader, up):
        sluice.ctl("cutback", "api")
        for _ in range(5):
            up.send(chunk("data: x\n\n"))
            assert reader.read(9) == b"data: x\n\n"


@both
def test_cut_ends_it_at_once(certs, version):
    with shifting(certs, 100, on_revert="cut") as sluice, \
            streaming(sluice, version) as (reader, up):
        sluice.ctl("cutback", "api")
        assert up.read_rest() == b""
        reader.ends_well()


@both
def test_an_ordinary_body_is_not_drained(certs, version):
    """on_revert is about what has no end of its own."""
    with shifting(certs, 100, on_revert="drain") as sluice, \
            Reader(sluice, version, "/download") as reader:
        up = sluice.new.next()
        up.read_head()
        up.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                "Transfer-Encoding: chunked\r\n\r\n")
        reader.head()
        sluice.ctl("cutback", "api")
        for _ in range(5):
            up.send(chunk("{\"x\": 1}\n"))
            assert json.loads(reader.read(9)) == {"x": 1}
        up.send("0\r\n\r\n")
        assert reader.ends_well()


@both
def test_the_end_of_sluice_ends_it_well(certs, version):
    with shifting(certs, 100) as sluice, streaming(sluice, version) as (reader, up):
        up.send(chunk("data: x\n\n"))
        reader.read(9)
        sluice.signal(signal.SIGTERM)

        assert reader.ends_well()
        wait_for(lambda: not sluice.is_alive(), 10, "sluice has ended")


# --- refused, and told to come again --------------------------------------------------------------


def refused(certs, version, accept, **api):
    """What a GET meets where no server is."""
    nobody = {"servers": [{"address": "127.0.0.1:1"}], "health": None}
    with h2_scene.running(certs, {"legacy": nobody, "new": nobody},
                          {"api": migration(0, **api)}) as sluice:
        counts = Counts(sluice)
        with (h2_scene.client(sluice) if version == "h2" else sluice.client()) as client:
            answer = client.request("/events", headers=[("accept", accept)])
        counts.wait(side("user_errors_total", "legacy"), 1)
        return answer


@both
def test_a_refused_event_stream_is_told_when_to_come_again(certs, version):
    answer = refused(certs, version, "text/event-stream")

    assert answer.status == 200
    assert dict(answer.headers)["content-type" if version == "h2" else "Content-Type"] == \
        "text/event-stream"
    assert re.fullmatch(rb"retry: (1[5-9]|2\d)\d\d\n\n", answer.body)


def test_whoever_asks_for_something_else_is_refused(certs):
    assert refused(certs, "h1", "text/html").status == 502


def test_an_event_stream_may_be_refused_by_a_setting(certs):
    assert refused(certs, "h1", "text/event-stream", event_retry=False).status == 502

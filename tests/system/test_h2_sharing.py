"""What shares a connection of HTTP/2 to a server, and how many do at once."""

import struct

import h2_frames as f
import h2_scene
import settings
from h2_origin import H2Origin
from scripted import Counts, Origin, side
from waiting import wait_for

UNCHECKED = {"health": None, "eject": {"failures": 1000}}


def pool(*origins, **more):
    return settings.pool(origins, **{"protocol": "h2", **UNCHECKED, **more})


class ByHand:
    """A server of HTTP/2 that says nothing which the test does not tell it to."""

    def __init__(self, up):
        self.up = up
        assert up.read(len(f.PREFACE)) == f.PREFACE

    def next(self):
        head = self.up.read(9)
        return f.Frame(head[3], head[4], struct.unpack(">I", head[5:])[0],
                       self.up.read(int.from_bytes(head[:3], "big")))

    def next_request(self):
        """Its stream."""
        while (frame := self.next()).kind != f.HEADERS:
            pass
        return frame.stream

    def answer(self, stream):
        self.up.send(f.headers(stream, [(":status", "200")]))


def test_before_its_settings_a_server_gets_one_request(certs):
    origin = Origin()
    with h2_scene.running(certs, {"legacy": pool(origin)}) as sluice, \
            h2_scene.client(sluice) as client:
        streams = [client.get("/") for _ in range(5)]
        server = ByHand(origin.accept())
        first = server.next_request()
        wait_for(lambda: sluice.metrics()["sluice_requests_open"] == 5, 5, "all five have come")
        assert origin.is_uncalled(), "one connection will do for so few"

        server.up.send(f.settings((f.MAX_CONCURRENT_STREAMS, 100)))
        others = [server.next_request() for _ in range(4)]

        assert len({first, *others}) == 5
        for one in (first, *others):
            server.answer(one)
        assert [stream.response().status for stream in streams] == [200] * 5
    origin.stop()


def test_one_connection_has_at_most_1024_requests(certs):
    origin = H2Origin("legacy", streams=10_000)
    with h2_scene.running(certs, {"legacy": pool(origin)}, limits={"streams": 1_000}) as sluice:
        assert h2_scene.get(sluice).status == 200, "now it is known what the server takes"
        load = h2_scene.H2load(sluice, path="/delay/1000", connections=2, streams=700,
                               requests=1_400)
        assert load.wait() == (1_400, 0)

        assert 512 < origin.most_streams <= 1_024
    origin.stop()


def refusing(server, n):
    """n requests are refused, whose servers say that they have not looked at them."""
    for _ in range(n):
        server.up.send(f.rst_stream(server.next_request(), f.REFUSED_STREAM))


def test_what_a_server_has_not_looked_at_is_asked_again_and_was_no_attempt(certs):
    origin = Origin()
    once = pool(origin, retry={"attempts": 1})
    with h2_scene.running(certs, {"legacy": pool(origin), "new": once},
                          {"api": settings.migration(100)}) as sluice, \
            h2_scene.client(sluice) as client:
        counts = Counts(sluice)
        stream = client.get("/")
        server = ByHand(origin.accept())
        server.up.send(f.settings((f.MAX_CONCURRENT_STREAMS, 100)))
        refusing(server, 3)

        server.answer(server.next_request())

        assert stream.response().status == 200
        metrics = sluice.metrics()
        assert metrics["sluice_unprocessed_total"] == 3
        counts.wait(side("attempts_total"), 1)
        assert counts.rise(side("attempt_errors_total")) == 0
        assert metrics["sluice_retries_total"] == 0
    origin.stop()


def test_a_server_that_refuses_without_end_is_asked_for_a_bounded_time(certs):
    origin = Origin()
    with h2_scene.running(certs, {"legacy": pool(origin, retry={"attempts": 1})},
                          timeouts={"connect": "5s"}) as sluice, \
            h2_scene.client(sluice) as client:
        stream = client.get("/")
        server = ByHand(origin.accept())
        server.up.send(f.settings((f.MAX_CONCURRENT_STREAMS, 100)))
        refusing(server, 65)

        assert stream.response().status == 502
    origin.stop()

"""Clients of HTTP/2 live through reloads, weights, drains and the end of sluice: what they
asked is answered, and what they ask too late they are told to ask elsewhere."""

import contextlib
import signal
import time

import h2.exceptions

import h2_frames as f
import h2_scene
import settings
from h2_client import Client, Reset
from origin import Origins, pattern
from waiting import PATIENCE, wait_for


@contextlib.contextmanager
def shifting(certs, percent=0, workers=2, **more):
    servers = Origins(legacy=2, new=2)
    pools = {name: settings.pool(servers[name]) for name in ("legacy", "new")}
    with h2_scene.running(certs, pools, {"api": settings.migration(percent)}, workers=workers,
                          **more) as sluice:
        sluice.origins = servers
        yield sluice
    servers.stop()


def test_reloads_under_load_fail_nothing(certs):
    with shifting(certs, 10) as sluice:
        load = h2_scene.H2load(sluice, connections=4, streams=16, requests=8_000)
        for turn in range(10):
            percent = 50 if turn % 2 == 0 else 10
            sluice.reload(timeouts={"client_idle": f"{60 + turn}s"}, migrations={
                "api": {"weights": {"legacy": 100 - percent, "new": percent}}})
        assert load.wait() == (8_000, 0)


def test_weights_under_load_break_nothing(certs):
    with shifting(certs) as sluice, h2_scene.client(sluice, timeout=30) as client:
        load = h2_scene.H2load(sluice, connections=4, streams=16, requests=8_000)
        downloads = []
        for percent in (0, 100, 50, 100, 0):
            sluice.ctl("weight", "api", percent)
            downloads += [client.get("/bytes/300000") for _ in range(3)]
            downloads.append(client.get("/delay/500"))
        for stream in downloads:
            response = stream.response()
            assert response.status == 200
            assert response.body_bytes < 1000 or bytes(stream.body) == pattern(300_000)
        assert load.wait() == (8_000, 0)
        assert {s.result.server for s in downloads} == {"legacy", "new"}


def test_the_split_is_exact_under_load(certs):
    with shifting(certs, 10) as sluice:
        load = h2_scene.H2load(sluice, connections=3, streams=20, requests=5_000)
        assert load.wait() == (5_000, 0)
        assert abs(sluice.origins.total("requests", "new") - 500) <= 2


def test_a_cutback_is_for_the_next_stream(certs):
    with shifting(certs, 100) as sluice, h2_scene.client(sluice) as client:
        slow = client.get("/delay/500")
        sluice.origins.wait_requests(1, "new")
        sluice.ctl("cutback", "api")

        assert client.request("/").server == "legacy"
        assert slow.response().server == "new"


def test_the_end_of_sluice(certs):
    """GOAWAY twice (RFC 9113, 6.8): first for no stream, so that what is on its way is still
    taken, then with the last one; all is answered, and the connection closed."""
    with shifting(certs) as sluice, h2_scene.client(sluice) as client:
        running = [client.get("/delay/700"), client.get("/bytes/3000000")]
        idle = h2_scene.client(sluice)
        idle.request("/")
        sluice.origins.wait_requests(2)
        sluice.signal(signal.SIGTERM)

        client.wait(lambda: client.goaway, "GOAWAY")
        assert client.goaway[0] == f.NO_ERROR
        assert client.goaway[1] >= running[-1].id
        assert all(stream.response().status == 200 for stream in running)
        client.wait_closed()
        idle.wait_closed()
        assert idle.goaway[0] == f.NO_ERROR
        wait_for(lambda: not sluice.is_alive(), 5, "sluice has ended")
        assert sluice.process.returncode == 0


def test_no_request_is_lost_to_goaway(certs):
    """What was sent before GOAWAY came is answered, or named by GOAWAY as not taken."""
    with shifting(certs) as sluice:
        clients = [h2_scene.client(sluice) for _ in range(4)]
        lost = []
        deadline = time.monotonic() + 10 * PATIENCE
        sluice.signal(signal.SIGTERM)
        asked = {client: [] for client in clients}
        while not all(c.is_closed for c in clients) and time.monotonic() < deadline:
            for client in clients:
                with contextlib.suppress(h2.exceptions.ProtocolError):
                    if not client.is_closed and client.goaway is None:
                        asked[client].append(client.get("/"))
                client.turn(0.01)
        for client, streams in asked.items():
            last = client.goaway[1] if client.goaway else 0
            lost += [s.id for s in streams if not s.ended and s.id <= last]
            client.close()
        assert lost == []
        assert sum(map(len, asked.values())) > 0


def test_a_listener_that_is_taken_away(certs):
    with shifting(certs) as sluice, Client(sluice.plain.address) as client:
        slow = client.get("/delay/500")
        sluice.origins.wait_requests(1)
        sluice.reload(listeners=[sluice.config["listeners"][0]])

        client.wait(lambda: client.goaway, "GOAWAY")
        assert client.goaway[0] == f.NO_ERROR
        assert slow.response().status == 200
        client.wait_closed()


def test_an_idle_connection_is_told(certs):
    with shifting(certs, timeouts={"client_idle": "300ms"}) as sluice, \
            h2_scene.client(sluice) as client:
        assert client.request("/delay/600").status == 200, "a stream that runs is not idle"
        client.wait_closed()
        assert client.goaway[0] == f.NO_ERROR


def test_a_body_that_does_not_come_is_one_streams_trouble(certs):
    with shifting(certs, timeouts={"client_body": "300ms"}) as sluice, \
            h2_scene.client(sluice) as client:
        stream = client.open("/upload", "POST")
        stream.send(b"x")
        other = client.get("/delay/600")
        with contextlib.suppress(Reset):
            assert stream.response().status == 408
        assert other.response().status == 200
        assert client.goaway is None

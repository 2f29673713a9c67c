"""A pool of HTTP/2 servers serves every client as one of HTTP/1.1 would: few connections carry
many requests, and what a server has not begun is asked of another."""

import contextlib
import json
import threading
import time

import pytest

import h2_scene
import settings
from h2_client import Reset
from h2_origin import H2Origin, server_context
from http1 import Closed
from origin import Origins, pattern
from scripted import Counts, Origin, outcome, reset, side
from scripted import pool as pool_of
from settings import migration
from waiting import holds_for, wait_for

UNCHECKED = {"health": None, "eject": {"failures": 1000}}


def pool(*origins, **more):
    return settings.pool(origins, **{"protocol": "h2", **UNCHECKED, **more})


def verified(certs):
    return {"tls": {"ca_file": str(certs / "ca.pem"), "server_name": "localhost"}}


@pytest.fixture(scope="module", params=["prior knowledge", "TLS"])
def scene(certs, request):
    tls = request.param == "TLS"
    origin = H2Origin("legacy", server_context(certs) if tls else None)
    servers = pool(origin, **(verified(certs) if tls else {}))
    with h2_scene.running(certs, {"legacy": servers}) as sluice:
        sluice.origin, sluice.scheme = origin, "https" if tls else "http"
        yield sluice
        assert origin.troubles == [], "sluice broke RFC 9113"
    origin.stop()


@contextlib.contextmanager
def behind(certs, *origins, **more):
    """A pool of these HTTP/2 servers, one data thread."""
    options = more.pop("pool", {})
    with h2_scene.running(certs, {"legacy": pool(*origins, **options)}, **more) as sluice:
        yield sluice
    for origin in origins:
        origin.stop()
        assert origin.troubles == []


class Asker:
    """A client of either version, with one face."""

    def __init__(self, sluice, version):
        self.client = h2_scene.client(sluice) if version == "h2" else sluice.client(tls=False)

    def __enter__(self):
        return self.client

    def __exit__(self, *_):
        self.client.close()


VERSIONS = ["h1", "h2"]
both = pytest.mark.parametrize("version", VERSIONS)


# --- messages -------------------------------------------------------------------------------------

def test_what_the_origin_sees_of_http1(scene):
    with scene.client(tls=False) as client:
        client.send("GET /seen?x=%41 HTTP/1.1\r\nHost: localhost\r\nX-Odd: a  b\r\nCookie: a=1\r\n"
                    "Connection: X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\nKeep-Alive: 1\r\n\r\n")
        seen = json.loads(client.read_response().body)

    names = [name for name, _ in seen]
    seen = dict(seen)
    assert [n for n in names if n.startswith(":")] == names[:4], "pseudo fields come first"
    assert (seen[":method"], seen[":path"]) == ("GET", "/seen?x=%41")
    assert (seen[":scheme"], seen[":authority"]) == (scene.scheme, "localhost")
    assert (seen["x-odd"], seen["cookie"], seen["te"]) == ("a  b", "a=1", "trailers")
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert not {"host", "connection", "keep-alive", "x-mine", "transfer-encoding",
                "upgrade"} & set(names)


def test_what_the_origin_sees_of_http2(scene):
    with h2_scene.client(scene) as client:
        seen = json.loads(client.request("/seen", headers=[
            ("cookie", "a=1"), ("cookie", "b=2"), ("x-odd", "a  b")]).body)

    assert [v for k, v in seen if k == ":authority"] == ["localhost"]
    assert "; ".join(v for k, v in seen if k == "cookie") == "a=1; b=2"
    assert dict(seen)["x-forwarded-proto"] == "https"


@both
def test_methods_and_statuses(scene, version):
    with Asker(scene, version) as client:
        for method in ("GET", "HEAD", "DELETE", "OPTIONS"):
            response = client.request("/", method)
            assert (response.status, response.body) == (200, b"" if method == "HEAD"
                                                        else b"legacy\n")
            assert response.get("content-length") == "7"
        for status in (201, 204, 304, 404, 418):
            assert client.request(f"/status/{status}").status == status


@both
def test_bodies(scene, version):
    with Asker(scene, version) as client:
        for size in (0, 1, 16_384, 65_535, 65_536, 3_000_000):
            assert client.request(f"/bytes/{size}").body == pattern(size)
            assert client.request("/upload", "POST", body=bytes(size)).body == b"%d\n" % size


def test_a_body_goes_through_while_it_comes(scene):
    with h2_scene.client(scene) as client:
        stream = client.open("/echo", "POST")
        for turn in range(5):
            stream.send(b"%d" % turn * 1000)
            assert stream.bytes(1000) == b"%d" % turn * 1000
        stream.end()
        assert stream.response().status == 200


def test_a_chunked_body_of_http1(scene):
    with scene.client(tls=False) as client:
        client.send("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n")
        assert client.read_response().body == b"10\n"


def test_trailers_of_a_request(scene):
    with scene.client(tls=False) as client:
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: X-Sum\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n")
        response = client.read_response()
        assert (response.body, response.trailers) == (b"hello", [("x-sum", "5")])
    with h2_scene.client(scene) as client:
        response = client.request("/echo", "POST", [("te", "trailers")], body=b"hello",
                                  trailers=[("x-sum", "5")])
        assert (response.body, response.trailers) == (b"hello", [("x-sum", "5")])


@both
def test_trailers_of_a_response(scene, version):
    with Asker(scene, version) as client:
        response = client.request("/trailers", headers=[("te", "trailers")] * (version == "h2"))
        assert (response.body, response.trailers) == (b"body", [("x-sum", "4")])


@both
def test_early_hints(scene, version):
    with Asker(scene, version) as client:
        response = client.request("/early")
        assert [i.status for i in response.interim] == [103]
        assert response.interim[0].get("link") == "</style.css>; rel=preload"
        assert response.status == 200


# --- connections ----------------------------------------------------------------------------------

def at_once(sluice, n, path="/delay/200"):
    """n requests at the same time; their statuses."""
    with h2_scene.client(sluice) as client:
        streams = [client.get(path) for _ in range(n)]
        return [stream.response().status for stream in streams]


def test_one_connection_carries_many_requests(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin) as sluice:
        assert h2_scene.get(sluice).status == 200
        assert at_once(sluice, 90) == [200] * 90
        assert at_once(sluice, 90) == [200] * 90

        assert origin.most_streams >= 60
        assert origin.accepted <= 2, "one, or a second that began when the first was not ready"


@pytest.mark.parametrize("limit", [1, 4])
def test_the_servers_limit_of_streams_is_kept(certs, limit):
    origin = H2Origin("legacy", streams=limit)
    with behind(certs, origin) as sluice:
        assert at_once(sluice, 20, "/delay/50") == [200] * 20
        assert origin.most_streams <= limit
        assert not any(exchange.is_reset for exchange in origin.requests)


def test_two_threads_have_a_connection_each(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin, workers=2) as sluice:
        load = h2_scene.H2load(sluice, connections=8, streams=8, requests=2_000)
        assert load.wait() == (2_000, 0)
        assert origin.accepted <= 4


def test_an_idle_connection_is_closed(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin, timeouts={"upstream_idle": "300ms"}) as sluice:
        assert h2_scene.get(sluice).status == 200
        wait_for(lambda: not origin.connections, 5, "the connection is closed")
        assert h2_scene.get(sluice).status == 200
        assert origin.accepted == 2


def test_pings_of_the_server_are_answered(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin) as sluice:
        h2_scene.get(sluice)
        [connection] = origin.connections
        for _ in range(20):
            connection.do(lambda: connection.h2.ping(b"question"))
        assert h2_scene.get(sluice).status == 200
        assert origin.accepted == 1


# --- what goes wrong ------------------------------------------------------------------------------

def test_goaway_lets_what_runs_finish(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin) as sluice, h2_scene.client(sluice) as client:
        running = [client.get("/delay/400") for _ in range(10)]
        origin.wait_requests(10)
        origin.goaway()
        later = [client.get("/") for _ in range(10)]

        assert all(s.response().status == 200 for s in running + later)
        assert origin.accepted == 2
        wait_for(lambda: len(origin.connections) == 1, 5, "the old one is closed")


def test_goaways_under_load_fail_nothing(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin, workers=2) as sluice:
        load = h2_scene.H2load(sluice, connections=4, streams=8, requests=3_000)
        while load.is_running():
            origin.goaway()
            time.sleep(0.05)
        assert load.wait() == (3_000, 0)
        assert origin.accepted > 2


@pytest.mark.parametrize("method, body", [("GET", None), ("POST", b"small"), ("PUT", bytes(5000))],
                         ids=["GET", "POST", "PUT"])
def test_a_refused_stream_is_asked_again(certs, method, body):
    """The server says that it did nothing with it: that is as good as not sent (S25)."""
    a, b = H2Origin("legacy"), H2Origin("legacy")
    with behind(certs, a, b) as sluice, h2_scene.client(sluice) as client:
        counts = Counts(sluice)
        a.refuse(1)
        b.refuse(1)
        answers = [client.request("/upload", method, body=body) for _ in range(6)]

        assert [r.status for r in answers] == [200] * 6, "though both had refused one"
        assert counts.rise("sluice_unprocessed_total") >= 1


def test_a_refused_stream_of_one_of_two_servers_is_no_error_of_the_client(certs):
    a, b = H2Origin("legacy"), H2Origin("legacy")
    with behind(certs, a, b) as sluice:
        a.refuse(5)
        assert at_once(sluice, 40, "/delay/10") == [200] * 40


def test_a_reset_stream_is_asked_again_where_that_is_safe(certs):
    a, b = H2Origin("legacy"), H2Origin("legacy")
    a._begin_once = lambda exchange, rest: a._reset(exchange, 2)
    with behind(certs, a, b) as sluice, h2_scene.client(sluice) as client:
        for _ in range(4):
            assert client.request("/once").status == 200
        statuses = {client.request("/once", "POST", body=b"x").status for _ in range(4)}
        assert statuses == {200, 502}


def test_a_reset_stream_does_not_touch_its_neighbours(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin, pool={"retry": {"attempts": 1}}) as sluice, \
            h2_scene.client(sluice) as client:
        slow = [client.get("/delay/300") for _ in range(5)]
        assert client.request("/reset").status == 502
        assert all(s.response().status == 200 for s in slow)
        assert origin.accepted == 1


@both
def test_a_connection_that_ends_in_a_body(certs, version):
    origin = H2Origin("legacy")
    with behind(certs, origin) as sluice, Asker(sluice, version) as client:
        with pytest.raises((Reset, Closed, ConnectionResetError)):
            client.request("/cut")
    with behind(certs, H2Origin("legacy")) as sluice:
        assert h2_scene.get(sluice).status == 200


def test_a_killed_server_is_replaced_by_another(certs):
    a, b = H2Origin("legacy"), H2Origin("legacy")
    with behind(certs, a, b, pool={"eject": {"failures": 3, "max_share": 50.0}}) as sluice:
        load = h2_scene.H2load(sluice, connections=4, streams=8, requests=3_000)
        a.wait_requests(200)
        a.down()
        assert load.wait() == (3_000, 0)
        assert len(b.requests) > 1_000


def test_a_server_that_hangs_is_given_up_alone(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin, timeouts={"response_head": "300ms"},
                pool={"retry": {"attempts": 1}}) as sluice, h2_scene.client(sluice) as client:
        hanging = client.get("/hang")
        [exchange] = origin.wait_requests(1)
        assert client.request("/").status == 200
        assert hanging.response().status == 504
        wait_for(lambda: exchange.is_reset, 5, "its stream is reset")
        assert client.request("/").status == 200
        assert origin.accepted == 1


def test_a_client_that_leaves_costs_one_stream(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin) as sluice:
        with h2_scene.client(sluice) as client:
            client.get("/hang")
            [exchange] = origin.wait_requests(1)
        wait_for(lambda: exchange.is_reset, 5, "its stream is reset")
        with sluice.client(tls=False) as client:
            client.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
            exchange = origin.wait_requests(2)[1]
            reset(client)
        wait_for(lambda: exchange.is_reset, 5, "its stream is reset")
        assert h2_scene.get(sluice).status == 200
        assert origin.accepted == 1


@contextlib.contextmanager
def speaking_http1(**options):
    """A server that answers anything with HTTP/1.1, at once."""
    origin, stop = Origin(**options), threading.Event()

    def talk():
        while not stop.is_set():
            with contextlib.suppress(OSError, ValueError):
                up = origin.accept()
                up.fill()
                up.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
                        "Connection: close\r\n\r\n")
                up.close()

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    yield origin
    stop.set()
    origin.stop()


def test_a_server_that_speaks_no_h2(certs):
    """Over TLS it chooses no protocol, in plain it answers in HTTP/1.1."""
    for tls in (server_context(certs, alpn=()), None):
        with speaking_http1(tls=tls) as h1, h2_scene.running(certs, {"legacy": pool(
                h1, retry={"attempts": 1}, **(verified(certs) if tls else {}))}) as sluice:
            assert h2_scene.get(sluice).status == 502


def test_a_server_that_speaks_no_h2_is_told_apart_from_sluice_s_own_limits(certs):
    """Its answer may come before the request has left; then another connection is tried."""
    with speaking_http1() as h1, h2_scene.running(
            certs, {"legacy": pool(h1, eject={"failures": 1000})}) as sluice:
        with h2_scene.client(sluice) as client:
            assert {client.request("/").status for _ in range(100)} == {502}


def test_a_server_that_breaks_the_rules(certs):
    origin = H2Origin("legacy")
    origin._end_bad = lambda exchange: exchange.connection.socket.sendall(
        b"\0\0\4\0\1\0\0\0\0" + b"evil")  # DATA on stream 0
    with behind(certs, origin, pool={"retry": {"attempts": 1}}) as sluice:
        assert h2_scene.get(sluice, "/bad").status == 502
        assert h2_scene.get(sluice, "/").status == 200


# --- health ---------------------------------------------------------------------------------------

CHECKED = {"health": {"path": "/api/health", "interval": "100ms", "timeout": "1s", "rise": 2,
                      "fall": 2}}


@pytest.mark.parametrize("tls", [False, True])
def test_health_is_asked_over_h2(certs, tls):
    a, b = (H2Origin("legacy", server_context(certs) if tls else None) for _ in range(2))
    with behind(certs, a, b, pool={**CHECKED, **(verified(certs) if tls else {})}) as sluice:
        wait_for(lambda: a.checks > 3 and b.checks > 3, 5, "both are asked")
        up = 'sluice_server_up{{pool="legacy",server="{}"}}'.format(a.address)
        assert sluice.metrics()[up] == 1

        a.health = 503
        wait_for(lambda: sluice.metrics()[up] == 0, 5, "a is down")
        before = len(a.requests)
        assert at_once(sluice, 20, "/") == [200] * 20
        assert len(a.requests) == before
        a.health = 200
        wait_for(lambda: sluice.metrics()[up] == 1, 5, "a is up")


def test_checks_do_not_pile_up_connections(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin, pool=CHECKED):
        wait_for(lambda: origin.checks > 15, 10, "some checks")
        holds_for(lambda: len(origin.connections) <= 3, 0.3)


# --- migrations -----------------------------------------------------------------------------------

@contextlib.contextmanager
def migrating(certs, new_percent, new=None, **api):
    """From a legacy of HTTP/1.1 to a new one of HTTP/2."""
    servers, new = Origins(legacy=2), new or H2Origin("new")
    with h2_scene.running(certs, {"legacy": pool_of(*servers["legacy"]), "new": pool(new)},
                          {"api": migration(new_percent, **api)}) as sluice:
        sluice.new, sluice.origins = new, servers
        yield sluice
    new.stop()
    servers.stop()
    assert new.troubles == []


@both
def test_the_split_is_exact(certs, version):
    with migrating(certs, 25) as sluice, Asker(sluice, version) as client:
        answers = [client.request("/").server for _ in range(400)]

        assert abs(answers.count("new") - 100) <= 1
        assert answers.count("legacy") == 400 - answers.count("new")


def test_the_unit_of_the_split_is_the_stream(certs):
    with migrating(certs, 50) as sluice, h2_scene.client(sluice) as client:
        streams = [client.get("/") for _ in range(90)]
        answers = [s.response().server for s in streams]

        assert 44 <= answers.count("new") <= 46


@both
def test_rescue_from_h2_to_h1(certs, version):
    with migrating(certs, 100) as sluice, Asker(sluice, version) as client:
        counts = Counts(sluice)
        for path in ("/status/503", "/reset", "/refused"):
            response = client.request(path)
            assert response.server == "legacy", path
        # The origin of HTTP/1.1 takes any path, and answers 200 or 404 to what it does not know.
        assert counts.rise(side("rescued_total")) >= 2
        assert counts.rise(outcome("status")) == 1


def test_rescue_of_a_body(certs):
    with migrating(certs, 100, rescue={"max_body": "64k"}) as sluice, \
            h2_scene.client(sluice) as client:
        response = client.request("/reset", "PUT", [("idempotency-key", "1")], body=bytes(20_000))
        assert response.server == "legacy"


def test_new_is_gone_and_legacy_answers(certs):
    with migrating(certs, 50) as sluice, h2_scene.client(sluice) as client:
        assert {client.request("/").server for _ in range(10)} == {"legacy", "new"}
        sluice.new.down()
        answers = [client.request("/") for _ in range(16)]  # within the budget of rescues

        assert {r.status for r in answers} == {200}, [r for r in answers if r.status != 200]
        assert {r.server for r in answers[2:]} == {"legacy"}


def test_errors_of_an_h2_pool_revert(certs):
    with migrating(certs, 50, guard={"error_rate": 5.0}) as sluice, \
            h2_scene.client(sluice, timeout=20) as client:
        def ask():
            for _ in range(20):
                client.request("/status/500")
            return sluice.phase() == "reverted"

        wait_for(ask, 15, "the guard reverts")
        assert client.request("/").server == "legacy"

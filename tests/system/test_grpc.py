"""gRPC passes end to end: every kind of call, its deadline and its status, which decides for
the guard what HTTP calls a success."""

import contextlib
import threading
import time

import grpc
import pytest

import h2_frames as f
import h2_scene
import settings
from grpc_peers import NOT_SERVING, SERVING, Client, Code, Server, server_of
from h2_origin import H2Origin
from scripted import Counts, Deaf, outcome, side
from settings import migration
from waiting import PATIENCE, holds_for, wait_for

UNCHECKED = {"health": None, "eject": {"failures": 1000}}


def pool(*servers, **more):
    return settings.pool(servers, **{"protocol": "h2", **UNCHECKED, **more})


@contextlib.contextmanager
def migrating(certs, new_percent=0, api=None, pools=None, **more):
    servers = {name: Server(name) for name in ("legacy", "new")}
    built = {name: pool(server, **(pools or {})) for name, server in servers.items()}
    with h2_scene.running(certs, built, {"api": migration(new_percent, **(api or {}))},
                          **more) as sluice:
        sluice.legacy, sluice.new = servers["legacy"], servers["new"]
        yield sluice
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="module")
def scene(certs):
    with migrating(certs) as sluice:
        yield sluice


def client(sluice, tls=True):
    return Client(sluice.web.address, sluice.ca) if tls else Client(sluice.plain.address)


# --- calls ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("tls", [True, False])
def test_every_kind_of_call(scene, tls):
    with client(scene, tls) as one:
        response, call = one.call(request=b"\0\xff" * 100)
        assert (response, call.code()) == (b"\0\xff" * 100, Code.OK)
        assert one.sum(range(1_000)) == b"499500"
        assert [int(n) for n in one.count(1_000)] == list(range(1_000))
        talk = one.talk()
        assert [talk.ask(b"%d" % n) for n in range(100)] == [b"%d" % n for n in range(100)]
        assert talk.end() == ([], Code.OK)


def test_streams_of_many_small_messages(scene):
    """gRPC answers each of them with a window update or two: that is no flood."""
    with client(scene) as one:
        assert one.sum(range(5_000)) == b"12497500"
        assert sum(1 for _ in one.count(20_000)) == 20_000
        talk = one.talk()
        assert all(talk.ask(b"%d" % n) == b"%d" % n for n in range(2_000))
        assert talk.end() == ([], Code.OK)


def test_metadata_and_trailers_pass(scene):
    with client(scene) as one:
        _, call = one.call(metadata=[("x-mine", "1"), ("mine-bin", b"\0\1")])
        assert dict(call.initial_metadata())["x-server"] == "legacy"
        assert dict(call.trailing_metadata())["odd-bin"] == b"\0\xff"


@pytest.mark.parametrize("size", [0, 16_000, 1_000_000, 3_900_000])
def test_messages_of_any_size(scene, size):
    with client(scene) as one:
        assert one.call(request=bytes(size))[0] == bytes(size)


def test_many_calls_at_once(scene):
    with client(scene) as one:
        calls = [one.channel.unary_unary("/test/Echo").future(b"%d" % n) for n in range(300)]
        assert [call.result() for call in calls] == [b"%d" % n for n in range(300)]
        talks = [one.talk() for _ in range(40)]
        for turn in range(5):
            for n, talk in enumerate(talks):
                assert talk.ask(b"%d %d" % (n, turn)) == b"%d %d" % (n, turn)
        assert all(talk.end() == ([], Code.OK) for talk in talks)


@pytest.mark.parametrize("code", [c for c in Code if c is not Code.OK])
def test_statuses_pass(scene, code):
    scene.legacy.status = code
    try:
        with client(scene) as one:
            assert one.status() == (code, "as told: 100 % \u00e4")
    finally:
        scene.legacy.status = Code.OK


def test_a_cancelled_call_is_cancelled_at_the_server(scene):
    scene.legacy.cancelled.clear()
    with client(scene) as one:
        before = scene.legacy.calls
        call = one.channel.unary_unary("/test/Hang").future(b"")
        wait_for(lambda: scene.legacy.calls > before, 5, "it is there")
        call.cancel()
        assert scene.legacy.cancelled.wait(5 * PATIENCE)


def test_a_stream_lives_longer_than_any_timeout_of_requests(certs):
    with migrating(certs, timeouts={"client_idle": "300ms", "response_head": "300ms",
                                    "client_body": "300ms", "stall": "100ms",
                                    "upstream_idle": "300ms"}) as sluice, \
            client(sluice) as one:
        talk = one.talk()
        assert talk.ask(b"first") == b"first"
        quiet = time.monotonic() + 1
        wait_for(lambda: time.monotonic() > quiet, 5)
        assert talk.ask(b"later") == b"later"
        assert talk.end() == ([], Code.OK)


# --- deadlines and errors of sluice's own ------------------------------------------------------------

HEAD = [("content-type", "application/grpc"), ("te", "trailers")]


def ask(sluice, *more, path="/test/Echo", name="localhost"):
    """A call by hand, to see what sluice answers before any library makes its own of it."""
    with h2_scene.client(sluice, name="localhost") as one:
        one.name = name
        stream = one.open(path, "POST", [*HEAD, *more])
        stream.send(b"\0\0\0\0\5hello", end=True)
        return stream.response()


def status_of(response):
    assert response.status == 200
    assert response.get("content-type").startswith("application/grpc")
    found = dict(response.headers + response.trailers)
    return int(found["grpc-status"])


def test_the_deadline_is_kept_by_sluice_too(certs):
    origin = H2Origin("legacy")
    with h2_scene.running(certs, {"legacy": pool(origin)}) as sluice:
        start = time.monotonic()
        response = ask(sluice, ("grpc-timeout", "300m"), path="/hang")

        assert status_of(response) == Code.DEADLINE_EXCEEDED.value[0]
        assert 0.25 < time.monotonic() - start < 2 * PATIENCE
        [exchange] = origin.requests
        assert exchange.header("grpc-timeout") is not None
        wait_for(lambda: exchange.is_reset, 5, "the server hears of it")
    origin.stop()


def test_the_server_sees_the_deadline(scene):
    with client(scene) as one:
        one.call(timeout=7)
        assert 4 < scene.legacy.left[-1] <= 7


def test_a_deadline_is_an_error_of_the_pool(certs):
    new = H2Origin("new")
    with h2_scene.running(certs, {"legacy": pool(H2Origin("legacy")), "new": pool(new)},
                          {"api": migration(100)}) as sluice:
        counts = Counts(sluice)
        ask(sluice, ("grpc-timeout", "200m"), path="/hang")
        counts.wait(side("attempt_errors_total"), 1)
    new.stop()


def test_a_call_without_any_time_is_late_and_no_error_of_the_pool(certs):
    new = H2Origin("new")
    with h2_scene.running(certs, {"legacy": pool(H2Origin("legacy")), "new": pool(new)},
                          {"api": migration(100)}) as sluice:
        counts = Counts(sluice)
        answer = ask(sluice, ("grpc-timeout", "0S"))
        assert status_of(answer) == Code.DEADLINE_EXCEEDED.value[0]
        assert counts.rise(side("attempt_errors_total")) == 0
        assert not new.requests
    new.stop()


def test_no_route_is_unimplemented(certs):
    server = Server("legacy")
    with h2_scene.running(certs, {"legacy": pool(server)}, routes=[
            {"host": "b", "path": "/", "pool": "legacy"}]) as sluice:
        assert status_of(ask(sluice)) == Code.UNIMPLEMENTED.value[0]
        with client(sluice) as one:
            assert one.status()[0] == Code.UNIMPLEMENTED
        with h2_scene.client(sluice) as plain:
            assert plain.request("/").status == 404, "who does not speak gRPC hears HTTP"
    server.stop()


def test_no_server_is_unavailable(certs):
    deaf = Deaf()
    with h2_scene.running(certs, {"legacy": pool(deaf)}) as sluice:
        response = ask(sluice)
        assert status_of(response) == Code.UNAVAILABLE.value[0]
        assert dict(response.headers + response.trailers)["grpc-message"]
        with client(sluice) as one:
            assert one.status()[0] == Code.UNAVAILABLE
    deaf.stop()


@pytest.mark.parametrize("path", ["/reset", "/hang"])
def test_what_a_server_breaks_is_unavailable(certs, path):
    origin = H2Origin("legacy")
    with h2_scene.running(certs, {"legacy": pool(origin, retry={"attempts": 1})},
                          timeouts={"response_head": "300ms"}) as sluice:
        assert status_of(ask(sluice, path=path)) in (
            Code.UNAVAILABLE.value[0], Code.DEADLINE_EXCEEDED.value[0])
    origin.stop()


def test_a_truncated_call_is_not_ok(certs):
    origin = H2Origin("legacy")
    with h2_scene.running(certs, {"legacy": pool(origin)}) as sluice, client(sluice) as one:
        with pytest.raises(grpc.RpcError) as error:
            one.channel.unary_unary("/cut")(b"hello", timeout=10)
        assert error.value.code() in (Code.UNAVAILABLE, Code.INTERNAL, Code.CANCELLED,
                                      Code.UNKNOWN)
    origin.stop()


# --- what the guard hears -----------------------------------------------------------------------------

BAD = {Code.UNKNOWN, Code.DEADLINE_EXCEEDED, Code.UNIMPLEMENTED, Code.INTERNAL, Code.UNAVAILABLE,
       Code.DATA_LOSS}


def test_which_statuses_are_errors(certs):
    with migrating(certs, 100) as sluice, client(sluice) as one:
        for code in Code:
            counts = Counts(sluice)
            sluice.new.status = code
            one.status()
            counts.wait(side("attempts_total"), 1)
            assert counts.rise(side("attempt_errors_total")) == (code in BAD), code
            assert counts.rise(outcome("grpc")) == (code in BAD), code


def test_the_migration_may_say_otherwise(certs):
    with migrating(certs, 100, api={"errors": {"grpc": [5]}}) as sluice, client(sluice) as one:
        for code, errors in ((Code.UNAVAILABLE, 0), (Code.NOT_FOUND, 1)):
            counts = Counts(sluice)
            sluice.new.status = code
            one.status()
            counts.wait(side("attempts_total"), 1)
            assert counts.rise(side("attempt_errors_total")) == errors, code


@contextlib.contextmanager
def calling(sluice, n=4):
    stop, seen = threading.Event(), []

    def run():
        with client(sluice) as one:
            while not stop.is_set():
                seen.append(one.status()[0])

    threads = [threading.Thread(target=run) for _ in range(n)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_failing_calls_revert(certs):
    with migrating(certs, 50, api={"guard": {"error_rate": 5.0}}) as sluice, calling(sluice):
        wait_for(lambda: sluice.new.calls > 50, 10, "calls to new")
        sluice.new.status = Code.UNAVAILABLE

        sluice.wait_phase("reverted", deadline=15)
        before = sluice.new.calls
        sluice.new.status = Code.OK
        holds_for(lambda: sluice.new.calls <= before + 4, 0.5)


def test_what_the_application_says_no_to_does_not_revert(certs):
    with migrating(certs, 50, api={"guard": {"error_rate": 5.0}}) as sluice, calling(sluice):
        sluice.new.status = Code.NOT_FOUND
        wait_for(lambda: sluice.new.calls > 300, 20, "calls to new")
        assert sluice.weight() == 50


# --- the shift ----------------------------------------------------------------------------------------

def test_the_split_is_by_call(certs):
    with migrating(certs, 25) as sluice, client(sluice) as one:
        servers = [server_of(one.call()[1]) for _ in range(200)]
        assert abs(servers.count("new") - 50) <= 1


def test_no_weight_breaks_a_stream(certs):
    with migrating(certs, 0, workers=2) as sluice, client(sluice) as one:
        talks = []
        for percent in (0, 100, 0):
            sluice.ctl("weight", "api", percent)
            talks += [one.talk() for _ in range(10)]
            assert all(talk.ask(b"hello") == b"hello" for talk in talks)
        assert {talk.server() for talk in talks[10:20]} == {"new"}
        assert {talk.server() for talk in talks[:10] + talks[20:]} == {"legacy"}

        sluice.reload(timeouts={"client_idle": "61s"})
        assert all(talk.ask(b"still") == b"still" for talk in talks)
        assert all(talk.end() == ([], Code.OK) for talk in talks)


def test_a_cutback_that_drains_moves_new_calls_and_ends_no_stream(certs):
    with migrating(certs, 100, api={"tunnels": {"on_revert": "drain"}}) as sluice, \
            client(sluice) as one:
        talk = one.talk()
        assert (talk.ask(b"hello"), talk.server()) == (b"hello", "new")
        sluice.ctl("cutback", "api")

        wait_for(lambda: server_of(one.call()[1]) == "legacy", 5, "calls go to legacy")
        assert talk.ask(b"still") == b"still"
        assert talk.end() == ([], Code.OK)


def test_a_cutback_that_drains_says_goaway(certs):
    new = H2Origin("new")
    with h2_scene.running(certs, {"legacy": pool(H2Origin("legacy")), "new": pool(new)}, {
            "api": migration(100, tunnels={"on_revert": "drain"})}) as sluice, \
            h2_scene.client(sluice) as one:
        stream = one.open("/echo", "POST", HEAD)
        stream.send(b"\0\0\0\0\5hello")
        assert stream.bytes(10) == b"\0\0\0\0\5hello"
        sluice.ctl("cutback", "api")

        one.wait(lambda: one.goaway, "GOAWAY")
        assert one.goaway[0] == f.NO_ERROR
        assert one.goaway[1] >= stream.id
    new.stop()


# --- health -------------------------------------------------------------------------------------------

def test_health_by_grpc(certs):
    a, b = Server("a"), Server("b")
    servers = settings.pool([a, b], protocol="h2", health={
        "type": "grpc", "service": "shop", "interval": "100ms", "timeout": "1s", "rise": 2,
        "fall": 2, "path": None})
    with h2_scene.running(certs, {"legacy": servers}) as sluice, client(sluice) as one:
        up = f'sluice_server_up{{pool="legacy",server="{a.address}"}}'
        assert sluice.metrics()[up] == 1
        assert set(a.services) == {"shop"}
        a.health = NOT_SERVING
        wait_for(lambda: sluice.metrics()[up] == 0, 5, "a is down")
        assert {server_of(one.call()[1]) for _ in range(20)} == {"b"}
        a.health = SERVING
        wait_for(lambda: sluice.metrics()[up] == 1, 5, "a is up")
    a.stop()
    b.stop()

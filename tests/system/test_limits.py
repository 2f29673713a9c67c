"""Every limit bites where the file says, not a byte sooner, answers clearly, is counted
under its own name, and lets everybody else go on."""

import contextlib
import resource
import socket

import pytest

import h2_scene
from http1 import Client, Closed
from scripted import OK, Counts, Origin, outcome, pool, running, side
from settings import migration
from waiting import wait_for

GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def scene(certs):
    origin = Origin()
    with running(certs, {"legacy": pool(origin, retry={"attempts": 1})},
                 limits={"header_bytes": "2k", "header_count": 10, "uri_bytes": "1k",
                         "body_bytes": "5000"}) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()


@pytest.fixture(autouse=True)
def clean(scene):
    yield
    scene.origin.hang_up()


def bites(scene, request, status, limit):
    counts = Counts(scene)
    with scene.client(tls=False) as client:
        client.send(request)
        response = client.read_response()

        assert (response.status, response.get("connection")) == (status, "close")
        assert response.get("x-request-id").encode() in response.body
        assert client.is_closed()
    counts.wait(f"sluice_limit_{limit}_total", 1)


def passes(scene, request):
    with scene.client(tls=False) as client:
        client.send(request)
        up = scene.origin.next()
        up.answer()
        assert client.read_response().status == 200


# --- heads -----------------------------------------------------------------------------------

def head_of(n):
    """A head of n bytes."""
    empty = GET.replace("\r\n\r\n", "\r\nX: \r\n\r\n")
    return empty.replace("X: ", "X: " + "y" * (n - len(empty)))


def test_header_bytes(scene):
    passes(scene, head_of(2048))
    bites(scene, head_of(2049), 431, "header_bytes")
    bites(scene, head_of(100_000), 431, "header_bytes")


def test_a_head_without_an_end_is_not_waited_for(scene):
    bites(scene, head_of(2100)[:2060], 431, "header_bytes")


def fields(n):
    return GET[:-2] + "".join(f"X-{i}: y\r\n" for i in range(n - 1)) + "\r\n"


def test_header_count(scene):
    passes(scene, fields(10))
    bites(scene, fields(11), 431, "header_count")


def test_uri_bytes(scene):
    passes(scene, GET.replace("/x", "/" + "y" * 1023))
    bites(scene, GET.replace("/x", "/" + "y" * 1024), 414, "uri_bytes")
    bites(scene, "GET /" + "y" * 1500, 414, "uri_bytes")


@pytest.mark.parametrize("text", [
    "HTTP/1.1 200 OK\r\nX: " + "y" * 3000 + "\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n" + "".join(f"X-{i}: y\r\n" for i in range(11)) + "\r\n"])
def test_the_same_for_responses(scene, text):
    with scene.client(tls=False) as client:
        client.send(GET)
        scene.origin.next().answer(text)

        assert client.read_response().status == 502


def test_a_response_of_just_as_many_fields_passes(scene):
    with scene.client(tls=False) as client:
        client.send(GET)
        scene.origin.next().answer("HTTP/1.1 200 OK\r\n" + "".join(
            f"X-{i}: y\r\n" for i in range(9)) + "Content-Length: 0\r\n\r\n")

        assert client.read_response().status == 200


# --- bodies -----------------------------------------------------------------------------------

def post(n):
    return f"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {n}\r\n\r\n"


def test_body_bytes_of_a_length(scene):
    with scene.client(tls=False) as client:
        client.send(post(5000) + "x" * 5000)
        up = scene.origin.next()
        up.read_head()
        assert len(up.read(5000)) == 5000
        up.send(OK)
        assert client.read_response().status == 200
    bites(scene, post(5001), 413, "body_bytes")
    assert scene.origin.is_untouched(), "it is refused before anybody hears of it"


def test_body_bytes_of_chunks(scene):
    begin = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with scene.client(tls=False) as client:
        client.send(begin + "1388\r\n" + "x" * 5000 + "\r\n0\r\n\r\n")
        up = scene.origin.next()
        up.read_head()
        up.read_until(b"0\r\n\r\n")
        up.send(OK)
        assert client.read_response().status == 200
    counts = Counts(scene)
    with scene.client(tls=False) as client:
        client.send(begin + ("1\r\nx\r\n" * 5001))
        up = scene.origin.next()
        assert client.read_response().status == 413
        assert client.is_closed()
    assert not up.read_rest().endswith(b"0\r\n\r\n")
    counts.wait("sluice_limit_body_bytes_total", 1)


# --- connections -------------------------------------------------------------------------------

def is_refused(sluice, **options):
    with contextlib.suppress(ConnectionResetError, BrokenPipeError, Closed):
        with Client(sluice.plain.address, **options) as client:
            client.send(GET)
            client.read_head()
            return False
    return True


def test_connections(certs):
    origin = Origin()
    with running(certs, {"legacy": pool(origin)}, limits={"connections": 3}) as sluice:
        counts = Counts(sluice)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(sluice.client(tls=False)) for _ in range(3)]
            wait_for(lambda: sluice.metrics()["sluice_connections_open"] == 3, 5, "three are in")

            assert is_refused(sluice)
            counts.wait("sluice_limit_connections_total", 1)
            for client in clients:
                client.send(GET)
                origin.next().answer()
                assert client.read_response().status == 200
        wait_for(lambda: sluice.metrics()["sluice_connections_open"] == 0, 5, "they have left")
        with sluice.client(tls=False) as client:
            client.send(GET)
            origin.next().answer()
            assert client.read_response().status == 200
    origin.stop()


def test_connections_per_client(certs):
    origin = Origin()
    with running(certs, {"legacy": pool(origin)},
                 limits={"connections_per_client": 2}) as sluice:
        counts = Counts(sluice)
        with sluice.client(tls=False), sluice.client(tls=False):
            wait_for(lambda: sluice.metrics()["sluice_connections_open"] == 2, 5, "two are in")
            assert is_refused(sluice)
            assert is_refused(sluice)
            counts.wait("sluice_limit_connections_per_client_total", 2)

            with sluice.client(tls=False, source="127.0.0.2") as other:
                other.send(GET)
                origin.next().answer()
                assert other.read_response().status == 200
        wait_for(lambda: sluice.metrics()["sluice_connections_open"] == 0, 5, "they have left")
        with sluice.client(tls=False) as client:
            client.send(GET)
            origin.next().answer()
            assert client.read_response().status == 200
    origin.stop()


def shakes_hands(sluice, source="127.0.0.1"):
    with contextlib.suppress(OSError):  # ssl.SSLError too
        with sluice.client(source=source):
            return True
    return False


def test_handshakes_per_client(certs):
    """Six at once, another every sixth of a second; others are not concerned."""
    origin = Origin()
    with running(certs, {"legacy": pool(origin)},
                 limits={"handshakes_per_client": 6}) as sluice:
        counts = Counts(sluice)
        done = [shakes_hands(sluice) for _ in range(40)]
        refused = done.count(False)

        assert all(done[:6]) and refused > 0
        counts.wait("sluice_limit_handshakes_per_client_total", refused)
        counts.wait("sluice_handshakes_total", 40 - refused)
        assert counts.rise("sluice_handshake_failures_total") == 0
        assert shakes_hands(sluice, "127.0.0.2")
        with sluice.client(tls=False) as plain:
            plain.send(GET)
            origin.next().answer()
            assert plain.read_response().status == 200
        wait_for(lambda: shakes_hands(sluice), 5, "it may shake hands again")
    origin.stop()


def test_keepalive(certs):
    """More connections than may be kept are closed a second after use."""
    origin = Origin()
    with running(certs, {"legacy": pool(origin, keepalive=2)}) as sluice, \
            contextlib.ExitStack() as stack:
        clients = [stack.enter_context(sluice.client(tls=False)) for _ in range(5)]
        ups = []
        for client in clients:
            client.send(GET)
            ups.append(origin.accept())
            ups[-1].read_head()
        for client, up in zip(clients, ups):
            up.send(OK)
            assert client.read_response().body == b"ok"
        idle = f'sluice_server_idle_connections{{pool="legacy",server="{origin.address}"}}'

        wait_for(lambda: sluice.metrics()[idle] == 2, 5, "the surplus is closed")
        assert [up.read_rest() for up in ups[2:]] == [b""] * 3
    origin.stop()


# --- servers ------------------------------------------------------------------------------------

@pytest.fixture
def narrow(certs):
    """A server that takes one request at a time."""
    origin = Origin()
    servers = pool(origin)
    servers["servers"][0]["max_requests"] = 1
    with running(certs, {"legacy": servers}, timeouts={"connect": "300ms"}) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()


def test_max_requests_makes_the_next_one_wait(narrow):
    with narrow.client(tls=False) as first, narrow.client(tls=False) as second:
        first.send(GET)
        up = narrow.origin.next()
        up.read_head()
        second.send(GET)
        wait_for(lambda: narrow.metrics()["sluice_requests_open"] == 2, 5, "two are there")
        assert narrow.origin.is_untouched()
        up.send(OK)
        assert first.read_response().status == 200
        narrow.origin.next().answer()

        assert second.read_response().status == 200


def test_and_not_for_ever(narrow):
    counts = Counts(narrow)
    with narrow.client(tls=False) as first, narrow.client(tls=False) as second:
        first.send(GET)
        up = narrow.origin.next()
        up.read_head()
        second.send(GET)
        response = second.read_response()

        assert (response.status, response.get("retry-after")) == (503, "1")
        assert response.get("connection") == "keep-alive"
        up.send(OK)
        assert first.read_response().status == 200
    counts.wait("sluice_limit_max_requests_total", 1)
    counts.wait("sluice_no_server_total", 1)


def test_those_who_wait_are_served_in_order(narrow):
    with contextlib.ExitStack() as stack:
        clients = []
        for i in range(5):
            clients.append(stack.enter_context(narrow.client(tls=False)))
            clients[i].send(GET.replace("/x", f"/{i}"))
            wait_for(lambda n=i + 1: narrow.metrics()["sluice_requests_open"] == n, 5, "it waits")
        for i in range(5):
            up = narrow.origin.next()
            assert up.answer().startswith(f"GET /{i} ")
            assert clients[i].read_response().status == 200


def test_a_client_that_has_left_the_queue_is_not_served(narrow):
    """Its request would cost a server time that somebody waits for."""
    with narrow.client(tls=False) as first, narrow.client(tls=False) as third:
        first.send(GET)
        up = narrow.origin.next()
        up.read_head()
        with narrow.client(tls=False) as second:
            second.send(GET.replace("/x", "/gone"))
            wait_for(lambda: narrow.metrics()["sluice_requests_open"] == 2, 5, "it waits")
            second.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wait_for(lambda: narrow.metrics()["sluice_requests_open"] == 1, 5, "it is forgotten")
        third.send(GET.replace("/x", "/third"))
        up.send(OK)
        assert first.read_response().status == 200

        assert narrow.origin.next().answer().startswith("GET /third ")
        assert third.read_response().status == 200
    assert narrow.metrics()["sluice_client_gone_total"] == 1


@pytest.mark.parametrize("how", ["resets", "closes"])
def test_a_stream_that_has_left_the_queue_is_not_served(narrow, how):
    with narrow.client(tls=False) as first, h2_scene.client(narrow) as second, \
            narrow.client(tls=False) as third:
        counts = Counts(narrow)
        first.send(GET)
        up = narrow.origin.next()
        up.read_head()
        stream = second.get("/gone")
        wait_for(lambda: narrow.metrics()["sluice_requests_open"] == 2, 5, "it waits")
        if how == "resets":
            stream.cancel()
        else:
            second.close()
        wait_for(lambda: narrow.metrics()["sluice_requests_open"] == 1, 5, "it is forgotten")
        counts.wait("sluice_client_gone_total", 1)
        third.send(GET.replace("/x", "/third"))
        up.send(OK)
        assert first.read_response().status == 200

        assert narrow.origin.next().answer().startswith("GET /third ")
        assert third.read_response().status == 200


# --- descriptors --------------------------------------------------------------------------------

def test_without_descriptors_no_pool_is_blamed(certs):
    """A flood may take the last one: then sluice refuses, and says that it was sluice."""
    legacy, new = Origin(), Origin()
    servers = {"retry": {"attempts": 1}, "eject": {"failures": 2}}
    with running(certs, {"legacy": pool(legacy, **servers), "new": pool(new, **servers)},
                 {"api": migration(100)}) as sluice, sluice.client(tls=False) as client:
        wait_for(lambda: sluice.metrics()["sluice_connections_open"] == 1, 5, "the client is in")
        counts = Counts(sluice)
        before = resource.prlimit(sluice.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(sluice.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        statuses = []
        for _ in range(5):
            client.send(GET)
            statuses.append(client.read_response().status)
        resource.prlimit(sluice.pid, resource.RLIMIT_NOFILE, before)

        assert statuses == [503] * 5
        counts.wait(outcome("local"), 5)
        assert counts.rise(side("attempt_errors_total")) == 0
        ejected = [v for k, v in sluice.metrics().items() if k.startswith("sluice_server_ejected")]
        assert sum(ejected) == 0
        client.send(GET)
        new.next().answer()
        assert client.read_response().status == 200
    legacy.stop()
    new.stop()


def test_without_descriptors_accepting_goes_on_when_there_are_some_again(certs):
    origin = Origin()
    with running(certs, {"legacy": pool(origin)}) as sluice:
        before = resource.prlimit(sluice.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(sluice.pid, resource.RLIMIT_NOFILE, (3, before[1]))
        with sluice.client(tls=False) as client:
            client.send(GET)
            wait_for(lambda: "cannot accept" in sluice.log(), 5, "it is said")
            resource.prlimit(sluice.pid, resource.RLIMIT_NOFILE, before)

            origin.next().answer()
            assert client.read_response().status == 200
    origin.stop()

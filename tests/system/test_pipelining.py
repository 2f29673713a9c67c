"""Requests on one connection are answered in order, each by its own answer, however they
are cut and whatever becomes of the one before; none begins inside another's body."""

import itertools
import socket

import pytest

from http1 import Closed
from scripted import Origin, added, frozen, pool, reset, running, unread_bytes
from waiting import wait_for

NO_RETRY = {"retry": {"attempts": 1}, "eject": {"failures": 1000}}


@pytest.fixture(scope="module")
def scene(certs):
    origin = Origin(receive_buffer=4096)
    with running(certs, {"legacy": pool(origin, **NO_RETRY)},
                 routes=[{"host": "a", "path": "/", "pool": "legacy"}]) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()


@pytest.fixture(autouse=True)
def clean(scene):
    yield
    scene.origin.hang_up()


def get(path, *fields):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *fields]) + "\r\n\r\n"


def post(path, length, *fields):
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {length}",
                        *fields]) + "\r\n\r\n"


def sent(path):
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n{added()}\r\n"


def body(text):
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}"


@pytest.mark.parametrize("tls", [False, True])
def test_one_at_a_time_and_in_order(scene, tls):
    n = 200
    with scene.client(tls) as client:
        client.send("".join(get(f"/{i}") for i in range(n)))
        for i in range(n):
            up = scene.origin.next()
            head = up.read_head()
            assert head.startswith(f"GET /{i} HTTP/1.1\r\n")
            assert not up.buffer, "the next one waits for this one's answer"
            up.send(body(str(i)))
            assert client.read_response().body == str(i).encode()
    assert len(scene.origin.open) == 1, "over one connection"


def test_a_body_and_the_next_request_in_one_piece(scene):
    with scene.client(tls=False) as client:
        client.send(post("/1", 40) + get("/smuggled").ljust(40)[:40] + get("/2"))
        up = scene.origin.next()
        head = up.read_head()
        assert head.startswith("POST /1 ")
        assert up.read(40) == get("/smuggled").ljust(40)[:40].encode()
        up.send(body("1"))
        assert client.read_response().body == b"1"

        assert scene.origin.next().answer(body("2")) == sent("/2")
        assert client.read_response().body == b"2"


def test_what_is_refused_comes_after_what_was_fine(scene):
    with scene.client(tls=False) as client:
        client.send(get("/1") + "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n" + get("/3") +
                    get("/4", "X : y") + get("/5"))
        assert scene.origin.next().answer(body("1")) == sent("/1")
        assert client.read_response().body == b"1"
        assert client.read_response().status == 404
        assert scene.origin.next().answer(body("3")) == sent("/3")
        assert client.read_response().body == b"3"
        assert client.read_response().status == 400
        assert client.is_closed()
    assert scene.origin.is_untouched()


def test_a_flood_of_requests_waits_outside(scene):
    """While one is answered slowly, the rest stays in the kernel and not with sluice."""
    flood = get("/flood", "X: " + "y" * 1000).encode() * 20_000
    with scene.client(tls=False) as client:
        client.socket.settimeout(0.3)
        before = scene.rss_bytes()
        with pytest.raises(TimeoutError):
            client.socket.sendall(get("/1").encode() + flood)
        assert scene.rss_bytes() - before < 1 << 20
        assert scene.origin.next().answer(body("1")) == sent("/1")
        client.socket.settimeout(10)
        assert client.read_response().body == b"1"
        reset(client)
        scene.origin.next().answer(body("nobody reads it"))
    wait_for(lambda: scene.metrics()["sluice_connections_open"] == 0, 5, "the flood is over")


# --- the answer comes before the request was passed on ---------------------------------------

SMUGGLED = get("/smuggled").encode()


@pytest.fixture(scope="module")
def room(scene):
    """How many bytes fit between sluice and an origin that does not read, more or less:
    the kernel's buffers grow, and count what they hold by its packets."""
    with scene.client(tls=False, timeout=1) as client:
        client.send(post("/fill", 1 << 30))
        up = scene.origin.next()
        up.read_head()
        with pytest.raises(TimeoutError):
            client.send(b"x" * (1 << 30))
        n = unread_bytes(scene.origin.port)
        up.reset()
    return n


def expect_only(scene, client, answered, path):
    """What an origin gets next is this request, on a new connection; or the client's
    connection is closed, and no origin gets anything."""
    if answered.get("connection") == "close":
        assert client.is_closed()
        assert scene.origin.is_uncalled()
        return
    client.send(get(path))
    assert scene.origin.accept().answer(body("mine")) == sent(path)
    assert client.read_response().body == b"mine"


def nothing_moves(scene):
    """What sluice has not read, and its origin has not, stays as it is."""
    def now():
        # Probes of the closed window carry a packet now and then.
        return unread_bytes(scene.plain.number), unread_bytes(scene.origin.port) >> 15

    seen = [now()]
    wait_for(lambda: seen.append(now()) or seen[-3:] == 3 * seen[-1:], 10, "all stands still")


def read_body(up, n, chunked):
    """The body that reached the origin, which is whole when it has n bytes and its end."""
    up.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    got = b""
    try:
        if not chunked:
            return up.read(n)
        while (size := int(up.read_until(b"\r\n"), 16)) > 0:
            got += up.read(size)
            assert up.read_until(b"\r\n") == b"\r\n"
        assert up.read_until(b"\r\n") == b"\r\n"
    except Closed:
        got += b"" if chunked else bytes(up.buffer)
        up.buffer.clear()
    return got


def answer_early(scene, size, chunked):
    """Whether the end of a body of that size was inside sluice when the answer came: the
    client, of whom nothing is missing, is kept, and its origin is not."""
    payload = (SMUGGLED * (size // len(SMUGGLED) + 1))[:size]
    with scene.client(tls=False) as client:
        if chunked:
            client.send("POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.send(f"{size:x}\r\n".encode() + payload + b"\r\n0\r\n\r\n")
        else:
            client.send(post("/early", size).encode() + payload)
        up = scene.origin.next()
        up.read_head()
        nothing_moves(scene)
        up.send(body("early"))
        early = client.read_response()
        assert early.body == b"early"

        if early.get("connection") == "close":
            assert client.is_closed()
            assert scene.origin.is_uncalled()
        else:
            client.send(get("/next"))
        got = read_body(up, size, chunked)
        assert payload.startswith(got)
        if early.get("connection") != "close":
            again = up if up.buffer else scene.origin.next()
            assert again.answer(body("mine")) == sent("/next")
            assert again is not up or len(got) == size, "kept, with a piece of it missing"
            assert client.read_response().body == b"mine"
    scene.origin.hang_up()
    return early.get("connection") != "close" and len(got) < size


@pytest.mark.parametrize("chunked", [False, True])
def test_an_early_answer_leaves_no_piece_of_the_body_behind(scene, room, chunked):
    """The client has sent all of its body, sluice has read it, and the origin has answered
    without reading it: what is stuck in between is neither the client's next request nor
    the head of the next one on the origin's connection."""
    around = sorted(range(-120_000, 240_000, 12_000), key=lambda n: abs(n - 48_000))

    stuck = (ahead for ahead in around if answer_early(scene, room + ahead, chunked))

    assert len(list(itertools.islice(stuck, 2))) == 2, "these sizes do not fit the kernel's buffers"


@pytest.mark.parametrize("length", [2_000, 5_000, 20_000, 60_000])
def test_an_origin_that_hangs_up_leaves_no_piece_of_the_body_behind(scene, length):
    """The 502 may keep the client's connection: then its body must be gone from it."""
    payload = (SMUGGLED * (length // 10))[:length]
    for _ in range(5):
        with scene.client(tls=False) as client:
            client.send(post("/lost", length))
            up = scene.origin.next()
            up.read_head()
            with frozen(scene):
                up.reset()
                client.send(payload)
            lost = client.read_response()

            assert lost.status == 502
            expect_only(scene, client, lost, "/next")
        scene.origin.hang_up()


def test_a_body_that_is_not_wanted_is_not_the_next_request(scene):
    """404 and 413 and the like come before the body was looked at."""
    with scene.client(tls=False) as client:
        client.send(f"POST /x HTTP/1.1\r\nHost: b\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n")
        client.send(SMUGGLED)

        response = client.read_response()

        assert (response.status, response.get("connection")) == (404, "close")
        assert client.is_closed()
    assert scene.origin.is_untouched()


def test_a_client_that_asks_and_hangs_up_is_served_to_the_end_of_what_it_asked(scene):
    with scene.client(tls=False) as client:
        client.send(get("/1") + get("/2") + "GET /3 HT")
        client.half_close()
        for i in (1, 2):
            assert scene.origin.next().answer(body(str(i))) == sent(f"/{i}")
            assert client.read_response().body == str(i).encode()
        assert client.is_closed()
    assert scene.origin.is_untouched()

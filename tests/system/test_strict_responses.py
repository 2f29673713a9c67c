"""An answer reaches the client in one reading, or not at all: what an origin garbles is
502 or a broken connection, and its connection is never used for the next request."""

import contextlib

import re

import pytest

from http1 import Closed
from scripted import OK, Counts, Origin, frozen, outcome, pool, running
from settings import migration

GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
NO_RETRY = {"retry": {"attempts": 1}}


@pytest.fixture(scope="module")
def scene(certs):
    """All traffic goes to `new`, so that outcomes are counted; nothing is rescued."""
    origin, spare = Origin(), Origin()
    api = migration(100, rescue={"enabled": False})
    with running(certs, {"legacy": pool(spare), "new": pool(origin, **NO_RETRY,
                                                             eject={"failures": 1000})},
                 {"api": api}) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()
    spare.stop()


@pytest.fixture(autouse=True)
def clean(scene):
    yield
    scene.origin.hang_up()


def head(*lines, status="200 OK"):
    return "\r\n".join([f"HTTP/1.1 {status}", *lines]) + "\r\n\r\n"


# --- heads that are none ----------------------------------------------------------------

CHUNKED = "Transfer-Encoding: chunked"
MALFORMED = {
    "no status line": "nonsense\r\n\r\n",
    "a TLS alert": "\x15\x03\x01\x00\x02\x02\x46" + "\r\n" * 8,
    "HTTP/2": "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.2": "HTTP/1.2 200 OK\r\n\r\n",
    "no version": "200 OK\r\n\r\n",
    "two blanks": "HTTP/1.1  200 OK\r\n\r\n",
    "status 20": "HTTP/1.1 20 OK\r\n\r\n",
    "status 2000": "HTTP/1.1 2000 OK\r\n\r\n",
    "status 099": "HTTP/1.1 099 OK\r\n\r\n",
    "status 600": "HTTP/1.1 600 OK\r\n\r\n",
    "status 2x0": "HTTP/1.1 2x0 OK\r\n\r\n",
    "a CR in the reason": "HTTP/1.1 200 O\rK\r\n\r\n",
    "a NUL in the reason": "HTTP/1.1 200 O\0K\r\n\r\n",
    "a LF for the first line": "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
    "a LF for a line": head("X: y\nContent-Length: 2") + "ok",
    "LFs for the last lines": "HTTP/1.1 200 OK\r\nContent-Length: 2\n\nok",
    "a CR in a value": head("X: y\rz"),
    "a NUL in a value": head("X: y\0z"),
    "a fold": head("X: y", " z"),
    "a blank in a name": head("X Y: z"),
    "no name": head(": y"),
    "no colon": head("X"),
    "two lengths": head("Content-Length: 2", "Content-Length: 3") + "ok",
    "two equal lengths": head("Content-Length: 2", "Content-Length: 2") + "ok",
    "a list of lengths": head("Content-Length: 2, 2") + "ok",
    "a negative length": head("Content-Length: -2") + "ok",
    "a length with a sign": head("Content-Length: +2") + "ok",
    "an endless length": head("Content-Length: 18446744073709551618") + "ok",
    "both framings": head("Content-Length: 2", CHUNKED) + "2\r\nok\r\n0\r\n\r\n",
    "chunked twice": head(CHUNKED, CHUNKED) + "2\r\nok\r\n0\r\n\r\n",
    "gzip and chunked": head("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n",
    "chunked and gzip": head("Transfer-Encoding: chunked, gzip") + "0\r\n\r\n",
    "identity": head("Transfer-Encoding: identity") + "ok",
    "a coding in HTTP/1.0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "101 that nobody asked for": head("Upgrade: x", "Connection: upgrade",
                                      status="101 Switching Protocols"),
    "a head without an end": "HTTP/1.1 200 OK\r\nX: " + "y" * 70_000,
    "too many fields": head(*[f"X-{i}: y" for i in range(300)]),
    "interim heads without an end": head(status="103 Early Hints") * 100,
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_head_is_502_and_an_error_of_its_pool(scene, what):
    counts = Counts(scene)
    with scene.client(tls=False) as client:
        client.send(GET)
        up = scene.origin.next()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            up.answer(MALFORMED[what])

        response = client.read_response()

        assert response.status == 502
        assert response.get("x-request-id").encode() in response.body
        assert up.read_rest() == b"", "and the connection is not used again"
    counts.wait(outcome("malformed"), 1)


# --- bodies that end badly --------------------------------------------------------------

BROKEN = {
    "a length cut short": (head("Content-Length: 10") + "abc", "truncated"),
    "a length without any byte": (head("Content-Length: 10"), "truncated"),
    "a chunk cut short": (head(CHUNKED) + "a\r\nabc", "truncated"),
    "no last chunk": (head(CHUNKED) + "3\r\nabc\r\n", "truncated"),
    "half a last chunk": (head(CHUNKED) + "3\r\nabc\r\n0\r\n", "truncated"),
    "a size that is none": (head(CHUNKED) + "3\r\nabc\r\nxyz\r\n", "malformed"),
    "a size with a sign": (head(CHUNKED) + "-3\r\nabc\r\n0\r\n\r\n", "malformed"),
    "a size that overflows": (head(CHUNKED) + "ffffffffffffffff0\r\nabc\r\n0\r\n\r\n",
                              "malformed"),
    "a LF behind the size": (head(CHUNKED) + "3\nabc\r\n0\r\n\r\n", "malformed"),
    "data too long": (head(CHUNKED) + "3\r\nabcd\r\n0\r\n\r\n", "malformed"),
    "a garbled trailer": (head(CHUNKED) + "0\r\nX y\r\n\r\n", "malformed"),
    "an endless extension": (head(CHUNKED) + "3;" + "a" * 5000 + "\r\nabc\r\n0\r\n\r\n",
                             "malformed"),
}


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_body_never_looks_whole_to_the_client(scene, what, tls):
    text, why = BROKEN[what]
    counts = Counts(scene)
    with scene.client(tls) as client:
        client.send(GET)
        up = scene.origin.next()
        up.answer(text)
        if why == "truncated":
            up.half_close()

        with pytest.raises((Closed, ConnectionResetError)):
            client.read_response()
    assert up.read_rest() == b""
    counts.wait(outcome(why))
    assert counts.rise(outcome("ok")) == 0


@pytest.mark.parametrize("text, why", [("", "reset"), ("HTTP/1.1 200 OK\r\nX", "truncated")])
def test_a_head_that_ends_early_is_502(scene, text, why):
    counts = Counts(scene)
    with scene.client(tls=False) as client:
        client.send(GET.replace("GET", "POST").replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"))
        up = scene.origin.next()
        up.answer(text)
        up.half_close()

        assert client.read_response().status == 502
    counts.wait(outcome(why), 1)


# --- what passes ------------------------------------------------------------------------

def but_for_date(raw):
    """That an answer without one gets is shown elsewhere."""
    return re.sub("Date: [^\r]+ GMT\r\n", "", raw, count=1)


def exchange(scene, answer, request=GET, tls=False, close=False):
    """What the client reads up to the end of the answer, byte for byte but for a Date."""
    with scene.client(tls) as client:
        client.send(request)
        up = scene.origin.next()
        up.answer(answer)
        if close:
            up.half_close()
        raw = bytearray()
        read, client._fill = client._fill, None

        def fill():
            before = len(client.buffer)
            read()
            raw.extend(client.buffer[before:])

        client._fill = fill
        response = client.read_response(request.split(" ")[0])
        return but_for_date(bytes(raw).decode("latin-1")), response, up


PASSED = {
    "a length": (head("Content-Length: 02", "X:y") + "ok",
                 "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nok"),
    "length 0": (head("Content-Length: 0"), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "chunks": (head("transfer-encoding: CHUNKED") + "1;x\r\na\r\n02\r\nbc\r\n00\r\n\r\n",
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"),
    "trailers": (head(CHUNKED, "Trailer: X-Sum") +
                 "0\r\nX-Sum: 1\r\nContent-Length: 5\r\nSet-Cookie: a=b\r\n\r\n",
                 "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "0\r\nX-Sum: 1\r\n\r\n"),
    "204 with a length": (head("Content-Length: 2", status="204 No Content"),
                          "HTTP/1.1 204 No Content\r\n\r\n"),
    "304 with a length": (head("Content-Length: 2", status="304 Not Modified"),
                          "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"),
    "blanks before a colon": (head("X \t: y", "Content-Length : 2") + "ok",
                              "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nok"),
    "204 with both framings": (head("Content-Length: 2", CHUNKED, status="204 No Content"),
                               "HTTP/1.1 204 No Content\r\n\r\n"),
    "304 with both framings": (head("Content-Length: 2", CHUNKED, status="304 Not Modified"),
                               "HTTP/1.1 304 Not Modified\r\n\r\n"),
    "304 with two lengths": (
        head("Content-Length: 2", "Content-Length: 3", status="304 Not Modified"),
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"),
    "103 with both framings": (
        head("Content-Length: 2", CHUNKED, status="103 Early Hints") + head("Content-Length: 0"),
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "304 that says chunked": (head(CHUNKED, status="304 Not Modified"),
                              "HTTP/1.1 304 Not Modified\r\n\r\n"),
    "no reason": ("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n",
                  "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    "no blank before no reason": ("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
                                  "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    "a reason of its own": (head("Content-Length: 0", status="299 Fine, \xe9"),
                            "HTTP/1.1 299 Fine, \xe9\r\nContent-Length: 0\r\n\r\n"),
    "HTTP/1.0 kept alive": (
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "interim heads in order": (
        head("Link: </a>", "Content-Length: 5", status="103 Early Hints") +
        head("Connection: X", "X: y", "Z: 1", status="102 Processing") +
        head("Content-Length: 2") + "ok",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        "HTTP/1.1 102 Processing\r\nZ: 1\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "several cookies": (
        head("Set-Cookie: a=1", "Set-Cookie: b=2", "Content-Length: 0"),
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"),
}


@pytest.mark.parametrize("what", PASSED)
def test_what_passes_reaches_the_client_as_the_table_says(scene, what):
    answer, expected = PASSED[what]

    raw, _, up = exchange(scene, answer)

    assert raw == expected
    with scene.client(tls=False) as client:
        client.send(GET)
        assert scene.origin.next() is up, "the connection is kept and used again"
        up.answer()
        assert client.read_response().body == b"ok"


def test_a_body_until_close_is_chunked_for_1_1(scene):
    raw, _, _ = exchange(scene, "HTTP/1.1 200 OK\r\n\r\nabc", close=True)

    assert raw == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize("answer, close, expected", [
    (head("Content-Length: 2") + "ok", False, "Connection: close\r\nContent-Length: 2\r\n\r\nok"),
    (head(CHUNKED) + "2\r\nok\r\n0\r\nX: y\r\n\r\n", False, "Connection: close\r\n\r\nok"),
    (head() + "ok", True, "Connection: close\r\n\r\nok"),
])
def test_a_client_of_1_0_gets_what_it_understands(scene, answer, close, expected):
    raw, _, _ = exchange(scene, answer, "GET /x HTTP/1.0\r\n\r\n", close=close)

    assert raw == "HTTP/1.1 200 OK\r\n" + expected


def test_a_client_of_1_0_is_told_that_it_is_kept(scene):
    with scene.client(tls=False) as client:
        for _ in range(2):
            client.send("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            scene.origin.next().answer()
            assert client.read_response().get("connection") == "keep-alive"


def test_interim_heads_are_not_for_1_0(scene):
    raw, _, _ = exchange(scene, head(status="103 Early Hints") + OK, "GET /x HTTP/1.0\r\n\r\n")

    assert raw.startswith("HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("answer, expected", [
    (head("Content-Length: 5"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    (head(CHUNKED), "HTTP/1.1 200 OK\r\n\r\n"),
    (head(), "HTTP/1.1 200 OK\r\n\r\n"),
])
def test_an_answer_to_head_has_no_body(scene, answer, expected):
    with scene.client(tls=False) as client:
        client.send(GET.replace("GET", "HEAD"))
        scene.origin.next().answer(answer)
        got = client.read_until(b"\r\n\r\n").decode() + "\r\n\r\n"
        assert but_for_date(got) == expected

        client.send(GET)
        scene.origin.next().answer()
        assert client.read_response().body == b"ok"


# --- a connection with something left on it is never used again -----------------------------

FORGED = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
LEFT = {
    "behind a length": (GET, head("Content-Length: 2") + "ok"),
    "behind the last chunk": (GET, head(CHUNKED) + "2\r\nok\r\n0\r\n\r\n"),
    "behind an answer to HEAD": (GET.replace("GET", "HEAD"), head("Content-Length: 2")),
    "behind 204": (GET, head(status="204 No Content")),
    "behind 304": (GET, head(status="304 Not Modified")),
}


def next_is_clean(scene, client, old):
    client.send(GET)
    up = scene.origin.next()
    assert up is not old
    up.answer(head("Content-Length: 4") + "mine")
    assert client.read_response().body == b"mine"


@pytest.mark.parametrize("what", LEFT)
def test_bytes_behind_the_answer_end_the_connection(scene, what):
    request, answer = LEFT[what]
    with scene.client(tls=False) as client:
        client.send(request)
        up = scene.origin.next()
        up.answer(answer + FORGED)
        client.read_response(request.split(" ")[0])

        next_is_clean(scene, client, up)


def test_bytes_that_came_with_the_next_request_answer_nobody(scene):
    """The window between two events: response-queue poisoning lives there."""
    with scene.client(tls=False) as client:
        for _ in range(5):
            client.send(GET)
            up = scene.origin.next()
            up.answer()
            assert client.read_response().body == b"ok"
            with frozen(scene):
                up.send(FORGED)
                client.send(GET)

            up = scene.origin.next()
            up.answer(head("Content-Length: 4") + "mine")
            assert client.read_response().body == b"mine"


def test_bytes_that_follow_later_end_the_connection(scene):
    with scene.client(tls=False) as client:
        client.send(GET)
        up = scene.origin.next()
        up.answer()
        client.read_response()
        up.send(FORGED)
        assert up.read_rest() == b"", "sluice closes it without being asked"

        next_is_clean(scene, client, up)


def test_connection_close_is_believed(scene):
    with scene.client(tls=False) as client:
        client.send(GET)
        up = scene.origin.next()
        up.answer(head("Content-Length: 2", "Connection: x, Close") + "ok")
        assert client.read_response().get("connection") is None, "the client's is kept"

        next_is_clean(scene, client, up)


def test_http_1_0_is_not_kept_unless_it_says_so(scene):
    with scene.client(tls=False) as client:
        client.send(GET)
        up = scene.origin.next()
        up.answer("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert client.read_response().body == b"ok"

        next_is_clean(scene, client, up)


# --- early answers ------------------------------------------------------------------------

def test_an_early_answer_comes_at_once_and_ends_both_connections(scene):
    with scene.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
        up = scene.origin.next()
        up.answer(head("Content-Length: 2", status="413 Too Large") + "no")

        response = client.read_response()

        assert (response.status, response.body) == (413, b"no")
        assert response.get("connection") == "close"
        assert client.is_closed()
    assert up.read_rest() == b"abc"


def test_an_early_head_lets_the_body_go_on(scene):
    with scene.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        up = scene.origin.next()
        up.answer(head(CHUNKED))
        assert client.read_head().status == 200
        client.send("def")
        assert up.read(6) == b"abcdef"
        up.send("1\r\nx\r\n0\r\n\r\n")

        assert client.read_until(b"0\r\n\r\n") == b"1\r\nx\r\n"
        assert client.is_closed()

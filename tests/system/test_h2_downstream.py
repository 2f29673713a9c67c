"""A client of HTTP/2 gets from an HTTP/1.1 origin what a client of HTTP/1.1 would get, and the
origin cannot tell them apart, nor be lied to by what only HTTP/2 can spell."""

import contextlib
import ssl

import pytest

import h2_frames as f
import h2_scene
from h2_client import Reset
from h2_frames import Answer, ConnectionEnd, StreamError
from origin import Origins, pattern
from scripted import OK, Counts, Origin, added, pool, unread_bytes
from settings import pool as pool_of
from sluice import Sluice
from waiting import wait_for


@pytest.fixture(scope="module")
def scene(certs):
    """One scripted origin behind the host a, real ones behind localhost."""
    origin, servers = Origin(), Origins(legacy=2)
    pools = {"scripted": pool(origin, retry={"attempts": 1}), "legacy": pool_of(servers["legacy"])}
    with h2_scene.running(certs, pools, routes=[
            {"host": "a", "path": "/", "pool": "scripted"},
            {"host": "localhost", "path": "/", "pool": "legacy"}]) as sluice:
        sluice.origin, sluice.origins = origin, servers
        yield sluice
    origin.stop()
    servers.stop()


@pytest.fixture(autouse=True)
def clean(scene):
    yield
    scene.origin.hang_up()


@contextlib.contextmanager
def asking(scene, tls=True, **options):
    """A client of the scripted origin's host."""
    with h2_scene.client(scene, tls, **options) as client:
        client.name = "a"
        yield client


# --- who speaks it ------------------------------------------------------------------------------

def test_alpn_decides(scene):
    assert h2_scene.get(scene).status == 200
    assert scene.get().status == 200
    with scene.client(alpn=("h2", "http/1.1")) as both:
        assert both.socket.selected_alpn_protocol() == "h2", "sluice's order counts"


def test_prior_knowledge_where_the_listener_says_so(scene):
    assert h2_scene.get(scene, tls=False).status == 200
    assert scene.get(tls=False).status == 200, "and HTTP/1.1 still"


def test_no_prior_knowledge_elsewhere(certs):
    origin = Origin()
    sluice = Sluice(certs, {"legacy": pool(origin)}, workers=1)
    sluice.config["listeners"][0]["tls"]["alpn"] = ["http/1.1"]
    sluice.start()
    try:
        with f.Raw(sluice.plain.address) as raw:
            raw._fill()
            assert raw.buffer.startswith(b"HTTP/1.1 505 "), bytes(raw.buffer)
        with contextlib.suppress(ssl.SSLError, ConnectionError), \
                f.Raw(sluice.web.address, sluice.ca) as raw:
            assert raw.socket.selected_alpn_protocol() is None
        assert origin.is_uncalled()
    finally:
        sluice.finish()
        origin.stop()


# --- what the origin gets -----------------------------------------------------------------------

@pytest.mark.parametrize("tls", [True, False])
def test_a_request_of_http2_is_one_of_http1(scene, tls):
    with asking(scene, tls) as client:
        stream = client.get("/x?y=%41", headers=[("accept", "*/*"), ("x-odd", "a  b")])

        head = scene.origin.next().answer()

        proto = "https" if tls else "http"
        assert head == ("GET /x?y=%41 HTTP/1.1\r\nHost: a\r\naccept: */*\r\nx-odd: a  b\r\n"
                        f"{added(proto=proto)}\r\n")
        response = stream.response()
        assert (response.status, response.body) == (200, b"ok")
        assert dict(response.headers)["content-length"] == "2"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE", "PROPFIND"])
def test_methods_pass(scene, method):
    with asking(scene) as client:
        stream = client.get("/x", method)

        assert scene.origin.next().answer(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + "ok" * (method != "HEAD")
        ).startswith(f"{method} /x HTTP/1.1\r\n")

        response = stream.response()
        assert (response.status, response.get("content-length")) == (200, "2")
        assert response.body == (b"" if method == "HEAD" else b"ok")


def test_options_of_the_server(scene):
    with asking(scene) as client:
        stream = client.get("*", "OPTIONS")

        assert scene.origin.next().answer().startswith("OPTIONS * HTTP/1.1\r\n")
        assert stream.response().status == 200


def test_a_body_of_known_length(scene):
    with asking(scene) as client:
        stream = client.open("/x", "POST", [("content-length", "5")])
        stream.send(b"hello", end=True)
        up = scene.origin.next()

        assert "content-length: 5\r\n" in up.read_head().lower()
        assert up.read(5) == b"hello"
        up.send(OK)
        assert stream.response().status == 200


def test_a_body_of_unknown_length(scene):
    with asking(scene) as client:
        stream = client.open("/x", "POST")
        stream.send(b"hello", end=True)
        up = scene.origin.next()

        assert "Transfer-Encoding: chunked\r\n" in up.read_head()
        assert up.read_until(b"0\r\n\r\n") == b"5\r\nhello\r\n0\r\n\r\n"
        up.send(OK)
        assert stream.response().status == 200


def test_an_empty_body(scene):
    with asking(scene) as client:
        stream = client.open("/x", "POST")
        up = scene.origin.next()
        head = up.read_head()
        stream.end()

        assert "Transfer-Encoding: chunked\r\n" in head
        assert up.read_until(b"0\r\n\r\n") == b"0\r\n\r\n"
        up.send(OK)
        assert stream.response().status == 200


def test_trailers_go_up(scene):
    with asking(scene) as client:
        stream = client.open("/x", "POST", [("trailer", "x-sum"), ("te", "trailers")])
        stream.send(b"hello")
        stream.end([("x-sum", "5"), ("authorization", "no")])
        up = scene.origin.next()
        head = up.read_head().lower()

        assert "trailer: x-sum\r\n" in head
        assert up.read_until(b"\r\n\r\n") == b"5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n"
        up.send(OK)
        assert stream.response().status == 200


def test_cookie_crumbs_are_one_line(scene):
    with asking(scene) as client:
        stream = client.get("/x", headers=[("cookie", "a=1"), ("x-between", "y"),
                                           ("cookie", "b=2; c=3"), ("cookie", "d=4")])
        lines = scene.origin.next().answer().lower().split("\r\n")

        assert [line for line in lines if line.startswith("cookie:")] == [
            "cookie: a=1; b=2; c=3; d=4"]
        stream.response()


def without_authority(*more):
    return [(":method", "GET"), (":scheme", "https"), (":path", "/x"), *more]


@pytest.mark.parametrize("fields", [
    without_authority((":authority", "a")),
    without_authority(("host", "a")),
    without_authority((":authority", "a"), ("host", "a")),
    without_authority((":authority", "a"), ("host", "A")),
])
def test_authority_becomes_host(scene, fields):
    with asking(scene) as client:
        stream = client.get(fields=fields)
        head = scene.origin.next().answer()

        assert head.lower().count("\nhost: a\r\n") == 1
        assert stream.response().status == 200


def test_what_is_hop_by_hop_in_http1_is_not_invented(scene):
    with asking(scene) as client:
        stream = client.get("/x", headers=[("te", "trailers")])
        head = scene.origin.next().answer().lower()

        assert "upgrade" not in head and "http2-settings" not in head
        assert stream.response().status == 200


# --- what the client gets -----------------------------------------------------------------------

RESPONSES = {
    "chunked": ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 200, b"abcde"),
    "no content": ("HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", 204, b""),
    "not modified": ("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n",
                     304, b""),
    "empty": ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
    "an error": ("HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nbad", 500, b"bad"),
    "hop by hop": ("HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Mine\r\nKeep-Alive: timeout=5\r\n"
                   "X-Mine: 1\r\nX-Yours: 2\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\n1",
                   200, b"1"),
}


@pytest.mark.parametrize("what", RESPONSES)
def test_responses(scene, what):
    text, status, body = RESPONSES[what]
    with asking(scene) as client:
        stream = client.get("/x")
        scene.origin.next().answer(text)
        response = stream.response()

        assert (response.status, response.body) == (status, body)
        names = [name for name, _ in response.headers]
        assert names == [name.lower() for name in names]
        assert not {"connection", "keep-alive", "x-mine", "upgrade", "transfer-encoding"} & set(
            names)


def test_a_response_until_close(scene):
    with asking(scene) as client:
        stream = client.get("/x")
        up = scene.origin.next()
        up.answer("HTTP/1.1 200 OK\r\n\r\nall of it")
        up.close()

        assert stream.response().body == b"all of it"


def test_trailers_come_down(scene):
    with asking(scene) as client:
        stream = client.get("/x", headers=[("te", "trailers")])
        scene.origin.next().answer(
            "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
            "2\r\nok\r\n0\r\nX-Sum: 2\r\nContent-Length: 9\r\n\r\n")
        response = stream.response()

        assert (response.body, response.trailers) == (b"ok", [("x-sum", "2")])


def test_early_hints_pass(scene):
    with asking(scene) as client:
        stream = client.get("/x")
        scene.origin.next().answer("HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n" + OK)
        response = stream.response()

        assert [(i.status, i.get("link")) for i in response.interim] == [(103, "</s.css>")]
        assert response.status == 200


def test_continue_is_asked_of_the_origin(scene):
    with asking(scene) as client:
        stream = client.open("/x", "PUT", [("expect", "100-continue"), ("content-length", "4")])
        up = scene.origin.next()
        assert "expect: 100-continue\r\n" in up.read_head().lower()
        assert up.buffer == b""
        up.send("HTTP/1.1 100 Continue\r\n\r\n")
        client.wait(lambda: stream.result.interim, "100")
        stream.send(b"body", end=True)
        assert up.read(4) == b"body"
        up.send(OK)
        response = stream.response()

        assert [i.status for i in response.interim] == [100]
        assert response.status == 200


def test_an_origin_that_does_not_want_the_body(scene):
    with asking(scene) as client:
        stream = client.open("/x", "PUT", [("expect", "100-continue"), ("content-length", "4")])
        up = scene.origin.next()
        up.read_head()
        up.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

        assert stream.head().status == 413
        client.settle()
        assert client.goaway is None
        assert not stream.is_reset or stream.reset == f.NO_ERROR
        again = client.get("/y")
        scene.origin.next().answer()
        assert again.response().status == 200


def test_a_response_before_the_end_of_the_body(scene):
    """The stream ends without an error, and the others go on (RFC 9113, 8.1)."""
    with asking(scene) as client:
        stream = client.open("/x", "POST")
        stream.send(b"x" * 1000)
        up = scene.origin.next()
        up.read_head()
        up.send("HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
        client.wait(lambda: stream.ended or stream.is_reset, "the end")

        assert (stream.result.status, bytes(stream.body)) == (403, b"no")
        assert stream.ended or stream.reset == f.NO_ERROR
        assert up.read_rest().startswith(b"3e8\r\n")
        up.close()
        other = client.get("/y")
        scene.origin.next().answer()
        assert other.response().status == 200


@pytest.mark.parametrize("cut", ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha"])
def test_a_truncated_body_resets_the_stream_and_no_other(scene, cut):
    with asking(scene) as client:
        stream = client.get("/x")
        up = scene.origin.next()
        up.answer(cut)
        stream.bytes(2)
        up.close()

        with pytest.raises(Reset) as end:
            stream.response()
        assert end.value.code in (f.INTERNAL_ERROR, f.CANCEL, f.PROTOCOL_ERROR)
        other = client.get("/y")
        scene.origin.next().answer()
        assert other.response().status == 200


def test_what_sluice_says_itself(scene):
    with h2_scene.client(scene) as client:
        client.name = "nobody"
        response = client.request("/")
        assert response.status == 404
        assert response.get("x-request-id").encode() in response.body
        client.name = "a"
        stream = client.get("/x")
        scene.origin.next().answer("nonsense\r\n\r\n")
        assert stream.response().status == 502


def test_a_client_that_cancels_frees_the_origin(scene):
    with asking(scene) as client:
        stream = client.get("/x")
        up = scene.origin.next()
        up.read_head()
        stream.cancel()

        assert up.read_rest() == b""
        other = client.get("/y")
        scene.origin.next().answer()
        assert other.response().status == 200


# --- many streams -------------------------------------------------------------------------------

def test_streams_side_by_side(scene):
    with h2_scene.client(scene) as client:
        slow = client.get("/delay/300")
        streams = [client.get(f"/bytes/{n * 997}") for n in range(60)]
        uploads = [client.open("/upload", "POST") for _ in range(20)]
        for n, upload in enumerate(uploads):
            upload.send(b"x" * (n * 10_000), end=True)

        for n, stream in enumerate(streams):
            assert stream.response().body == pattern(n * 997)
        assert [upload.response().status for upload in uploads] == [200] * 20
        assert slow.response().status == 200
        assert client.goaway is None


def test_a_thousand_one_after_the_other(scene):
    with h2_scene.client(scene) as client:
        assert all(client.request("/").status == 200 for _ in range(1_000))


def test_big_bodies_both_ways(scene):
    size = 10 << 20
    with h2_scene.client(scene) as client:
        down = client.get(f"/bytes/{size}")
        up = client.open("/upload", "POST", [("content-length", str(size))])
        up.send(pattern(size), end=True)

        assert up.response().status == 200
        assert down.response().body == pattern(size)


def test_a_reader_that_stalls_holds_up_nobody(scene):
    with h2_scene.client(scene, window=60_000, hold=True, huge=True) as client:
        stalled = [client.get(f"/bytes/{4 << 20}") for _ in range(3)]
        client.wait(lambda: all(len(s.body) == 60_000 for s in stalled), "full windows")
        for _ in range(20):
            assert client.request("/bytes/50000").body == pattern(50_000)

        client.hold = False
        for stream in stalled:
            client.h2.increment_flow_control_window(4 << 20, stream.id)
        client.flush()
        assert all(s.response().body == pattern(4 << 20) for s in stalled)


def test_an_origin_that_stalls_holds_up_nobody(scene):
    with h2_scene.client(scene) as client:
        client.name = "a"
        stalled = client.open("/x", "POST")
        up = scene.origin.next()
        up.read_head()
        sent = fill(client, stalled)
        client.name = "localhost"
        for _ in range(5):
            assert client.request("/upload", "POST", body=bytes(500_000)).status == 200

        stalled.end()
        got = up.read_until(b"\r\n0\r\n\r\n")
        assert len(got) > sent
        up.send(OK)
        assert stalled.response().status == 200


def fill(client, stream):
    """Sends until the window stays closed."""
    sent = 0
    while True:
        sent += stream.send_some()
        client.settle()
        if stream.room() == 0 and not client.turn(0.3):
            return sent


def test_the_limit_of_streams_is_said_and_kept(certs):
    origin = Origin()
    with h2_scene.running(certs, {"legacy": pool(origin)}, limits={"streams": 5}) as sluice:
        counts = Counts(sluice)
        with h2_scene.raw(sluice) as raw:
            # Before we have read the limit, let alone acknowledged it.
            raw.send(*(f.headers(n, f.get("/x")) for n in range(1, 13, 2)))

            assert raw.greeting()[f.MAX_CONCURRENT_STREAMS] == 5
            assert raw.outcome(11) == StreamError(f.REFUSED_STREAM)
            origin.next().answer()
            assert raw.wait(f.HEADERS).stream in range(1, 11, 2)
            assert raw.is_alive()
            counts.wait("sluice_limit_streams_total", 1)
        with h2_scene.raw(sluice) as raw:
            raw.greeting()
            # Now that it is acknowledged.
            raw.send(*(f.headers(n, f.get("/x")) for n in range(1, 13, 2)))

            assert raw.outcome(11) == ConnectionEnd(f.PROTOCOL_ERROR)
            counts.wait("sluice_limit_streams_total", 2)
    origin.stop()


# --- what is refused ----------------------------------------------------------------------------

def plain(*more, method="GET", path="/x", scheme="http", authority="a"):
    pseudo = [(":method", method), (":scheme", scheme), (":path", path),
              (":authority", authority)]
    return [(k, v) for k, v in pseudo if v is not None] + list(more)


BAD = {
    "an upper-case name": plain(("X-Upper", "a")),
    "a name with a blank": plain(("x y", "a")),
    "a name with a colon": plain(("x:y", "a")),
    "a name with CR LF": plain(("x\r\ny", "a")),
    "an empty name": plain(("", "a")),
    "a value with CR LF": plain(("x", "a\r\nhost: b")),
    "a value with LF": plain(("x", "a\nhost: b")),
    "a value with CR": plain(("x", "a\rhost: b")),
    "a value with NUL": plain(("x", "a\0b")),
    "a value that begins with a blank": plain(("x", " a")),
    "a value that ends with a tab": plain(("x", "a\t")),
    "connection": plain(("connection", "close")),
    "keep-alive": plain(("keep-alive", "timeout=5")),
    "proxy-connection": plain(("proxy-connection", "close")),
    "transfer-encoding": plain(("transfer-encoding", "chunked")),
    "upgrade": plain(("upgrade", "websocket")),
    "te": plain(("te", "gzip")),
    "te with more": plain(("te", "trailers, gzip")),
    "two lengths": plain(("content-length", "0"), ("content-length", "0")),
    "a list of lengths": plain(("content-length", "0, 0")),
    "a negative length": plain(("content-length", "-1")),
    "a length with a sign": plain(("content-length", "+0")),
    "a length without a body": plain(("content-length", "5")),
    "no method": plain(method=None),
    "no path": plain(path=None),
    "no scheme": plain(scheme=None),
    "no authority and no host": plain(authority=None),
    "an empty path": plain(path=""),
    "a path without a slash": plain(path="x"),
    "a whole URL as path": plain(path="http://b/x"),
    "a star as path of GET": plain(path="*"),
    "a path with a blank": plain(path="/x HTTP/1.1\r\nHost: b"),
    "a path with CR LF": plain(path="/x\r\nhost: b"),
    "a path with a fragment": plain(path="/x#y"),
    "a path with bytes above 127": plain(path="/\xe4"),
    "a method that is no token": plain(method="G ET"),
    "an empty method": plain(method=""),
    "TRACE": plain(method="TRACE"),
    "another scheme": plain(scheme="ftp"),
    "two methods": plain() + [(":method", "GET")],
    "two authorities": [(":authority", "b"), *plain()],
    "a pseudo field behind a field": [*plain(path=None), ("x", "y"), (":path", "/x")],
    "an unknown pseudo field": [(":magic", "1"), *plain()],
    "a pseudo field of responses": [(":status", "200"), *plain()],
    ":protocol without CONNECT": [(":protocol", "websocket"), *plain()],
    "a host that differs": plain(("host", "b")),
    "two hosts": plain(("host", "a"), ("host", "a")),
    "an empty authority": plain(authority=""),
    "userinfo in the authority": plain(authority="u@a"),
    "a list as authority": plain(authority="a, b"),
    "a port that is none": plain(authority="a:99999"),
    "an expectation nobody knows": plain(("expect", "magic")),
}
REFUSED = {"TRACE": 405, "an expectation nobody knows": 417}


@pytest.mark.parametrize("what", BAD)
def test_bad_requests_are_refused_and_the_connection_goes_on(scene, what):
    with h2_scene.raw(scene) as raw:
        raw.send(f.headers(1, BAD[what]))

        end = raw.outcome(1)
        assert end in (Answer(REFUSED.get(what, 400)), StreamError(f.PROTOCOL_ERROR))
        raw.send(f.headers(3, f.get("/")))
        assert raw.outcome(3) == Answer(200)
    assert scene.origin.is_untouched()


def test_connect_is_refused(scene):
    with h2_scene.raw(scene) as raw:
        raw.send(f.headers(1, [(":method", "CONNECT"), (":authority", "a:443")]),
                 f.headers(3, [(":method", "CONNECT"), (":protocol", "connect-udp"),
                               *plain(method=None)]))
        ends = [raw.outcome(1), raw.outcome(3)]

        assert all(isinstance(end, StreamError) or end.status in (400, 405, 501)
                   for end in ends), ends
        assert raw.is_alive()
    assert scene.origin.is_untouched()


def test_extended_connect_is_offered(scene):
    with h2_scene.raw(scene) as raw:
        assert raw.greeting().get(f.ENABLE_CONNECT_PROTOCOL) == 1


def test_bad_trailers_are_refused(scene):
    for trailers in ([(":path", "/y")], [("X-Upper", "y")], [("connection", "close")],
                     [("x", "a\r\nb")]):
        with h2_scene.raw(scene) as raw:
            raw.send(f.headers(1, plain(method="POST"), f.END_HEADERS), f.data(1, b"x", end=False),
                     f.headers(1, trailers))

            end = raw.outcome(1)
            assert isinstance(end, StreamError) or end.status in (400, 502), trailers
            assert raw.is_alive()
        scene.origin.hang_up()


LONG = {
    "header_bytes": ([("x", "y" * 40_000)], 431),
    "header_count": ([(f"x-{n}", "y") for n in range(101)], 431),
    "uri_bytes": (None, 414),
}


@pytest.mark.parametrize("limit", LONG)
def test_limits_of_heads_bite_as_in_http1(scene, limit):
    more, status = LONG[limit]
    name = f"sluice_limit_{limit}_total"
    before = scene.metrics()[name]
    with h2_scene.client(scene, huge=True) as client:
        path = "/" + "y" * 9000 if more is None else "/"
        stream = client.get(path, headers=more or ())
        with contextlib.suppress(Reset):
            assert stream.response().status == status
        assert client.request("/").status == 200, "only the request is refused"
    wait_for(lambda: scene.metrics()[name] == before + 1, 5, name)


def test_a_body_above_the_limit_is_refused(certs):
    origin = Origin()
    with h2_scene.running(certs, {"legacy": pool(origin)},
                          limits={"body_bytes": "5000"}) as sluice:
        with h2_scene.client(sluice) as client:
            stream = client.open("/x", "POST", [("content-length", "5001")])
            assert stream.head().status == 413
            assert origin.is_uncalled()
            assert client.request("/x", "POST", body=bytes(6000)).status == 413
            origin.hang_up()
            stream = client.open("/x", "POST")
            stream.send(bytes(5000), end=True)
            up = origin.next()
            up.read_until(b"0\r\n\r\n")
            up.send(OK)
            assert stream.response().status == 200
    origin.stop()


def test_nothing_is_left_behind(scene):
    with h2_scene.client(scene) as client:
        for path in ("/", "/delay/5000", "/bytes/10000000"):
            client.get(path)
    wait_for(lambda: scene.metrics()["sluice_requests_open"] == 0, 5, "no request is open")
    assert unread_bytes(scene.plain.number) == 0

"""Both sides speak HTTP/1.1 to the letter: framing, hop-by-hop headers, small print."""

import pytest

from origin import pattern

AMBIGUOUS = {
    "two lengths": "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "length and chunked": "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length with a sign": "Content-Length: +3\r\n\r\nabc",
    "a list of lengths": "Content-Length: 3, 4\r\n\r\nabc",
    "an unknown coding": "Transfer-Encoding: gzip\r\n\r\nabc",
    "chunked not last": "Transfer-Encoding: chunked, gzip\r\n\r\nabc",
    "a space before the colon": "Content-Length : 3\r\n\r\nabc",
    "a folded line": "X-A: 1\r\n 2\r\n\r\n",
    "a bare CR": "X-A: 1\r2\r\n\r\n",
    "a NUL": "X-A: 1\x002\r\n\r\n",
}


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_ambiguous_framing_is_refused_and_closed(site, what):
    sluice = site()

    with sluice.client() as client:
        client.send("POST /upload HTTP/1.1\r\nHost: a\r\n" + AMBIGUOUS[what])
        response = client.read_response()

        assert response.status in (400, 501)
        assert client.is_closed()
    assert sluice.origins.total("requests") == 0


def test_several_scenes_on_one_connection(site):
    """Keep-alive over every kind of answer: one that is misframed spoils the next."""
    sluice = site()

    with sluice.client() as client:
        assert client.request("/").status == 200
        head = client.request("/bytes/1000", "HEAD")
        assert (head.status, head.get("content-length")) == (200, "1000")
        assert client.request("/status/204").body == b""
        assert client.request("/status/304").body == b""
        assert client.request("/chunked/50000").body == pattern(50000)
        assert client.request("/bytes/0").body == b""
        assert client.request("/echo", "POST", body=b"x" * 100_000).body == b"x" * 100_000
        assert client.request("/status/404").status == 404
        assert client.request("/trailers").trailers == [("X-Trailer", "done")]
        assert client.request("/").status == 200


def test_pipelined_requests_are_answered_in_order(site):
    sluice = site()

    with sluice.client() as client:
        client.send("".join(f"GET /bytes/{n} HTTP/1.1\r\nHost: a\r\n\r\n" for n in range(1, 30)))
        lengths = [client.read_response().body_bytes for _ in range(1, 30)]

    assert lengths == list(range(1, 30))


def test_a_request_byte_by_byte(site):
    sluice = site()

    with sluice.client() as client:
        for byte in "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" \
                    "3\r\nabc\r\n0\r\nX-End: yes\r\n\r\n":
            client.send(byte)
        response = client.read_response()

    assert response.body == b"abc"
    assert response.get("x-body-trailers").lower() == "x-end: yes"


def test_expect_100_continue(site):
    sluice = site()

    with sluice.client() as client:
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                    "Expect: 100-continue\r\n\r\n")
        assert client.read_head().status == 100
        client.send("abc")

        assert client.read_response().body == b"abc"


def test_early_hints_pass(site):
    sluice = site()

    response = sluice.get("/?hints=1")

    assert response.status == 200
    assert [r.status for r in response.interim] in ([103], [])


def test_an_early_answer_reaches_a_client_that_still_sends(site):
    sluice = site()

    with sluice.client() as client:
        client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc")

        assert client.read_response().status == 200


def test_both_directions_stream_at_once(site):
    sluice = site()

    with sluice.client() as client:
        client.send("POST /stream-echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        head = client.read_head()
        assert head.status == 200
        assert b"abc" in client.read_until(b"c\r\n") + b"c"
        client.send("def")
        assert client.read_until(b"0\r\n\r\n") is not None


def raw_head(response):
    lines = response.body.decode().split("\r\n")
    return lines[0], [line.lower() for line in lines[1:]]


def test_hop_by_hop_headers_stay_on_their_hop(site):
    sluice = site()

    with sluice.client() as client:
        response = client.request("/headers", headers=[
            ("Connection", "keep-alive, X-Private"), ("X-Private", "1"), ("Keep-Alive", "5"),
            ("Proxy-Authorization", "secret"), ("TE", "trailers"), ("Upgrade", "h2c"),
            ("X-Public", "1")])

    _, lines = raw_head(response)
    names = [line.split(":")[0] for line in lines if line]
    assert "x-public" in names
    for gone in ("x-private", "keep-alive", "upgrade", "proxy-authorization"):
        assert gone not in names


def test_what_is_added_for_the_origin(site):
    sluice = site()

    response = sluice.get("/headers")

    _, lines = raw_head(response)
    assert "x-forwarded-for: 127.0.0.1" in lines
    assert "x-forwarded-proto: https" in lines
    assert "x-forwarded-host: localhost" in lines
    [sent] = [line for line in lines if line.startswith("x-request-id: ")]
    assert len(sent) > len("x-request-id: ") + 8


@pytest.mark.parametrize("request_text, statuses", [
    ("GET / HTTP/1.1\r\n\r\n", {400}),
    ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", {400, 505}),
    ("nonsense\r\n\r\n", {400}),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "y" * 40_000 + "\r\n\r\n", {431}),
    ("GET / HTTP/1.1\r\nHost: a\r\n" + "X: y\r\n" * 200 + "\r\n", {431}),
    ("GET /" + "y" * 9_000 + " HTTP/1.1\r\nHost: a\r\n\r\n", {414, 431}),
])
def test_bad_requests_get_a_clear_answer(site, request_text, statuses):
    sluice = site()

    with sluice.client() as client:
        client.send(request_text)
        response = client.read_response()

    assert response.status in statuses
    assert 0 < response.body_bytes < 1000
    assert sluice.get().status == 200


def test_a_body_over_the_limit_is_413(site):
    sluice = site(limits={"body_bytes": "10k"})

    with sluice.client() as client:
        client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
        assert client.read_response().status == 413
    assert sluice.get("/").status == 200


def test_no_route_is_404(site):
    sluice = site(routes=[{"host": "known.test", "path": "/", "migration": "api"}])

    assert sluice.get("/").status == 404

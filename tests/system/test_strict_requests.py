"""A request passes in one reading only: what two readers could understand differently
never reaches an origin, and what passes reaches it byte for byte as docs/http.md says."""

import pytest

from http1 import Client, Closed
from ports import ReservedPort
from scripted import OK, Counts, Origin, added, pool, running

SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def get(*fields, target="/x", version="HTTP/1.1"):
    lines = [f"GET {target} {version}", "Host: a", *fields]
    return "\r\n".join(lines) + "\r\n\r\n"


def post(*fields, body=""):
    return "\r\n".join(["POST /x HTTP/1.1", "Host: a", *fields]) + "\r\n\r\n" + body


@pytest.fixture(scope="module")
def scene(certs):
    origin = Origin()
    with running(certs, {"legacy": pool(origin)}) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()


@pytest.fixture(autouse=True)
def clean(scene):
    yield
    scene.origin.hang_up()


# --- refused before any origin hears of it ---------------------------------------------

CHUNKED = "Transfer-Encoding: chunked"
FRAMING = {
    "two lengths": post("Content-Length: 3", "Content-Length: 4", body="abc"),
    "two equal lengths": post("Content-Length: 3", "Content-Length: 3", body="abc"),
    "a list of equal lengths": post("Content-Length: 3, 3", body="abc"),
    "plus": post("Content-Length: +3", body="abc"),
    "minus": post("Content-Length: -3", body="abc"),
    "a blank inside": post("Content-Length: 1 3", body="abc"),
    "hex": post("Content-Length: 0x3", body="abc"),
    "a dot": post("Content-Length: 3.0", body="abc"),
    "an exponent": post("Content-Length: 3e0", body="abc"),
    "a quote": post('Content-Length: "3"', body="abc"),
    "empty": post("Content-Length:", body="abc"),
    "2^63": post("Content-Length: 9223372036854775808", body="abc"),
    "2^64 + 3": post("Content-Length: 18446744073709551619", body="abc"),
    "many digits": post("Content-Length: " + "9" * 400, body="abc"),
    "a length in another script": post("Content-Length: \xb3", body="abc"),
    "length, then chunked": post("Content-Length: 3", CHUNKED, body="0\r\n\r\n"),
    "chunked, then length": post(CHUNKED, "Content-Length: 3", body="0\r\n\r\n"),
    "chunked with length 0": post(CHUNKED, "Content-Length: 0", body="0\r\n\r\n"),
    "chunked twice": post(CHUNKED, CHUNKED, body="0\r\n\r\n"),
    "chunked, chunked": post(CHUNKED + ", chunked", body="0\r\n\r\n"),
    "chunked, gzip": post(CHUNKED + ", gzip", body="0\r\n\r\n"),
    "chunked, identity": post(CHUNKED + ", identity", body="0\r\n\r\n"),
    "identity": post("Transfer-Encoding: identity", body="0\r\n\r\n"),
    "an unknown coding": post("Transfer-Encoding: xchunked", body="0\r\n\r\n"),
    "a quoted coding": post('Transfer-Encoding: "chunked"', body="0\r\n\r\n"),
    "chunked with a parameter": post(CHUNKED + ";q=1", body="0\r\n\r\n"),
    "chunked and a comma": post(CHUNKED + ",", body="0\r\n\r\n"),
    "a comma and chunked": post("Transfer-Encoding: ,chunked", body="0\r\n\r\n"),
    "vertical tab before chunked": post("Transfer-Encoding: \x0bchunked", body="0\r\n\r\n"),
    "form feed behind chunked": post(CHUNKED + "\x0c", body="0\r\n\r\n"),
    "a no-break space before chunked": post("Transfer-Encoding: \xa0chunked", body="0\r\n\r\n"),
    "an empty coding": post("Transfer-Encoding:", body="0\r\n\r\n"),
    "a coding in HTTP/1.0":
        "POST /x HTTP/1.0\r\nHost: a\r\n" + CHUNKED + "\r\n\r\n0\r\n\r\n",
    "a space before the colon": post("Transfer-Encoding : chunked", body="0\r\n\r\n"),
    "a tab before the colon": post("Content-Length\t: 3", body="abc"),
    "a folded coding": post("Transfer-Encoding:\r\n chunked", body="0\r\n\r\n"),
    "a folded length": post("X: y\r\n\tContent-Length: 3", body="abc"),
    "a fold before all fields": "GET /x HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n",
    "a CR in a value": post("X: 1\rContent-Length: 3", body="abc"),
    "a LF for a line": "POST /x HTTP/1.1\r\nHost: a\nContent-Length: 3\r\n\r\nabc",
    "a LF for the last line": "GET /x HTTP/1.1\r\nHost: a\r\n\n",
    "CR CR LF": "GET /x HTTP/1.1\r\nHost: a\r\r\n\r\n",
    "CR for the last line": "GET /x HTTP/1.1\r\nHost: a\r\n\r\r",
}
LINES = {
    "no version": "GET /x\r\n\r\n",
    "HTTP/0.9": "GET /x HTTP/0.9\r\nHost: a\r\n\r\n",
    "lower case": get(version="http/1.1"),
    "two digits": get(version="HTTP/1.10"),
    "a long major": get(version="HTTP/01.1"),
    "no number": get(version="HTTP/"),
    "another protocol": get(version="ICY/1.1"),
    "HTTPS/1.1": get(version="HTTPS/1.1"),
    "two blanks before the target": "GET  /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "two blanks before the version": "GET /x  HTTP/1.1\r\nHost: a\r\n\r\n",
    "a blank in the target": get(target="/x y"),
    "a blank behind the version": get(version="HTTP/1.1 "),
    "a tab for a blank": "GET\t/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "a blank before the method": " GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "no method": "/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method with a slash": "GE/T /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "a method with a colon": "GET: /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "three empty lines before": "\r\n\r\n\r\n" + get(),
    "a LF before": "\n" + get(),
    "a NUL before": "\0" + get(),
    "a fragment": get(target="/x#y"),
    "a relative target": get(target="x"),
    "an asterisk with GET": get(target="*"),
    "two asterisks": "OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n",
    "authority-form with GET": get(target="a:80"),
    "another scheme": get(target="ftp://a/x"),
    "a scheme alone": get(target="http:/x"),
    "an empty authority": get(target="http:///x"),
    "user information": get(target="http://u:p@a/x"),
    "a byte of Latin-1": get(target="/\xe9"),
    "DEL in the target": get(target="/\x7f"),
    "a TLS ClientHello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\xaa" * 32 + "\r\n\r\n",
}
HOSTS = {
    "none": "GET /x HTTP/1.1\r\n\r\n",
    "two": get("Host: a"),
    "two different ones": get("Host: b"),
    "empty": "GET /x HTTP/1.1\r\nHost:\r\n\r\n",
    "a list": "GET /x HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a path": "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "user information": "GET /x HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "a blank": "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a percent sign": "GET /x HTTP/1.1\r\nHost: a%2eb\r\n\r\n",
    "an underscore's friend": "GET /x HTTP/1.1\r\nHost: a;b\r\n\r\n",
    "a port of letters": "GET /x HTTP/1.1\r\nHost: a:http\r\n\r\n",
    "a port that is too high": "GET /x HTTP/1.1\r\nHost: a:65536\r\n\r\n",
    "an empty port": "GET /x HTTP/1.1\r\nHost: a:\r\n\r\n",
    "two ports": "GET /x HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
    "half an IPv6 address": "GET /x HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "an IPv6 address without brackets": "GET /x HTTP/1.1\r\nHost: ::1\r\n\r\n",
    "a tail behind the bracket": "GET /x HTTP/1.1\r\nHost: [::1]a\r\n\r\n",
    "a dot first": "GET /x HTTP/1.1\r\nHost: .a\r\n\r\n",
    "another one than the target's": get(target="http://b/x"),
    "another port than the target's": get(target="http://a:81/x"),
    "a target's in HTTP/1.0 against Host":
        "GET http://b/x HTTP/1.0\r\nHost: a\r\n\r\n",
}
FIELDS = {
    "no name": get(": x"),
    "no colon": get("Name"),
    "a blank first": get(" X: y"),
    "a blank in the name": get("X Y: z"),
    "a quote in the name": get('X": z'),
    "a bracket in the name": get("X[1]: z"),
    "Latin-1 in the name": get("X\xe9: z"),
    "Connection that is no token": get("Connection: a b"),
    "a garbled Upgrade": get("Upgrade: a/b/c"),
}


def expect_refusal(scene, request, statuses):
    counts = Counts(scene)
    with scene.client(tls=False) as client:
        client.send(request + SMUGGLED)
        response = client.read_response()

        assert response.status in statuses
        assert response.get("connection") == "close"
        assert response.get("x-request-id").encode() in response.body
        assert client.is_closed(), "one answer, and not a word more"
    counts.wait("sluice_bad_requests_total", 1)
    counts.wait_sum(["sluice_own_4xx_total", "sluice_own_5xx_total"], 1)
    assert scene.origin.is_untouched()


@pytest.mark.parametrize("what", FRAMING)
def test_framing_that_is_ambiguous_is_refused(scene, what):
    expect_refusal(scene, FRAMING[what], {400, 501})


@pytest.mark.parametrize("what", LINES)
def test_a_request_line_that_is_not_one_is_refused(scene, what):
    expect_refusal(scene, LINES[what], {400, 505})


@pytest.mark.parametrize("what", HOSTS)
def test_a_host_that_is_not_one_is_refused(scene, what):
    expect_refusal(scene, HOSTS[what], {400})


@pytest.mark.parametrize("what", FIELDS)
def test_a_field_that_is_not_one_is_refused(scene, what):
    expect_refusal(scene, FIELDS[what], {400})


@pytest.mark.parametrize("byte", [*range(0x00, 0x09), *range(0x0a, 0x20), 0x7f])
def test_no_control_byte_passes_anywhere(scene, byte):
    c = chr(byte)
    for request in (get(f"X: a{c}b"), get(f"X{c}Y: b"), get(target=f"/a{c}b"), f"GE{c}T" + get()[3:]):
        expect_refusal(scene, request, {400})


@pytest.mark.parametrize("request_text, status", [
    ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
    ("TRACE /x HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    (get(version="HTTP/1.2"), 505),
    (get(version="HTTP/2.0"), 505),
    (get(version="HTTP/9.9"), 505),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 505),
    (post("Transfer-Encoding: gzip, chunked", body="0\r\n\r\n"), 501),
    (post("Content-Length: 3", "Expect: 200-ok", body="abc"), 417),
    (post("Content-Length: 3", "Expect: 100-continue, x", body="abc"), 417),
    (get("Expect: x"), 417),
    (get("Connection: " + ", ".join(f"a{i}" for i in range(40))), 431),
])
def test_what_is_plain_but_not_spoken_here_has_a_status_of_its_own(scene, request_text, status):
    expect_refusal(scene, request_text, {status})


def test_405_names_the_methods(scene):
    with scene.client(tls=False) as client:
        client.send("TRACE /x HTTP/1.1\r\nHost: a\r\n\r\n")

        assert "GET" in client.read_response().get("allow")


# --- refused after the head had to go up ----------------------------------------------

BODIES = {
    "no digit": "x\r\n",
    "an empty size": "\r\n0\r\n\r\n",
    "a sign": "+3\r\nabc\r\n0\r\n\r\n",
    "a negative size": "-1\r\nabc\r\n0\r\n\r\n",
    "0x": "0x3\r\nabc\r\n0\r\n\r\n",
    "a blank first": " 3\r\nabc\r\n0\r\n\r\n",
    "a blank behind": "3 \r\nabc\r\n0\r\n\r\n",
    "a LF behind the size": "3\nabc\r\n0\r\n\r\n",
    "a CR alone behind the size": "3\rabc\r\n0\r\n\r\n",
    "2^63": "8000000000000000\r\nabc\r\n0\r\n\r\n",
    "2^64 + 3": "10000000000000003\r\nabc\r\n0\r\n\r\n",
    "many zeros": "0" * 17 + "3\r\nabc\r\n0\r\n\r\n",
    "data too long": "3\r\nabcd\r\n0\r\n\r\n",
    "data too short": "3\r\nab\r\n0\r\n\r\n",
    "a LF behind the data": "3\r\nabc\n0\r\n\r\n",
    "a CR in an extension": "3;a=\rb\r\nabc\r\n0\r\n\r\n",
    "a LF in an extension": "3;a\nabc\r\n0\r\n\r\n",
    "a NUL in an extension": "3;a=\0\r\nabc\r\n0\r\n\r\n",
    "an endless extension": "3;" + "a" * 5000 + "\r\nabc\r\n0\r\n\r\n",
    "many extensions": "1;a=b\r\nx\r\n" * 2000 + "0\r\n\r\n",
    "a trailer without a colon": "0\r\nX\r\n\r\n",
    "a blank before a trailer's colon": "0\r\nX : y\r\n\r\n",
    "a folded trailer": "0\r\nX: y\r\n z\r\n\r\n",
    "a CR in a trailer": "0\r\nX: y\rz\r\n\r\n",
    "a LF for the last line": "0\r\n\n",
    "endless trailers": "0\r\n" + "X: y\r\n" * 2000 + "\r\n",
}


@pytest.mark.parametrize("what", BODIES)
def test_a_garbled_chunked_body_never_looks_whole_to_the_origin(scene, what):
    with scene.client(tls=False) as client:
        client.send(post(CHUNKED, body=BODIES[what]) + SMUGGLED)
        up = scene.origin.next()
        head = up.read_head()

        response = client.read_response()

        assert response.status in (400, 431)
        assert client.is_closed()
    assert head.startswith("POST /x HTTP/1.1\r\n")
    body = up.read_rest()
    assert b"smuggled" not in body
    assert not body.endswith(b"0\r\n\r\n")
    assert scene.origin.is_untouched()


# --- what passes, byte for byte -------------------------------------------------------

PASSED = {
    "the simplest": (get(), f"GET /x HTTP/1.1\r\nHost: a\r\n{added()}\r\n"),
    "an empty line before": ("\r\n\r\n" + get(),
                             f"GET /x HTTP/1.1\r\nHost: a\r\n{added()}\r\n"),
    "blanks around values": (get("X:1", "Y: \t 2 \t ", "Z:"),
                             f"GET /x HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nZ: \r\n{added()}\r\n"),
    "names keep their case, lines their order": (
        get("x-B: 1", "X-a: 2", "x-b: 3"),
        f"GET /x HTTP/1.1\r\nHost: a\r\nx-B: 1\r\nX-a: 2\r\nx-b: 3\r\n{added()}\r\n"),
    "Host first": ("GET /x HTTP/1.1\r\nX: 1\r\nhOST: A.example:8080\r\n\r\n",
                   "GET /x HTTP/1.1\r\nHost: A.example:8080\r\nX: 1\r\n"
                   f"{added('A.example:8080')}\r\n"),
    "bytes above 127 in a value": (get("X: \xe9\xff\x80"),
                                   f"GET /x HTTP/1.1\r\nHost: a\r\nX: \xe9\xff\x80\r\n{added()}\r\n"),
    "an unknown method": ("PROPFIND /x HTTP/1.1\r\nHost: a\r\n\r\n",
                          f"PROPFIND /x HTTP/1.1\r\nHost: a\r\n{added()}\r\n"),
    "a method in lower case is another one": (
        "get /x HTTP/1.1\r\nHost: a\r\n\r\n", f"get /x HTTP/1.1\r\nHost: a\r\n{added()}\r\n"),
    "percent signs and dots as they came": (
        get(target="/a/%2e%2e/../b//c/./%00?%0d%0a&x=/../"),
        f"GET /a/%2e%2e/../b//c/./%00?%0d%0a&x=/../ HTTP/1.1\r\nHost: a\r\n{added()}\r\n"),
    "absolute-form": (get(target="HTTP://a/x?y"),
                      f"GET /x?y HTTP/1.1\r\nHost: a\r\n{added()}\r\n"),
    "absolute-form without a path": (get(target="http://a"),
                                     f"GET / HTTP/1.1\r\nHost: a\r\n{added()}\r\n"),
    "asterisk-form": ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
                      f"OPTIONS * HTTP/1.1\r\nHost: a\r\n{added()}\r\n"),
    "an IPv6 host": ("GET /x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
                     f"GET /x HTTP/1.1\r\nHost: [::1]:80\r\n{added('[::1]:80')}\r\n"),
    "HTTP/1.0 becomes 1.1": (get(version="HTTP/1.0"),
                             f"GET /x HTTP/1.1\r\nHost: a\r\n{added()}\r\n"),
    "a body with a length": (
        post("Content-Length: 0003", "X: 1", body="abc"),
        f"POST /x HTTP/1.1\r\nHost: a\r\nX: 1\r\n{added()}Content-Length: 3\r\n\r\nabc"),
    "length 0 stays written": (
        post("Content-Length: 0"),
        f"POST /x HTTP/1.1\r\nHost: a\r\n{added()}Content-Length: 0\r\n\r\n"),
    "a body of GET": (
        get("Content-Length: 3") + "abc",
        f"GET /x HTTP/1.1\r\nHost: a\r\n{added()}Content-Length: 3\r\n\r\nabc"),
    "names that only look like framing": (
        get("Content_Length: 3", "X-Content-Length: 3", "Transfer_Encoding: chunked"),
        "GET /x HTTP/1.1\r\nHost: a\r\nContent_Length: 3\r\nX-Content-Length: 3\r\n"
        f"Transfer_Encoding: chunked\r\n{added()}\r\n"),
    "chunks are framed anew, extensions dropped": (
        post("transfer-encoding: ChUnKeD",
             body='03;a="b;c"\r\nabc\r\n00000A ; x\r\n0123456789\r\n0;last\r\n\r\n'),
        f"POST /x HTTP/1.1\r\nHost: a\r\n{added()}Transfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n"),
    "trailers are filtered": (
        post(CHUNKED, "Trailer: X-Sum",
             body="1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nHost: b\r\n"
                  "Transfer-Encoding: gzip\r\nX-Forwarded-For: 6.6.6.6\r\nCookie: a\r\n\r\n"),
        f"POST /x HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\n{added()}"
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"),
}


def expect_bytes(scene, request, expected):
    with scene.client(tls=False) as client:
        client.send(request)
        up = scene.origin.next()

        head = up.read_head()
        body = up.read(len(expected) - len(head)).decode("latin-1") if len(expected) > len(head) \
            else ""

        assert head + body == expected
        up.send(OK)
        response = client.read_response()
        assert (response.status, response.body) == (200, b"ok")
    assert scene.origin.is_untouched()


@pytest.mark.parametrize("what", PASSED)
def test_what_passes_reaches_the_origin_as_the_table_says(scene, what):
    expect_bytes(scene, *PASSED[what])


def test_a_head_may_come_in_any_two_pieces(scene):
    request = post("Content-Length: 3", "X: 1", body="abc")
    with scene.client(tls=False) as client:
        for at in range(1, len(request)):
            client.send(request[:at])
            client.send(request[at:])
            up = scene.origin.next()
            assert up.read_head() == \
                f"POST /x HTTP/1.1\r\nHost: a\r\nX: 1\r\n{added()}Content-Length: 3\r\n\r\n"
            assert up.read(3) == b"abc"
            up.send(OK)
            assert client.read_response().status == 200


def test_expect_waits_for_the_origin_and_not_for_sluice(scene):
    with scene.client(tls=False) as client:
        client.send(post("Content-Length: 3", "Expect: 100-Continue"))
        up = scene.origin.next()
        assert up.read_head() == ("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n"
                                  f"{added()}Content-Length: 3\r\n\r\n")
        up.send("HTTP/1.1 100 Continue\r\n\r\n")
        assert client.read_head().status == 100
        client.send("abc")
        assert up.read(3) == b"abc"
        up.send(OK)

        assert client.read_response().status == 200


def test_a_final_answer_instead_of_100_spares_the_body(scene):
    with scene.client(tls=False) as client:
        client.send(post("Content-Length: 3", "Expect: 100-continue"))
        up = scene.origin.next()
        up.answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        response = client.read_response()

        assert response.status == 403
        assert response.get("connection") == "close", "its body may still come"
        assert client.is_closed()
    assert up.read_rest() == b""


@pytest.mark.parametrize("request_text", [
    get("Expect: 100-continue"),
    post("Content-Length: 0", "Expect: 100-continue"),
    "POST /x HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
])
def test_an_expectation_without_a_body_to_wait_for_is_dropped(scene, request_text):
    with scene.client(tls=False) as client:
        client.send(request_text)
        up = scene.origin.next()

        assert "expect" not in up.read_head().lower()
        up.send(OK)
        assert client.read_response().status == 200


def test_bytes_behind_connection_close_are_nobody_s(scene):
    with scene.client(tls=False) as client:
        client.send(get("Connection: close") + SMUGGLED)
        up = scene.origin.next()
        up.answer()

        assert client.read_response().get("connection") == "close"
        assert client.is_closed()
    assert scene.origin.is_untouched()
    assert bytes(up.buffer) == b""


def test_a_body_cut_short_by_the_client_never_looks_whole(scene):
    for fields, body in (("Content-Length: 10", "abc"), (CHUNKED, "3\r\nabc\r\n")):
        with scene.client(tls=False) as client:
            client.send(post(fields, body=body))
            up = scene.origin.next()
            up.read_head()
            client.half_close()
            with pytest.raises((Closed, ConnectionResetError)):
                client.read_response()
        assert up.read_rest() == body.encode()


def test_a_redirect_listener_is_as_strict_and_asks_no_origin(certs):
    door, origin = ReservedPort(), Origin()
    with running(certs, {"legacy": pool(origin)}, listeners=[
            {"name": "redirect", "address": str(door), "redirect": "https:8443"}]) as sluice:
        with Client(door.address) as client:
            client.send("GET /a?b HTTP/1.1\r\nHost: x.example:80\r\n\r\n"
                        "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            first, second = client.read_response(), client.read_response()
        assert sluice.is_alive()
    assert (first.status, first.get("location")) == (308, "https://x.example:8443/a?b")
    assert second.status == 400
    assert origin.is_untouched()
    origin.stop()
    door.close()

"""What concerns one hop stays on it, what says who is asking is sluice's to say, and no
client can take away or forge what an origin relies on."""

import email.utils
import time

import pytest

from scripted import OK, Origin, added, pool, running

STRANGER = {"trusted": ["192.0.2.0/24"]}


def scene_of(certs, **changes):
    origin = Origin()
    with running(certs, {"legacy": pool(origin)}, **changes) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()


@pytest.fixture(scope="module")
def stranger(certs):
    """Clients are strangers."""
    yield from scene_of(certs, **STRANGER)


@pytest.fixture(scope="module")
def unstripped(certs):
    """Clients are strangers, and may say what they like."""
    yield from scene_of(certs, headers={"strip": ""}, **STRANGER)


@pytest.fixture(scope="module")
def trusting(certs):
    """Clients are trusted, as 127.0.0.0/8 is by default."""
    yield from scene_of(certs)


def forwarded(scene, *fields, method="GET", version="HTTP/1.1", answer=OK, tls=False):
    """The fields that the origin gets, and the answer that the client gets."""
    with scene.client(tls) as client:
        client.send("\r\n".join([f"{method} /x {version}", "Host: a", *fields]) + "\r\n\r\n")
        up = scene.origin.next()
        head = up.answer(answer)
        response = client.read_response(method)
    scene.origin.hang_up()
    assert head.startswith(f"{method} /x HTTP/1.1\r\nHost: a\r\n")
    return head.split("\r\n", 2)[2][:-2], response


REQUESTS = {
    "Keep-Alive": (["Keep-Alive: timeout=5"], ""),
    "Proxy-Connection": (["Proxy-Connection: keep-alive"], ""),
    "Proxy-Authorization": (["Proxy-Authorization: Basic eA=="], ""),
    "Proxy-Authenticate": (["Proxy-Authenticate: Basic"], ""),
    "Proxy, as CGI would see it": (["Proxy: http://evil"], ""),
    "HTTP2-Settings": (["HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"], ""),
    "Upgrade to h2c": (["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"], ""),
    "Upgrade to something else": (["Connection: upgrade", "Upgrade: TLS/1.3"], ""),
    "TE": (["TE: gzip, deflate;q=0.5", "Connection: TE"], ""),
    "fields that Connection names": (
        ["X-A: 1", "Connection: x-a, X-B", "X-B: 2", "X-C: 3"], "X-C: 3\r\n"),
    "several Connections": (
        ["Connection: X-A", "X-A: 1", "Connection: close, X-B", "X-B: 2"], ""),
    "Connection with empty items": (["Connection: ,, X-A , ,", "X-A: 1"], ""),
    "Trailer stays": (["Trailer: X-Sum"], "Trailer: X-Sum\r\n"),
    "Via stays": (["Via: 1.1 edge"], "Via: 1.1 edge\r\n"),
    "Max-Forwards of GET stays": (["Max-Forwards: 0"], "Max-Forwards: 0\r\n"),
}


@pytest.mark.parametrize("what", REQUESTS)
def test_a_request_leaves_its_hop_behind(stranger, what):
    fields, expected = REQUESTS[what]

    got, _ = forwarded(stranger, *fields)

    assert got == expected + added()


def test_te_trailers_goes_on_under_its_own_connection(stranger):
    got, _ = forwarded(stranger, "TE: trailers, gzip", "Connection: te")

    assert got == added() + "TE: trailers\r\nConnection: TE\r\n"


KEPT = ["Authorization: x", "Cookie: a=b", "Content-Type: text/plain", "Cache-Control: no-store",
        "X-Real-IP: 1.1.1.1", "Origin: http://a", "Referer: http://a/", "Sec-Fetch-Site: none",
        "Idempotency-Key: 1", "Via: 1.1 x", "Traceparent: 00-1-2-00", "True-Client-IP: 1.1.1.1"]


@pytest.mark.parametrize("field", KEPT)
def test_connection_takes_nothing_away_that_matters(unstripped, field):
    got, _ = forwarded(unstripped, field, "Connection: close, " + field.split(":")[0])

    assert got == field + "\r\n" + added()


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-For", "X-Forwarded-Proto",
                                  "X-Forwarded-Host", "X-Request-Id", "Content-Length",
                                  "Transfer-Encoding"])
def test_connection_takes_nothing_away_that_sluice_says(stranger, name):
    got, _ = forwarded(stranger, f"Connection: {name}")

    assert got == added()


def test_connection_can_not_unframe_a_body(stranger):
    with stranger.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\n"
                    "Content-Length: 3\r\n\r\nabc")
        up = stranger.origin.next()
        assert up.read_head().endswith("Content-Length: 3\r\n\r\n")
        assert up.read(3) == b"abc"
        up.send(OK)
        assert client.read_response().status == 200
    stranger.origin.hang_up()


# --- who is asking ----------------------------------------------------------------------

FORGED = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 7.7.7.7", "X-Forwarded-Proto: https",
          "X-Forwarded-Host: bank", "Forwarded: for=6.6.6.6", "X-Request-Id: mine"]


def test_a_stranger_s_word_is_replaced(stranger):
    got, _ = forwarded(stranger, *FORGED)

    assert got == added()


def test_a_trusted_peer_s_word_is_kept_and_appended_to(trusting):
    got, _ = forwarded(trusting, *FORGED)

    assert got == ("X-Forwarded-Proto: https\r\nX-Forwarded-Host: bank\r\n"
                   "Forwarded: for=6.6.6.6\r\n"
                   "X-Forwarded-For: 6.6.6.6, 7.7.7.7, 127.0.0.1\r\nX-Request-Id: mine\r\n")


def test_the_scheme_is_that_of_the_connection(stranger):
    got, _ = forwarded(stranger, tls=True)

    assert got == added(proto="https")


@pytest.mark.parametrize("word", ["two words", "x" * 64, "", "caf\xe9", "tab\there", 'quo"te'])
def test_an_id_that_is_not_one_clean_word_is_replaced(trusting, word):
    got, _ = forwarded(trusting, f"X-Request-Id: {word}")

    assert got == added()


def test_ids_differ(stranger):
    ids = set()
    with stranger.client(tls=False) as client:
        for _ in range(50):
            client.send("GET /x HTTP/1.1\r\nHost: b\r\nExpect: x\r\n\r\n")
            break
    for _ in range(50):
        with stranger.client(tls=False) as client:
            client.send("BAD\r\n\r\n")
            ids.add(client.read_response().get("x-request-id"))
    assert len(ids) == 50


# --- Max-Forwards (RFC 9110, 7.6.2) ---------------------------------------------------------

@pytest.mark.parametrize("value, passed_on", [("10", "9"), ("1", "0"), ("007", "6")])
def test_max_forwards_of_options_counts_down(stranger, value, passed_on):
    got, _ = forwarded(stranger, f"Max-Forwards: {value}", method="OPTIONS")

    assert got == f"Max-Forwards: {passed_on}\r\n" + added()


def test_options_that_may_go_no_further_is_answered_here(stranger):
    with stranger.client(tls=False) as client:
        client.send("OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
        response = client.read_response()

        assert response.status == 200
        assert "GET" in response.get("allow")
        assert client.request("/x", headers=[("Expect", "x")]).status == 417
    assert stranger.origin.is_untouched()


# --- responses ------------------------------------------------------------------------------

RESPONSES = {
    "Keep-Alive": ["Keep-Alive: timeout=5"],
    "Proxy-Connection": ["Proxy-Connection: keep-alive"],
    "Proxy-Authenticate": ["Proxy-Authenticate: Basic"],
    "TE": ["TE: trailers"],
    "Upgrade": ["Upgrade: h2c", "Connection: Upgrade"],
    "what Connection names": ["Connection: X-A, close", "X-A: 1"],
    "Connection that is no list": ["Connection: a b"],
}


@pytest.mark.parametrize("what", RESPONSES)
def test_a_response_leaves_its_hop_behind(stranger, what):
    date = "Thu, 01 Jan 1970 00:00:00 GMT"
    text = "\r\n".join(["HTTP/1.1 200 OK", *RESPONSES[what], "X-Public: 1", f"Date: {date}",
                        "Content-Length: 0"]) + "\r\n\r\n"

    _, response = forwarded(stranger, answer=text)

    assert response.headers == [("X-Public", "1"), ("Date", date), ("Content-Length", "0")]


def test_a_response_keeps_what_is_not_sluice_s(stranger):
    fields = [("Server", "x"), ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("Via", "1.1 y"),
              ("Trailer", "X-Sum"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"),
              ("X-Request-Id", "theirs")]
    text = "HTTP/1.1 200 OK\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields) + \
        "Content-Length: 0\r\n\r\n"

    _, response = forwarded(stranger, answer=text)

    assert response.headers == [*fields, ("Content-Length", "0")]


# --- who the client is is not for the client to say -----------------------------------------------

IDENTITY = ["X-Real-IP: 10.0.0.1", "x_real_ip: 10.0.0.1", "X-Forwarded-Port: 1",
            "X-Forwarded-Prefix: /admin", "X-Forwarded-Ssl: on", "X-Forwarded-Client-Cert: x",
            "X-Original-URL: /admin", "X_Forwarded_For: 10.0.0.1", "X_FORWARDED_PROTO: https",
            "True-Client-IP: 10.0.0.1"]


@pytest.mark.parametrize("field", IDENTITY)
def test_a_stranger_does_not_say_who_it_is(stranger, field):
    fields, _ = forwarded(stranger, field)

    assert field.split(":")[0].lower() not in fields.lower()


@pytest.mark.parametrize("field", IDENTITY)
def test_a_trusted_peer_may(trusting, field):
    fields, _ = forwarded(trusting, field)

    assert field in fields


def test_what_is_stripped_is_a_setting(certs):
    for sluice in scene_of(certs, headers={"strip": "X-Mine"}, **STRANGER):
        fields, _ = forwarded(sluice, "X-Mine: 1", "x_mine: 2", "X-Real-IP: kept")

        assert "mine" not in fields.lower() and "X-Real-IP: kept" in fields


# --- Date -----------------------------------------------------------------------------------------


def dates(response):
    return [value for name, value in response.headers if name.lower() == "date"]


def test_an_answer_without_a_date_gets_one(trusting):
    _, response = forwarded(trusting, answer="HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    [date] = dates(response)
    assert abs(email.utils.parsedate_to_datetime(date).timestamp() - time.time()) < 30


def test_an_answer_with_a_date_keeps_it(trusting):
    then = "Tue, 15 Nov 1994 08:12:31 GMT"
    _, response = forwarded(
        trusting, answer=f"HTTP/1.1 200 OK\r\nDate: {then}\r\nContent-Length: 0\r\n\r\n")

    assert dates(response) == [then]


def test_an_answer_of_our_own_has_a_date(trusting):
    with trusting.client(False) as client:
        client.send("GET /x HTTP/1.1\r\n\r\n")
        assert len(dates(client.read_response())) == 1

"""A failed attempt is tried again exactly where that is safe, and then the client notices
nothing: S24 and S25, with the bytes that every server got."""

import contextlib
import threading
import time

import pytest

from http1 import Closed
from scripted import (OK, Counts, Deaf, Origin, added, asked, frozen, outcome, pool, reset,
                      running, side)
from settings import migration

CALM = {"eject": {"failures": 1000}}
GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
SENT = f"GET /x HTTP/1.1\r\nHost: a\r\n{added()}\r\n"
UNAVAILABLE = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nsick"


def post(body, *fields, method="POST"):
    return "\r\n".join([f"{method} /x HTTP/1.1", "Host: a", *fields,
                        f"Content-Length: {len(body)}"]) + f"\r\n\r\n{body}"


def head_of(body, *fields, method="POST"):
    lines = "".join(field + "\r\n" for field in fields)
    return (f"{method} /x HTTP/1.1\r\nHost: a\r\n{lines}{added()}"
            f"Content-Length: {len(body)}\r\n\r\n")


KEY = "Idempotency-Key: 1"

# --- retries: another server of the pool ---------------------------------------------------


@pytest.fixture(scope="module")
def pair(certs):
    """A pool of two servers, each asked in turn."""
    a, b = Origin(), Origin()
    with running(certs, {"legacy": pool(a, b, **CALM)}) as sluice:
        sluice.both = a, b
        yield sluice
    a.stop()
    b.stop()


@pytest.fixture
def both(pair):
    yield pair.both
    for one in pair.both:
        one.hang_up()


def end_of(how):
    return {"closes": lambda up: up.close(),
            "resets": reset,
            "half a head": lambda up: (up.send("HTTP/1.1 200 OK\r\nX: "), up.close())}[how]


@pytest.mark.parametrize("how", ["closes", "resets", "half a head"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_is_safe_is_asked_again_elsewhere(pair, both, method, how):
    counts = Counts(pair)
    with pair.client(tls=False) as client:
        client.send(GET.replace("GET", method))
        up, [other] = asked(*both)
        first = up.read_head()
        end_of(how)(up)

        again = other.next()

        assert again.answer() == first
        assert client.read_response(method).status == 200
    counts.wait("sluice_retries_total", 1)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_what_is_not_safe_is_asked_once_when_bytes_were_sent(pair, both, method):
    with pair.client(tls=False) as client:
        client.send(post("abc", method=method))
        up, [other] = asked(*both)
        up.read_head()
        up.close()

        assert client.read_response().status == 502
    assert other.is_untouched()


def test_an_idempotency_key_makes_it_safe(pair, both):
    with pair.client(tls=False) as client:
        client.send(post("abc" * 1000, KEY))
        up, [other] = asked(*both)
        first = up.read_head() + up.read(3000).decode()
        up.close()

        again = other.next()

        assert again.read_head() + again.read(3000).decode() == first
        assert first == head_of("abc" * 1000, KEY) + "abc" * 1000
        again.send(OK)
        assert client.read_response().status == 200


def test_a_body_under_way_goes_on_to_the_second_server(pair, both):
    with pair.client(tls=False) as client:
        client.send("PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + KEY +
                    "\r\n\r\n3\r\nabc\r\n")
        up, [other] = asked(*both)
        up.read_head()
        assert up.read(8) == b"3\r\nabc\r\n"
        up.close()
        again = other.next()
        again.read_head()
        assert again.read(8) == b"3\r\nabc\r\n"
        client.send("2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n")

        assert again.read_until(b"\r\n\r\n") == b"2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
        again.send(OK)
        assert client.read_response().status == 200


def test_a_body_that_is_no_longer_held_is_not_sent_again(pair, both):
    with pair.client(tls=False) as client:
        client.send(post("x" * 70_000, KEY))
        up, [other] = asked(*both)
        up.read_head()
        up.read(70_000)
        up.close()

        assert client.read_response().status == 502
    assert other.is_untouched()


def test_what_the_client_has_seen_is_not_asked_again(pair, both):
    with pair.client(tls=False) as client:
        client.send(GET)
        up, [other] = asked(*both)
        up.answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        up.half_close()

        with pytest.raises((Closed, ConnectionResetError)):
            client.read_response()
    assert other.is_untouched()


def test_an_interim_answer_does_not_count_as_seen(pair, both):
    with pair.client(tls=False) as client:
        client.send(GET)
        up, [other] = asked(*both)
        up.answer("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        up.half_close()
        other.next().answer()

        response = client.read_response()

        assert (response.status, [r.status for r in response.interim]) == (200, [103])


@pytest.mark.parametrize("answer, status", [(UNAVAILABLE, 503), ("nonsense\r\n\r\n", 502)])
def test_what_a_server_says_is_not_asked_again(pair, both, answer, status):
    with pair.client(tls=False) as client:
        client.send(GET)
        up, [other] = asked(*both)
        up.answer(answer)

        assert client.read_response().status == status
    assert other.is_untouched()


def test_two_attempts_are_all(pair, both):
    with pair.client(tls=False) as client:
        client.send(GET)
        up, [other] = asked(*both)
        up.read_head()
        up.close()
        again = other.next()
        again.read_head()
        again.close()

        assert client.read_response().status == 502
    assert all(one.is_untouched() for one in both)


# --- retries: kept connections ------------------------------------------------------------------

@pytest.fixture(scope="module")
def single(certs):
    """A pool of one server, and one attempt."""
    origin = Origin()
    with running(certs, {"legacy": pool(origin, retry={"attempts": 1}, **CALM)}) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()


@pytest.fixture
def kept(single):
    """A client and an origin's connection that were used once."""
    with single.client(tls=False) as client:
        client.send(GET)
        up = single.origin.next()
        up.answer()
        assert client.read_response().body == b"ok"
        yield client, up
    single.origin.hang_up()


@pytest.mark.parametrize("how", ["closes", "resets"])
@pytest.mark.parametrize("request_text", [GET, post("abc"), post("x" * 50_000)])
def test_a_kept_connection_that_was_closed_is_not_used(single, kept, request_text, how):
    client, up = kept
    with frozen(single):
        end_of(how)(up)
        client.send(request_text)

    again = single.origin.accept()
    again.read_head()
    again.send(OK)

    assert client.read_response().status == 200


def test_a_kept_connection_closed_while_it_was_used_is_nobody_s_failure(single, kept):
    client, up = kept
    counts = Counts(single)
    client.send(GET)
    assert single.origin.next() is up
    up.read_head()
    up.close()

    assert single.origin.accept().answer() == SENT
    assert client.read_response().status == 200
    assert counts.rise("sluice_retries_total") == 0


def test_but_what_is_not_safe_may_have_been_done(single, kept):
    client, up = kept
    client.send(post("abc"))
    assert single.origin.next() is up
    up.read_head()
    up.close()

    assert client.read_response().status == 502
    assert single.origin.is_uncalled()


def test_a_new_connection_that_is_closed_is_a_failure(single):
    with single.client(tls=False) as client:
        client.send(GET)
        up = single.origin.next()
        up.read_head()
        up.close()

        assert client.read_response().status == 502
    assert single.origin.is_uncalled()


# --- retries: servers that can't be reached ---------------------------------------------------------

@pytest.mark.parametrize("mute", [False, True])
def test_what_was_not_sent_is_always_asked_again(certs, mute):
    deaf, origin = Deaf(mute), Origin()
    body = "abc" * 20_000
    with running(certs, {"legacy": pool(deaf, origin, **CALM)}, timeouts={"connect": "200ms"},
                 ) as sluice:
        counts = Counts(sluice)
        for _ in range(4):
            with sluice.client(tls=False) as client:
                client.send(post(body))
                up = origin.next()
                assert up.read_head() == head_of(body)
                assert up.read(len(body)) == body.encode()
                up.send(OK)
                assert client.read_response().status == 200
        assert counts.rise("sluice_retries_total") >= 1
        assert counts.rise("sluice_timeout_connect_total") >= mute
    deaf.stop()
    origin.stop()


def test_a_server_that_can_not_be_reached_in_time_is_ejected(certs):
    deaf, origin = Deaf(mute=True), Origin()
    servers = pool(deaf, origin, eject={"failures": 2}, retry={"attempts": 2})
    with running(certs, {"legacy": servers}, timeouts={"connect": "100ms"}) as sluice:
        with sluice.client(tls=False) as client:
            for _ in range(6):
                client.send(GET)
                origin.next().answer()
                assert client.read_response().status == 200

        ejected = [v for k, v in sluice.metrics().items()
                   if k.startswith("sluice_server_ejected") and deaf.address in k]
        assert ejected == [1]
    deaf.stop()
    origin.stop()


def test_retries_have_a_budget(certs):
    """20 % of requests and ten a second: a pool that is down is not asked twice as often."""
    origin = Origin()
    n = 150

    def hang_up():
        with contextlib.suppress(OSError):
            while True:
                up = origin.accept()
                with contextlib.suppress(Closed):
                    up.read_head()
                up.close()

    with running(certs, {"legacy": pool(origin, **CALM)}) as sluice:
        thread = threading.Thread(target=hang_up)
        thread.start()
        start = time.monotonic()
        with sluice.client(tls=False) as client:
            for _ in range(n):
                client.send(GET)
                assert client.read_response().status == 502
        seconds = time.monotonic() - start
        retries = sluice.metrics()["sluice_retries_total"]
        origin.listener.shutdown(2)
        thread.join()
    assert 10 + n // 5 - 1 <= retries <= 10 + n // 5 + 10 * seconds + 1
    assert retries < n
    origin.stop()


# --- rescue: what new has failed is answered by legacy ------------------------------------------------

@pytest.fixture(scope="module")
def shift(certs):
    """All of the traffic is new's; one attempt there. The budget is no matter here."""
    legacy, new = Origin(), Origin()
    api = migration(100, rescue={"max_body": "8k", "budget": 100.0})
    with running(certs, {"legacy": pool(legacy, retry={"attempts": 1}, **CALM),
                         "new": pool(new, retry={"attempts": 1}, **CALM)}, {"api": api},
                 timeouts={"response_head": "300ms"}, limits={"body_bytes": "100k"}) as sluice:
        sluice.legacy, sluice.new = legacy, new
        yield sluice
    legacy.stop()
    new.stop()


@pytest.fixture
def rescue(shift):
    yield shift
    for one in (shift.legacy, shift.new):
        one.hang_up()


def stall(up):
    """Says nothing, until sluice gives up."""
    assert up.read_rest() == b""


FAILURES = {
    "status": lambda up: up.send(UNAVAILABLE),
    "malformed": lambda up: up.send("nonsense\r\n\r\n"),
    "reset": reset,
    "truncated": lambda up: (up.send("HTTP/1.1 200 OK\r\n"), up.close()),
    "timeout": stall,
}


@pytest.mark.parametrize("how", FAILURES)
def test_legacy_answers_what_new_has_failed(rescue, how):
    counts = Counts(rescue)
    with rescue.client(tls=False) as client:
        client.send(GET)
        up = rescue.new.next()
        assert up.read_head() == SENT
        FAILURES[how](up)

        assert rescue.legacy.next().answer() == SENT
        assert client.read_response().body == b"ok"

    counts.wait(outcome(how, "new"), 1)
    counts.wait(outcome("ok", "legacy"), 1)
    counts.wait(side("rescued_total", "new"), 1)
    counts.wait(side("requests_total", "legacy"), 1)
    assert counts.rise(side("user_errors_total", "legacy")) == 0
    assert counts.rise(side("user_errors_total", "new")) == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504, 507, 599])
def test_an_error_s_status_is_rescued(rescue, status):
    with rescue.client(tls=False) as client:
        client.send(GET)
        rescue.new.next().answer(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")
        rescue.legacy.next().answer()

        assert client.read_response().status == 200


@pytest.mark.parametrize("status", [200, 301, 400, 404, 429, 499, 501, 505])
def test_what_is_no_error_is_not(rescue, status):
    counts = Counts(rescue)
    with rescue.client(tls=False) as client:
        client.send(GET)
        rescue.new.next().answer(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")

        assert client.read_response().status == status
    assert rescue.legacy.is_untouched()
    counts.wait(outcome("ok", "new"), 1)
    assert counts.rise(side("attempt_errors_total", "new")) == 0


def test_what_is_not_safe_keeps_new_s_answer(rescue):
    counts = Counts(rescue)
    with rescue.client(tls=False) as client:
        client.send(post("abc"))
        rescue.new.next().answer(UNAVAILABLE)

        response = client.read_response()

        assert (response.status, response.body) == (503, b"sick")
    assert rescue.legacy.is_untouched()
    counts.wait(side("not_rescued_total", "new"), 1)
    counts.wait(side("user_errors_total", "new"), 1)


@pytest.mark.parametrize("size", [1, 4_000, 8_192])
def test_a_body_that_is_held_goes_to_legacy_whole(rescue, size):
    body = "x" * size
    with rescue.client(tls=False) as client:
        client.send(post(body, KEY))
        up = rescue.new.next()
        up.read_head()
        up.read(size)
        up.send(UNAVAILABLE)

        other = rescue.legacy.next()

        assert other.read_head() == head_of(body, KEY)
        assert other.read(size) == body.encode()
        other.send(OK)
        assert client.read_response().status == 200


def test_one_byte_too_much_for_the_buffer_and_nothing_is_rescued(rescue):
    counts = Counts(rescue)
    body = "x" * 8_193
    with rescue.client(tls=False) as client:
        client.send(post(body, KEY))
        up = rescue.new.next()
        up.read_head()
        up.read(len(body))
        up.send(UNAVAILABLE)

        assert client.read_response().status == 503
    assert rescue.legacy.is_untouched()
    counts.wait(side("not_rescued_total", "new"), 1)


def test_the_rest_of_a_body_goes_to_legacy_alone(rescue):
    with rescue.client(tls=False) as client:
        client.send("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n" + KEY + "\r\n\r\nabc")
        up = rescue.new.next()
        up.read_head()
        assert up.read(3) == b"abc"
        up.send(UNAVAILABLE)
        other = rescue.legacy.next()
        assert other.read_head() == head_of("abcdef", KEY, method="PUT")
        assert other.read(3) == b"abc"
        client.send("def")

        assert other.read(3) == b"def"
        other.send(OK)
        assert client.read_response().status == 200
    assert up.read_rest() == b""


def test_what_the_client_has_seen_of_new_is_not_rescued(rescue):
    with rescue.client(tls=False) as client:
        client.send(GET)
        up = rescue.new.next()
        up.answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        up.half_close()

        with pytest.raises((Closed, ConnectionResetError)):
            client.read_response()
    assert rescue.legacy.is_untouched()


def test_an_interim_answer_of_new_may_be_followed_by_legacy_s(rescue):
    with rescue.client(tls=False) as client:
        client.send(GET)
        rescue.new.next().answer("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + UNAVAILABLE)
        rescue.legacy.next().answer()

        response = client.read_response()

        assert (response.status, [r.status for r in response.interim]) == (200, [103])


@pytest.mark.parametrize("body_bytes, kept", [(0, True), (60_000, True), (200_000, False)])
def test_the_rest_of_new_s_answer_is_dropped_and_its_connection_kept(rescue, body_bytes, kept):
    with rescue.client(tls=False) as client:
        client.send(GET)
        up = rescue.new.next()
        up.read_head()
        up.send(f"HTTP/1.1 503 X\r\nContent-Length: {body_bytes}\r\n\r\n")
        rescue.legacy.next().answer()
        assert client.read_response().body == b"ok"
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            up.send("x" * body_bytes)
        if not kept:
            assert up.read_rest() == b""
        client.send(GET)

        again = rescue.new.next()

        assert (again is up) == kept or (kept and body_bytes > 0)
        again.answer()
        assert client.read_response().body == b"ok"


def test_garbage_behind_the_dropped_answer_ends_its_connection(rescue):
    with rescue.client(tls=False) as client:
        client.send(GET)
        up = rescue.new.next()
        up.answer(UNAVAILABLE + OK)
        rescue.legacy.next().answer()
        assert client.read_response().body == b"ok"
        client.send(GET)

        assert rescue.new.next() is not up
        rescue.new.open[-1].answer()
        assert client.read_response().status == 200


def test_when_legacy_fails_too_that_is_the_answer(rescue):
    counts = Counts(rescue)
    with rescue.client(tls=False) as client:
        client.send(GET)
        rescue.new.next().answer(UNAVAILABLE)
        up = rescue.legacy.next()
        up.read_head()
        up.close()

        assert client.read_response().status == 502
    assert rescue.new.is_untouched() and rescue.legacy.is_untouched()
    counts.wait(side("user_errors_total", "legacy"), 1)


def test_a_limit_of_ours_is_not_rescued(rescue):
    counts = Counts(rescue)
    with rescue.client(tls=False) as client:
        client.send("PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + KEY +
                    "\r\n\r\n1d4c0\r\n" + "x" * 120_000)

        assert client.read_response().status == 413
    assert rescue.legacy.is_untouched()
    counts.wait(outcome("local", "new"), 1)
    assert counts.rise(side("attempt_errors_total", "new")) == 0


def test_what_could_not_be_sent_to_new_goes_to_legacy(certs):
    deaf, legacy = Deaf(), Origin()
    with running(certs, {"legacy": pool(legacy), "new": pool(deaf, **CALM)},
                 {"api": migration(100)}) as sluice:
        counts = Counts(sluice)
        with sluice.client(tls=False) as client:
            client.send(post("abc"))
            up = legacy.next()

            assert up.read_head() == head_of("abc")
            assert up.read(3) == b"abc"
            up.send(OK)
            assert client.read_response().status == 200
        assert counts.rise(outcome("connect", "new")) == 2, "it was tried twice there"
        counts.wait(side("rescued_total", "new"), 1)
    deaf.stop()
    legacy.stop()


def test_a_retry_in_legacy_is_still_allowed_after_a_rescue(certs):
    """One dead server of legacy must not make users pay for new's failure."""
    deaf, legacy, new = Deaf(), Origin(), Origin()
    with running(certs, {"legacy": pool(deaf, legacy, **CALM), "new": pool(new, **CALM)},
                 {"api": migration(100)}) as sluice:
        for _ in range(4):
            with sluice.client(tls=False) as client:
                client.send(GET)
                new.next().answer(UNAVAILABLE)
                legacy.next().answer()
                assert client.read_response().status == 200
    for one in (deaf, legacy, new):
        one.stop()


def test_without_rescue_new_s_error_is_the_answer(certs):
    legacy, new = Origin(), Origin()
    with running(certs, {"legacy": pool(legacy), "new": pool(new)},
                 {"api": migration(100, rescue={"enabled": False})}) as sluice:
        with sluice.client(tls=False) as client:
            client.send(GET)
            new.next().answer(UNAVAILABLE)
            assert client.read_response().status == 503
    assert legacy.is_untouched()
    legacy.stop()
    new.stop()


def test_rescues_have_a_budget(certs):
    legacy, new = Origin(), Origin()
    n = 100
    api = migration(100, rescue={"budget": 0.0})
    with running(certs, {"legacy": pool(legacy), "new": pool(new)}, {"api": api}) as sluice:
        statuses = []
        start = time.monotonic()
        with sluice.client(tls=False) as client:
            for _ in range(n):
                client.send(GET)
                new.next().answer(UNAVAILABLE)
                if (up := legacy.next_unless(client)) is not None:
                    up.answer()
                statuses.append(client.read_response().status)
        seconds = time.monotonic() - start
        rescued = sluice.metrics()[side("rescued_total")]
        refused = sluice.metrics()[side("not_rescued_total")]
    assert statuses.count(200) == rescued
    assert statuses.count(503) == refused
    assert 10 <= rescued <= 10 + 10 * seconds + 1
    legacy.stop()
    new.stop()


def test_no_client_sees_an_error_while_new_fails_within_the_budget(site, send_requests):
    sluice = site(new_percent=10)
    sluice.origins.tell(name="new", fail_percent=100)

    result = send_requests(sluice, 500)

    assert result.failures == []
    assert sluice.metrics()[side("rescued_total")] >= 45

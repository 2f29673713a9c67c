"""What the guards judge is what the pool did: each attempt is counted once, by how it
ended, and nothing that clients do or do not do is held against a pool (S17 to S23)."""

import contextlib
import threading

import pytest

from http1 import Closed
from scripted import (OK, Counts, Deaf, Origin, asked, outcome, pool, reset, running, side)
from settings import migration
from waiting import DeadlinePassed, holds_for, wait_for

GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
ONE_TRY = {"retry": {"attempts": 1}, "eject": {"failures": 1000}}
# A pause that is far longer than what a healthy exchange takes, and far shorter than
# any limit.
PAUSE = 0.4
SHORT = 0.2
OUTCOMES = ["ok", "connect", "tls", "status", "malformed", "truncated", "reset", "timeout",
            "stall", "client_gone", "local"]


@pytest.fixture(scope="module")
def shift(certs):
    """All is new's, and nothing is rescued or tried again: each request is one attempt."""
    legacy, new = Origin(), Origin()
    api = migration(100, rescue={"enabled": False},
                    guard={"mode": "observe", "p95_latency": "200ms", "error_rate": 50.0})
    with running(certs, {"legacy": pool(legacy, **ONE_TRY), "new": pool(new, **ONE_TRY)},
                 {"api": api}, limits={"body_bytes": "1m"},
                 timeouts={"response_head": "1s", "stall": "200ms", "stream_idle": "1s"}) \
            as sluice:
        sluice.new = new
        yield sluice
    legacy.stop()
    new.stop()


@pytest.fixture(autouse=True)
def clean(shift):
    yield
    shift.new.hang_up()


class Attempt(Counts):
    """What one attempt on new has changed."""

    def expect(self, how, error, user_error=None):
        """All that is counted of it, which is told one after the other."""
        expected = {outcome(o): int(o == how) for o in OUTCOMES}
        expected |= {side("attempts_total"): 1,
                     side("attempt_errors_total"): int(error),
                     side("requests_total"): 1,
                     side("user_errors_total"): int(error if user_error is None
                                                    else user_error)}
        with contextlib.suppress(DeadlinePassed):
            wait_for(lambda: self.rises(expected) == expected, 10)
        assert self.rises(expected) == expected

    @property
    def samples(self):
        return self.rise(side("latency_seconds_count"))

    @property
    def seconds(self):
        return self.rise(side("latency_seconds_sum"))


def answered(shift, text, request=GET):
    with shift.client(tls=False) as client:
        client.send(request)
        shift.new.next().answer(text)
        return client.read_response(request.split(" ")[0])


# --- how an attempt ends (S17, S18, S21) --------------------------------------------------

@pytest.mark.parametrize("status, error", [
    (200, False), (204, False), (302, False), (304, False), (400, False), (401, False),
    (404, False), (408, False), (429, False), (500, True), (501, False), (502, True),
    (503, True), (504, True), (505, False), (508, True)])
def test_a_status_is_an_error_or_not(shift, status, error):
    counts = Attempt(shift)

    answered(shift, f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")

    counts.expect("status" if error else "ok", error, user_error=status >= 500)
    assert counts.samples == 1
    row = f'sluice_migration_responses_total{{migration="api",side="new",class="{status // 100}xx"}}'
    counts.wait(row, 1)


ENDS = {
    "nothing said": (lambda up: up.close(), "reset"),
    "reset": (reset, "reset"),
    "half a head": (lambda up: (up.send("HTTP/1.1 2"), up.close()), "truncated"),
    "half a body": (lambda up: (up.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
                                up.close()), "truncated"),
    "half a chunk": (lambda up: (up.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                         "9\r\nabc"), up.close()), "truncated"),
    "no HTTP": (lambda up: up.send("SSH-2.0-OpenSSH\r\n\r\n"), "malformed"),
    "no chunk": (lambda up: up.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz"),
                 "malformed"),
}


@pytest.mark.parametrize("what", ENDS)
def test_a_broken_answer_is_one_error(shift, what):
    act, how = ENDS[what]
    counts = Attempt(shift)
    with asking(shift) as (client, up):
        up.read_head()
        act(up)
        with contextlib.suppress(Closed, ConnectionResetError):
            assert client.read_response().status == 502

    counts.expect(how, error=True)


def test_a_refused_connection_is_one_error(certs):
    deaf, legacy = Deaf(), Origin()
    with running(certs, {"legacy": pool(legacy), "new": pool(deaf, **ONE_TRY)},
                 {"api": migration(100, rescue={"enabled": False})}) as sluice:
        counts = Attempt(sluice)
        assert sluice.get("/x", tls=False).status == 502

        counts.expect("connect", error=True)
    deaf.stop()
    legacy.stop()


def test_a_timeout_is_an_error_and_a_sample_at_its_value(shift):
    counts = Attempt(shift)
    with asking(shift) as (client, up):
        assert client.read_response().status == 504
        up.read_head()

    counts.expect("timeout", error=True)
    assert counts.samples == 1
    assert 0.98 <= counts.seconds < 2.0


def test_a_body_over_our_limit_is_nobody_s_error(shift):
    counts = Attempt(shift)
    with shift.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send("100001\r\n" + "x" * 0x100001 + "\r\n0\r\n\r\n")
        shift.new.next()
        assert client.read_response().status == 413

    counts.expect("local", error=False)


def test_a_garbled_body_of_a_client_is_nobody_s_error(shift):
    counts = Attempt(shift)
    with shift.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
        shift.new.next()
        assert client.read_response().status == 400

    counts.expect("local", error=False)


# --- clients that leave (S19) -----------------------------------------------------------------

@pytest.mark.parametrize("request_text", [
    GET, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"])
def test_a_client_that_leaves_before_an_answer_is_no_error(shift, request_text):
    counts = Attempt(shift)
    with shift.client(tls=False) as client:
        client.send(request_text)
        up = shift.new.next()
        up.read_head()
        reset(client)

    counts.expect("client_gone", error=False)
    counts.wait("sluice_client_gone_total", 1)
    assert counts.samples == 0
    assert up.read_rest() in (b"", b"abc"), "the origin is told at once"


def test_a_client_that_leaves_in_the_middle_of_the_answer_is_no_error(shift):
    counts = Attempt(shift)
    with asking(shift, receive_buffer=4096) as (client, up):
        up.read_head()
        up.send(f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 30}\r\n\r\n")
        client.read_head()
        reset(client)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            up.send(b"x" * (64 << 20))

    counts.expect("client_gone", error=False)


@contextlib.contextmanager
def all_of_new(certs, new_pool=None, **changes):
    with contextlib.ExitStack() as stack:
        legacy, new = Origin(), Origin()
        stack.callback(legacy.stop)
        stack.callback(new.stop)
        pools = {"legacy": pool(legacy), "new": pool(new, **ONE_TRY, **(new_pool or {}))}
        api = migration(100, rescue={"enabled": False})
        yield stack.enter_context(running(certs, pools, {"api": api}, **changes)), new


def test_a_client_that_leaves_the_queue_was_a_request_and_no_error(certs):
    with all_of_new(certs, {"max_requests": 1}) as (sluice, new), \
            sluice.client(tls=False) as first, sluice.client(tls=False) as second:
        first.send(GET)
        new.next()
        counts = Counts(sluice)
        second.send(GET)
        counts.wait(side("queued_total"), 1)
        reset(second)
        counts.wait("sluice_client_gone_total", 1)

        assert counts.rise(side("requests_total")) == 1
        assert counts.rise(side("user_errors_total")) == 0
        assert counts.rise(side("attempts_total")) == 0


def test_events_that_end_in_silence_were_a_request(certs):
    with all_of_new(certs, timeouts={"tunnel_idle": "500ms"}) as (sluice, new), \
            sluice.client(tls=False) as client:
        counts = Counts(sluice)
        client.send(GET)
        up = new.next()
        up.answer("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        client.read_head()
        counts.wait("sluice_timeout_stream_idle_total", 1)

        counts.wait(side("requests_total"), 1)
        assert counts.rise(side("user_errors_total")) == 0


def late(shift):
    guard = next(g for g in shift.status()["guard"]["guards"] if g["name"] == "p95_latency")
    return guard["bad"]


def test_lateness_is_known_before_the_client_leaves_and_stays_known(shift):
    before = late(shift)  # another test's, where the machine was busy
    with asking(shift) as (client, up):
        up.read_head()
        wait_for(lambda: late(shift) == before + 1, 2, "the guard knows of one that is late")
        counts = Attempt(shift)
        reset(client)
        counts.expect("client_gone", error=False)

    assert late(shift) == before + 1, "and it is counted once"


# --- whose time it was (S22) ---------------------------------------------------------------------

@contextlib.contextmanager
def asking(shift, **options):
    """A client that has asked, and the connection on which new hears it."""
    with shift.client(tls=False, **options) as client:
        client.send(GET)
        yield client, shift.new.next()


def passes(shift, seconds=PAUSE):
    """Time goes by while nothing happens."""
    holds_for(shift.is_alive, seconds, "sluice is there")


def test_time_that_the_origin_takes_is_the_pool_s(shift):
    counts = Attempt(shift)
    with asking(shift) as (client, up):
        passes(shift)
        up.answer()
        client.read_response()

    assert counts.samples == 1
    assert counts.seconds >= PAUSE * 0.98


@pytest.mark.parametrize("expect", [False, True])
def test_time_that_a_client_takes_for_its_body_is_not(shift, expect):
    counts = Attempt(shift)
    with shift.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" +
                    "Expect: 100-continue\r\n" * expect + "\r\n")
        up = shift.new.next()
        up.read_head()
        if expect:
            up.send("HTTP/1.1 100 Continue\r\n\r\n")
            assert client.read_head().status == 100
        passes(shift)
        client.send("abc")
        assert up.read(3) == b"abc"
        up.send(OK)
        client.read_response()

    counts.expect("ok", error=False)
    assert counts.samples == 1
    assert counts.seconds < SHORT


def test_time_until_a_promised_100_is_the_pool_s(shift):
    """The client waits for the origin here, and not the other way round."""
    counts = Attempt(shift)
    with shift.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                    "Expect: 100-continue\r\n\r\n")
        up = shift.new.next()
        passes(shift)
        up.read_head()
        up.send("HTTP/1.1 100 Continue\r\n\r\n")
        assert client.read_head().status == 100
        client.send("abc")
        assert up.read(3) == b"abc"
        up.send(OK)
        client.read_response()

    assert counts.seconds >= PAUSE * 0.98


def test_an_origin_that_withholds_its_100_times_out_as_the_pool(shift):
    counts = Attempt(shift)
    with shift.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                    "Expect: 100-continue\r\n\r\n")
        shift.new.next()
        assert client.read_response().status == 504

    counts.expect("timeout", error=True)


def test_time_in_which_the_origin_does_not_read_is_the_pool_s(shift):
    counts = Attempt(shift)
    body = "x" * 900_000
    shift.new.listener.setsockopt(1, 8, 4096)  # SO_RCVBUF of what it accepts
    with shift.client(tls=False) as client:
        client.send(f"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        up = shift.new.next()
        passes(shift)
        up.read_head()
        up.read(len(body))
        up.send(OK)
        client.read_response()

    assert counts.seconds >= PAUSE * 0.98


def test_time_that_a_client_takes_to_read_is_not(shift):
    counts = Attempt(shift)
    size = 8 << 20
    with asking(shift, receive_buffer=4096) as (client, up):
        up.read_head()
        up.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        client.read_head()
        up.socket.setblocking(False)
        left = size
        with contextlib.suppress(BlockingIOError):
            while left > 0:
                left -= up.socket.send(b"x" * min(left, 65536))
        passes(shift)
        up.socket.settimeout(10)

        rest = threading.Thread(target=lambda: up.send(b"x" * left))
        rest.start()
        client.read_exactly(size, len)
        rest.join()

    counts.expect("ok", error=False)
    assert counts.seconds < SHORT


def test_time_in_the_queue_is_the_pool_s(certs):
    legacy, new = Origin(), Origin()
    servers = pool(new, **ONE_TRY)
    servers["servers"][0]["max_requests"] = 1
    with running(certs, {"legacy": pool(legacy), "new": servers},
                 {"api": migration(100)}) as sluice, \
            sluice.client(tls=False) as first, sluice.client(tls=False) as second:
        counts = Attempt(sluice)
        first.send(GET)
        up = new.next()
        up.read_head()
        second.send(GET)
        wait_for(lambda: counts.rise(side("queued_total")) == 1, 5, "the second one waits")
        passes(sluice)
        up.send(OK)
        first.read_response()
        new.next().answer()
        second.read_response()

        counts.wait(outcome("ok"), 2)
        assert counts.samples == 2
        assert counts.seconds >= PAUSE * 0.98
    legacy.stop()
    new.stop()


def test_the_refusal_of_a_full_pool_is_booked_to_it(certs):
    legacy, new = Origin(), Origin()
    with running(certs, {"legacy": pool(legacy), "new": pool(new, max_requests=1, max_pending=1)},
                 {"api": migration(100)}) as sluice, contextlib.ExitStack() as stack:
        counts = Counts(sluice)
        clients = [stack.enter_context(sluice.client(tls=False)) for _ in range(3)]
        clients[0].send(GET)
        up = new.next()
        up.read_head()
        clients[1].send(GET)
        wait_for(lambda: counts.rise(side("queued_total")) == 1, 5, "the second one waits")

        clients[2].send(GET)

        assert clients[2].read_response().status == 503
        counts.wait(side("user_errors_total", "new"), 1)
        assert counts.rise(side("user_errors_total", "legacy")) == 0
        up.send(OK)
        clients[0].read_response()
        new.next().answer()
        clients[1].read_response()
    legacy.stop()
    new.stop()


# --- bodies that stand still (S23) --------------------------------------------------------------

LENGTH = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc", "def", False
CHUNKS = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "0\r\n\r\n", False
EVENTS = ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "0\r\n\r\n", False)
UNTIL_CLOSE = "HTTP/1.1 200 OK\r\n\r\nabc", "def", True


@contextlib.contextmanager
def standing_still(shift, begin):
    """Until after the stall, and after it to the end."""
    counts = Attempt(shift)
    with asking(shift) as (client, up):
        up.answer(begin)
        counts.wait(outcome("stall"))
        yield counts, client, up
    wait_for(lambda: counts.rise("sluice_requests_open") == 0, 5, "it is over")


@pytest.mark.parametrize("begin, rest, close", [LENGTH, CHUNKS])
def test_a_promised_body_that_stands_still_is_one_error_at_once(shift, begin, rest, close):
    with standing_still(shift, begin) as (counts, client, up):
        up.send(rest)

        assert client.read_response().body.startswith(b"abc"), "and the user gets all of it"

    counts.expect("stall", error=True, user_error=False)


@pytest.mark.parametrize("begin, rest, close", [LENGTH, CHUNKS])
def test_whatever_comes_after_a_stall_is_not_counted_again(shift, begin, rest, close):
    with standing_still(shift, begin) as (counts, client, up):
        up.close()
        with pytest.raises((Closed, ConnectionResetError)):
            client.read_response()

    counts.expect("stall", error=True, user_error=True)


@pytest.mark.parametrize("begin, rest, close", [EVENTS, UNTIL_CLOSE])
def test_a_stream_may_stand_still(shift, begin, rest, close):
    counts = Attempt(shift)
    with asking(shift) as (client, up):
        up.answer(begin)
        passes(shift)
        assert counts.rise(outcome("stall")) == 0
        up.send(rest)
        if close:
            up.half_close()
        client.read_response()

    counts.expect("ok", error=False)


def test_a_body_that_the_client_does_not_read_does_not_stall(shift):
    counts = Attempt(shift)
    with asking(shift, receive_buffer=4096) as (client, up):
        up.read_head()
        up.send(f"HTTP/1.1 200 OK\r\nContent-Length: {64 << 20}\r\n\r\n")
        client.read_head()
        up.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while up.socket.send(b"x" * 65536):
                pass
        passes(shift)
        assert counts.rise(outcome("stall")) == 0
        reset(client)

    counts.expect("client_gone", error=False)


def test_an_upload_that_the_client_leaves_standing_blames_no_pool(shift):
    """The answer has begun, and both wait for the client: when stream_idle has passed that is
    no error of new."""
    counts = Attempt(shift)
    with shift.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        up = shift.new.next()
        up.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        with pytest.raises((Closed, ConnectionResetError)):
            client.read_response()

    counts.wait(side("attempts_total"))
    assert counts.rise(side("attempt_errors_total")) == 0


# --- sums -----------------------------------------------------------------------------------------

def test_bytes_and_users_are_counted(shift):
    counts = Attempt(shift)
    with shift.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + "x" * 1000)
        up = shift.new.next()
        up.read_head()
        up.read(1000)
        up.send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + "y" * 500)
        client.read_response()

    counts.expect("ok", error=False)
    counts.wait(side("received_bytes_total"), 1000)
    counts.wait(side("sent_bytes_total"), 500)


def test_each_retry_is_an_attempt_with_a_time_of_its_own(certs):
    legacy, a, b = Origin(), Origin(), Origin()
    with running(certs, {"legacy": pool(legacy), "new": pool(a, b, eject={"failures": 100})},
                 {"api": migration(100)}) as sluice:
        counts = Attempt(sluice)
        with sluice.client(tls=False) as client:
            client.send(GET)
            up, [other] = asked(a, b)
            up.read_head()
            passes(sluice)
            up.close()
            other.next().answer()
            assert client.read_response().status == 200

        counts.wait(side("attempts_total"), 2)
        counts.wait(outcome("reset"), 1)
        counts.wait(outcome("ok"), 1)
        counts.wait(side("retries_total"), 1)
        counts.wait(side("requests_total"), 1)
        assert counts.rise(side("user_errors_total")) == 0
        assert counts.samples == 1 and counts.seconds < SHORT
    for one in (legacy, a, b):
        one.stop()


def test_a_rescue_is_no_retry_and_legacy_s_time_is_legacy_s(certs):
    legacy, new = Origin(), Origin()
    with running(certs, {"legacy": pool(legacy), "new": pool(new)},
                 {"api": migration(100)}) as sluice:
        counts = Attempt(sluice)
        with sluice.client(tls=False) as client:
            client.send(GET)
            up = new.next()
            up.read_head()
            passes(sluice)
            up.send("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
            legacy.next().answer()
            assert client.read_response().status == 200

        assert counts.rise(side("retries_total", "new")) == 0
        assert counts.rise(side("retries_total", "legacy")) == 0
        assert counts.seconds >= PAUSE * 0.98
        counts.wait(side("latency_seconds_count", "legacy"), 1)
        assert counts.rise(side("latency_seconds_sum", "legacy")) < SHORT
    legacy.stop()
    new.stop()


def test_a_stale_connection_is_nobody_s_error(shift):
    with asking(shift) as (client, up):
        up.answer()
        client.read_response()
        counts = Attempt(shift)
        client.send(GET)
        shift.new.next()
        up.close()
        shift.new.accept().answer()
        assert client.read_response().status == 200

    counts.wait(outcome("ok"), 1)
    assert counts.rise(side("attempt_errors_total")) == 0
    assert counts.rise(side("retries_total")) == 0

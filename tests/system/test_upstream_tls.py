"""To a pool that speaks TLS nothing is sent before its server has shown who it is; what
fails before that is an error of class tls, and may be answered by another server."""

import contextlib
import hashlib
import socket
import ssl
import subprocess
import threading

import pytest

import process
from http1 import Closed
from scripted import OK, Counts, Origin, frozen, outcome, pool, running, side
from settings import migration
from waiting import wait_for

GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
ONE_TRY = {"retry": {"attempts": 1}, "eject": {"failures": 1000}}


def server_context(folder, name="demo", **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    context.seen_names = []
    context.sni_callback = lambda _, asked, ctx: context.seen_names.append(asked)
    for key, value in options.items():
        setattr(context, key, value)
    return context


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """Certificates of a CA that nobody trusts."""
    folder = tmp_path_factory.mktemp("strange")
    subprocess.run([str(process.REPO / "certs/make.sh"), str(folder)], check=True,
                   stdout=subprocess.DEVNULL)
    return folder


@contextlib.contextmanager
def shifted(certs, context, tls, rescue=False, more=None):
    """All is new's, which speaks TLS."""
    legacy, new = Origin(), Origin(tls=context)
    api = migration(100, rescue={"enabled": rescue})
    with running(certs, {"legacy": pool(legacy), "new": pool(new, tls=tls, **ONE_TRY)},
                 {"api": api}, **(more or {})) as sluice:
        sluice.legacy, sluice.new = legacy, new
        yield sluice
    legacy.stop()
    new.stop()


class Handshakes:
    """Takes part in handshakes that may fail."""

    def __init__(self, origin, n=1):
        self.origin, self.n, self.results = origin, n, []
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        for _ in range(self.n):
            try:
                self.origin.accept()
                self.results.append("done")
            except (ssl.SSLError, ConnectionError, OSError) as problem:
                self.results.append(type(problem).__name__)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()


# --- a server that is who it says --------------------------------------------------------------

@pytest.fixture(scope="module")
def good(certs):
    context = server_context(certs)
    with shifted(certs, context, {"ca_file": str(certs / "ca.pem")},
                 more={"timeouts": {"stream_idle": "5s"}}) as sluice:
        sluice.context = context
        yield sluice


@pytest.fixture
def site_of(good):
    yield good
    good.new.hang_up()


def test_by_address(site_of):
    with site_of.client(tls=False) as client:
        client.send(GET)
        up = site_of.new.next()
        up.answer()
        assert client.read_response().body == b"ok"

    assert site_of.context.seen_names[-1] is None, "an address is no name (RFC 6066, 3)"
    assert up.socket.version() == "TLSv1.3"


def test_one_connection_serves_many(site_of):
    with site_of.client(tls=False) as client:
        for _ in range(20):
            client.send(GET)
            up = site_of.new.next()
            up.answer()
            assert client.read_response().body == b"ok"
    assert site_of.new.open == [up]


@pytest.mark.parametrize("tls", [False, True])
def test_large_bodies_both_ways(site_of, tls):
    body = bytes(range(256)) * 20_000
    with site_of.client(tls) as client:
        sender = threading.Thread(target=lambda: client.send(
            f"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body))
        sender.start()
        up = site_of.new.next()
        up.read_head()
        got = up.read(len(body))
        sender.join()
        echo = threading.Thread(target=lambda: up.send(
            f"HTTP/1.1 200 OK\r\nContent-Length: {len(got)}\r\n\r\n".encode() + got))
        echo.start()
        response = client.read_response()
        echo.join()

    assert response.sha256 == hashlib.sha256(body).hexdigest()


def test_a_body_until_close_ends_with_the_goodbye(site_of):
    with site_of.client(tls=False) as client:
        client.send(GET)
        up = site_of.new.next()
        up.answer("HTTP/1.1 200 OK\r\n\r\nabc")
        with contextlib.suppress(OSError):
            up.socket.unwrap()

        assert client.read_response().body == b"abc"


def test_without_the_goodbye_it_was_cut_off(site_of):
    """Anybody on the path can send a FIN (RFC 9112, 9.8)."""
    counts = Counts(site_of)
    with site_of.client(tls=False) as client:
        client.send(GET)
        up = site_of.new.next()
        up.answer("HTTP/1.1 200 OK\r\n\r\nabc")
        socket.socket.shutdown(up.socket, socket.SHUT_WR)

        with pytest.raises((Closed, ConnectionResetError)):
            client.read_response()
    counts.wait(outcome("reset"))


@pytest.mark.parametrize("text", [
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"])
def test_what_frames_itself_needs_no_goodbye(site_of, text):
    with site_of.client(tls=False) as client:
        client.send(GET)
        up = site_of.new.next()
        up.answer(text)
        socket.socket.shutdown(up.socket, socket.SHUT_WR)

        assert client.read_response().body == b"abc"


def test_bytes_behind_the_answer_end_the_connection(site_of):
    with site_of.client(tls=False) as client:
        for late in (False, True):
            client.send(GET)
            up = site_of.new.next()
            up.answer(OK if late else OK + OK)
            assert client.read_response().body == b"ok"
            if late:
                with frozen(site_of):
                    up.send(OK.replace("ok", "no"))
                    client.send(GET)
            else:
                client.send(GET)
            again = site_of.new.accept()
            again.answer()
            assert client.read_response().body == b"ok"


@pytest.mark.parametrize("request_text", [
    GET, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"])
def test_a_kept_connection_that_was_closed_is_not_used(site_of, request_text):
    with site_of.client(tls=False) as client:
        client.send(GET)
        up = site_of.new.next()
        up.answer()
        client.read_response()
        with frozen(site_of):
            with contextlib.suppress(OSError):
                up.socket.settimeout(0)
                up.socket.unwrap()
            up.close()
            client.send(request_text)
        again = site_of.new.accept()
        again.answer()

        assert client.read_response().status == 200


# --- names -----------------------------------------------------------------------------------

def test_the_name_is_asked_for_and_checked(certs):
    context = server_context(certs)
    tls = {"ca_file": str(certs / "ca.pem"), "server_name": "demo.sluice.test"}
    with shifted(certs, context, tls) as sluice, sluice.client(tls=False) as client:
        client.send(GET)
        sluice.new.next().answer()
        assert client.read_response().status == 200
    assert context.seen_names == ["demo.sluice.test"]


# --- a server that is not who it should be -------------------------------------------------------

def fails(certs, context, tls):
    with shifted(certs, context, tls) as sluice:
        counts = Counts(sluice)
        with Handshakes(sluice.new) as handshakes, sluice.client(tls=False) as client:
            client.send(GET)
            response = client.read_response()
        assert response.status == 502
        assert b"TLS" in response.body
        counts.wait(outcome("tls"), 1)
        counts.wait(side("attempt_errors_total"), 1)
        assert all(up.read_rest() == b"" for up in sluice.new.open), "and nothing was sent"
        return handshakes.results


def test_another_name_is_refused(certs):
    fails(certs, server_context(certs), {"ca_file": str(certs / "ca.pem"),
                                         "server_name": "other.sluice.test"})


def test_another_ca_is_refused(certs, strange):
    fails(certs, server_context(strange), {"ca_file": str(certs / "ca.pem")})


def test_the_system_s_cas_are_the_default(certs):
    fails(certs, server_context(certs), {"server_name": "demo.sluice.test"})


def test_tls_1_1_is_refused(certs):
    old = server_context(certs, minimum_version=ssl.TLSVersion.TLSv1_1,
                         maximum_version=ssl.TLSVersion.TLSv1_1)
    fails(certs, old, {"ca_file": str(certs / "ca.pem")})


def test_unless_nobody_is_to_check(certs, strange):
    with shifted(certs, server_context(strange), {"verify": False}) as sluice, \
            sluice.client(tls=False) as client:
        client.send(GET)
        sluice.new.next().answer()
        assert client.read_response().status == 200


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x03\xff\xff"])
def test_a_server_that_speaks_no_tls(certs, says):
    with shifted(certs, None, {"ca_file": str(certs / "ca.pem")}) as sluice:
        counts = Counts(sluice)
        with sluice.client(tls=False) as client:
            client.send(GET)
            up = sluice.new.accept()
            up.fill()
            assert b"GET" not in up.buffer
            up.send(says)
            up.half_close()
            assert client.read_response().status == 502
        counts.wait(outcome("tls"), 1)


def test_a_handshake_that_does_not_end_is_a_timeout(certs):
    with shifted(certs, None, {"ca_file": str(certs / "ca.pem")},
                 more={"timeouts": {"connect": "300ms"}}) as sluice:
        counts = Counts(sluice)
        with sluice.client(tls=False) as client:
            client.send(GET)
            up = sluice.new.accept()
            assert client.read_response().status == 504
            assert b"GET" not in up.read_rest()
        counts.wait(outcome("timeout"), 1)


def test_legacy_gets_what_could_not_be_sent(certs, strange):
    body = "abc" * 5_000
    with shifted(certs, server_context(strange), {"ca_file": str(certs / "ca.pem")},
                 rescue=True) as sluice:
        with Handshakes(sluice.new), sluice.client(tls=False) as client:
            client.send(f"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n{body}")
            up = sluice.legacy.next()
            up.read_head()
            assert up.read(len(body)) == body.encode()
            up.send(OK)
            assert client.read_response().status == 200
        wait_for(lambda: sluice.metrics()[outcome("tls")] == 1, 5, "the error of new")

"""Whatever some clients do, the others are served: small and quick versions of the attacks
that a public address sees, all against one data thread, with a healthy client beside them."""

import contextlib
import socket
import ssl
import subprocess
import threading
import time

import pytest

import settings
from attackers import attacking
from http1 import Closed, client_context, timed
from origin import Origins
from scripted import Counts, running
from waiting import PATIENCE, wait_for

GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
CROWD = 200
# Far above what a request takes on a busy machine, far below what starving looks like.
SLOW = 2.0 * PATIENCE


@contextlib.contextmanager
def before_an_origin(certs, **timeouts):
    """One data thread, and an origin behind it; nobody else's host is known."""
    servers = Origins(legacy=1)
    routes = [{"host": host, "path": "/", "pool": "legacy"} for host in ("localhost", "a")]
    with running(certs, {"legacy": settings.pool(servers["legacy"])}, routes=routes,
                 timeouts=timeouts) as instance:
        instance.origins = servers
        yield instance
    servers.stop()


@pytest.fixture(scope="module")
def sluice(certs):
    with before_an_origin(certs, client_header="1s", tls_handshake="1s") as instance:
        yield instance


@contextlib.contextmanager
def crowd(sluice, n=CROWD, tls=False, **options):
    """Many connections, opened and left to the attack."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(sluice.client(tls, **options)) for _ in range(n)]


def expect_health(sluice, n=40):
    """A client on a kept connection, and new ones over TLS."""
    slowest = 0.0
    with sluice.client(tls=False) as kept:
        for i in range(n):
            start = time.monotonic()
            assert kept.request("/").status == 200
            if i % 10 == 0:
                assert sluice.get("/").status == 200
            slowest = max(slowest, time.monotonic() - start)
    assert slowest < SLOW


def median_seconds(sluice, n=51):
    with sluice.client(tls=False) as kept:
        return sorted(timed(lambda: kept.request("/"))[1] for _ in range(n))[n // 2]


# --- heads and bodies in drops -----------------------------------------------------------------

def test_slow_heads(sluice):
    counts = Counts(sluice)
    with crowd(sluice) as clients:
        for client in clients:
            client.send("GET / HTTP/1.1\r\nHost: a\r\n")
        for letter in "X-A: b":
            for client in clients:
                client.send(letter)
            expect_health(sluice, 5)
        assert sluice.metrics()["sluice_requests_open"] >= CROWD

        wait_for(lambda: counts.rise("sluice_timeout_client_header_total") == CROWD, 10,
                 "all of them are told")
        assert all(client.read_response().status == 408 for client in clients)


def test_slow_bodies(sluice):
    with crowd(sluice) as clients:
        for client in clients:
            client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        for _ in range(9):
            for client in clients:
                client.send("x")
        expect_health(sluice)
        for client in clients:
            client.send("x")
        assert all(client.read_response().status == 200 for client in clients)


def test_header_floods(sluice):
    counts = Counts(sluice)
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            with contextlib.suppress(ConnectionError, Closed, TimeoutError), \
                    sluice.client(tls=False) as client:
                client.send("GET / HTTP/1.1\r\nHost: a\r\n" + "X: y\r\n" * 20_000)
                client.read_head()

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    expect_health(sluice)
    stop.set()
    for thread in threads:
        thread.join()

    assert counts.rise("sluice_limit_header_count_total") > 0


# --- connections ---------------------------------------------------------------------------------

def test_connections_that_come_and_go(sluice):
    stop = threading.Event()

    def storm():
        while not stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection(sluice.plain.address) as c:
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    threads = [threading.Thread(target=storm) for _ in range(2)]
    for thread in threads:
        thread.start()
    expect_health(sluice)
    stop.set()
    for thread in threads:
        thread.join()

    wait_for(lambda: sluice.metrics()["sluice_connections_open"] == 0, 10, "nobody is left")


def test_a_crowd_from_one_address_is_held_to_its_limit(certs):
    with before_an_origin(certs) as sluice:
        sluice.reload(limits={"connections_per_client": 20})
        counts = Counts(sluice)
        with attacking("head", sluice.plain.address, CROWD):
            wait_for(lambda: counts.rise("sluice_limit_connections_per_client_total") >= CROWD - 20,
                     10, "the others are closed")
            assert sluice.metrics()["sluice_connections_open"] <= 20
            for _ in range(10):
                response, seconds = timed(
                    lambda: sluice.get("/", tls=False, source="127.0.0.2"))
                assert response.status == 200
                assert seconds < SLOW


def test_connections_that_say_nothing(sluice):
    with crowd(sluice):
        expect_health(sluice)
        wait_for(lambda: sluice.metrics()["sluice_connections_open"] >= CROWD, 5, "all are in")


def test_readers_with_tiny_windows(sluice, is_sanitized):
    before = sluice.rss_bytes()
    n, size = 30, 4 << 20
    with crowd(sluice, n, receive_buffer=2048) as clients:
        for client in clients:
            client.send(f"GET /bytes/{size} HTTP/1.1\r\nHost: a\r\n\r\n")
        sluice.origins.wait_requests(n)
        for _ in range(5):
            for client in clients:
                client.socket.recv(1)
            expect_health(sluice, 5)
        if not is_sanitized:
            assert sluice.rss_bytes() - before < n * 256 * 1024


def test_peers_that_vanish(certs):
    """They ask, and then neither read nor close: an upstream is not held by them."""
    with before_an_origin(certs, stream_idle="500ms") as sluice, \
            crowd(sluice, 50, receive_buffer=2048) as clients:
        for client in clients:
            client.send(f"GET /bytes/{8 << 20} HTTP/1.1\r\nHost: a\r\n\r\n")
        sluice.origins.wait_requests(50)
        expect_health(sluice)

        wait_for(lambda: sluice.metrics()["sluice_requests_open"] == 0, 10, "all are given up")


def test_one_connection_does_not_keep_the_thread(sluice):
    """Requests that sluice answers itself come as fast as they can be sent; one thread has
    others to serve between them."""
    flood = b"GET / HTTP/1.1\r\nHost: b\r\n\r\n" * 40_000
    stop = threading.Event()
    greedy = [sluice.client(tls=False) for _ in range(2)]

    def ask(client):
        with contextlib.suppress(OSError):
            while not stop.is_set():
                client.socket.sendall(flood)

    def listen(client):
        with contextlib.suppress(OSError):
            while client.socket.recv(1 << 20):
                pass

    threads = [threading.Thread(target=f, args=(c,)) for c in greedy for f in (ask, listen)]
    for thread in threads:
        thread.start()
    wait_for(lambda: sluice.metrics()["sluice_no_route_total"] > 1000, 5, "the flood is on")

    try:
        expect_health(sluice)
        assert median_seconds(sluice) < 0.01 * PATIENCE
    finally:
        stop.set()
        for client in greedy:
            with contextlib.suppress(OSError):
                client.socket.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for client in greedy:
            client.close()


# --- TLS ------------------------------------------------------------------------------------------

class Pieces:
    """A TLS client whose first flight is cut as the test likes."""

    def __init__(self, sluice, version=None):
        self.socket = socket.create_connection(sluice.web.address, timeout=10 * PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = client_context(sluice.ca)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def hello(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    def drive(self, step):
        while True:
            try:
                result = step()
                self.socket.sendall(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                self.socket.sendall(self.outgoing.read())
                data = self.socket.recv(65536)
                if not data:
                    raise ConnectionResetError from None
                self.incoming.write(data)

    def ask(self):
        self.drive(self.tls.do_handshake)
        self.tls.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.socket.sendall(self.outgoing.read())
        return self.drive(lambda: self.tls.read(65536))

    def close(self):
        self.socket.close()


def records(handshake, size):
    """The same message in records of at most so many bytes."""
    body = handshake[5:]
    return b"".join(b"\x16\x03\x01" + len(body[i:i + size]).to_bytes(2, "big") + body[i:i + size]
                    for i in range(0, len(body), size))


@pytest.mark.parametrize("cut", ["bytes", "records", "records of one byte"])
def test_a_client_hello_in_pieces(sluice, cut):
    pieces = Pieces(sluice)
    hello = pieces.hello()
    if cut == "bytes":
        for i in range(len(hello)):
            pieces.socket.sendall(hello[i:i + 1])
    else:
        pieces.socket.sendall(records(hello, 100 if cut == "records" else 1))
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        assert pieces.ask().startswith(b"HTTP/1.1 200 ")
        cut = "done"
    pieces.close()

    assert cut in ("done", "records of one byte"), "only the last may be refused"
    expect_health(sluice, 5)


def test_handshakes_that_do_not_go_on(sluice):
    counts = Counts(sluice)
    crowd_of = [Pieces(sluice) for _ in range(100)]
    for pieces in crowd_of:
        pieces.socket.sendall(pieces.hello()[:200])
    expect_health(sluice)

    wait_for(lambda: counts.rise("sluice_timeout_tls_handshake_total") == 100, 10, "they end")
    for pieces in crowd_of:
        assert pieces.socket.recv(1) == b""
        pieces.close()


def test_a_flood_of_handshakes_is_metered(certs):
    """Whoever begins more than its share is closed before it costs a signature."""
    with before_an_origin(certs) as sluice:
        sluice.reload(limits={"handshakes_per_client": 20})
        counts = Counts(sluice)
        with attacking("hellos", sluice.web.address, 100):
            wait_for(lambda: counts.rise("sluice_limit_handshakes_per_client_total") > 100, 10,
                     "the flood is on")
            for _ in range(10):
                response, seconds = timed(lambda: sluice.get("/", source="127.0.0.2"))
                assert response.status == 200
                assert seconds < SLOW


GARBAGE = {
    "a record longer than any may be": b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000,
    "a record a little too long": b"\x16\x03\x01\x48\x01" + b"\x01" * 0x4801,
    "a ClientHello of 16 MiB": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"\x00" * 0x3ffc,
    "empty records": b"\x16\x03\x01\x00\x00" * 1000,
    "warnings": b"\x15\x03\x01\x00\x02\x01\x00" * 1000,
    "data before the handshake": b"\x17\x03\x03\x00\x10" + b"\x00" * 16,
    "SSLv2": b"\x80\x2e\x01\x03\x01" + b"\x00" * 100,
    "plain HTTP": GET.encode(),
    "noise": bytes(range(255, 0, -1)) * 20,
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_instead_of_a_handshake(sluice, what):
    counts = Counts(sluice)
    with socket.create_connection(sluice.web.address, timeout=10 * PATIENCE) as raw:
        with contextlib.suppress(ConnectionError):
            raw.sendall(GARBAGE[what])
            while raw.recv(65536):
                pass

    counts.wait("sluice_handshake_failures_total")
    expect_health(sluice, 5)


def test_renegotiation_is_refused(sluice):
    command = ["openssl", "s_client", "-connect", "{}:{}".format(*sluice.web.address), "-tls1_2",
               "-servername", "localhost", "-CAfile", str(sluice.ca)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as client:
        output, _ = client.communicate(b"R\n" * 1, timeout=20)

    assert b"RENEGOTIATING" in output
    assert b"no renegotiation" in output
    expect_health(sluice, 5)


def test_requests_in_records_of_one_byte(sluice):
    with sluice.client() as client:
        for byte in "GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3:
            client.send(byte)
        assert [client.read_response().status for _ in range(3)] == [200] * 3

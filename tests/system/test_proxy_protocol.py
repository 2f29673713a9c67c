"""Behind a balancer that speaks the PROXY protocol, the client is whom the header names;
who is not trusted to name anybody is not listened to."""

import contextlib
import socket
import struct

import pytest

from http1 import Client, Closed, client_context
from scripted import Counts, Origin, pool
from sluice import Sluice
from waiting import wait_for

GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
SIGN = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL = SIGN + b"\x20\0\0\0"


def v1(client, local="198.51.100.9", family="TCP4"):
    return f"PROXY {family} {client} {local} 40000 443\r\n".encode()


def v2(client, local="198.51.100.9", family=socket.AF_INET, tlvs=b""):
    addresses = (socket.inet_pton(family, client) + socket.inet_pton(family, local) +
                 struct.pack("!HH", 40000, 443) + tlvs)
    kind = 0x11 if family == socket.AF_INET else 0x21
    return SIGN + struct.pack("!BBH", 0x21, kind, len(addresses)) + addresses


@contextlib.contextmanager
def behind_a_balancer(certs, origin, **changes):
    """Both listeners expect the header, and 127.0.0.1 may send it."""
    instance = Sluice(certs, {"legacy": pool(origin)},
                      **{"workers": 1, "trusted": ["127.0.0.1"], **changes})
    for listener in instance.config["listeners"]:
        listener["proxy_protocol"] = True
    try:
        yield instance.start()
    finally:
        instance.finish()


@pytest.fixture(scope="module")
def scene(certs):
    origin = Origin()
    with behind_a_balancer(certs, origin) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()


@pytest.fixture(autouse=True)
def clean(scene):
    yield
    scene.origin.hang_up()


class Balanced(Client):
    """A client behind a balancer: the header, then perhaps TLS."""

    def __init__(self, sluice, header, tls=False, source=None):
        super().__init__((sluice.web if tls else sluice.plain).address, source=source)
        self.send(header)
        if tls:
            self.socket = client_context(sluice.ca).wrap_socket(
                self.socket, server_hostname="localhost")


def is_served(client, origin, request=GET):
    """The head that the origin gets."""
    client.send(request)
    up = origin.next()
    head = up.answer()
    assert client.read_response().status == 200
    return head


def forwarded_for(head):
    return [line.partition(": ")[2] for line in head.split("\r\n")
            if line.lower().startswith("x-forwarded-for:")]


def is_refused(client):
    with contextlib.suppress(ConnectionResetError, BrokenPipeError, Closed):
        client.send(GET)
        client.read_head()
        return False
    return True


HEADERS = {
    "v1": (v1("192.0.2.7"), "192.0.2.7"),
    "v1, IPv6": (v1("2001:db8::7", "2001:db8::9", "TCP6"), "2001:db8::7"),
    "v1, mapped": (v1("::ffff:192.0.2.7", "2001:db8::9", "TCP6"), "192.0.2.7"),
    "v1, unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v2": (v2("192.0.2.7"), "192.0.2.7"),
    "v2, IPv6": (v2("2001:db8::7", "2001:db8::9", socket.AF_INET6), "2001:db8::7"),
    "v2, TLVs": (v2("192.0.2.7", tlvs=b"\4\0\x03abc\1\0\2h2"), "192.0.2.7"),
    "v2, local": (LOCAL, "127.0.0.1"),
    "v2, a path": (SIGN + b"\x21\x31\0\xd8" + bytes(216), "127.0.0.1"),
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("which", HEADERS)
def test_the_origin_hears_of_the_client_that_the_header_names(scene, which, tls):
    header, address = HEADERS[which]
    with Balanced(scene, header, tls) as client:
        assert forwarded_for(is_served(client, scene.origin)) == [address]
        assert forwarded_for(is_served(client, scene.origin)) == [address]


def test_the_header_and_the_request_may_come_together(scene):
    with Balanced(scene, v1("192.0.2.7") + GET.encode()) as client:
        assert forwarded_for(scene.origin.next().answer()) == ["192.0.2.7"]
        assert client.read_response().status == 200


@pytest.mark.parametrize("header", [v1("192.0.2.7"), v2("192.0.2.7", tlvs=b"\4\0\0")],
                         ids=["v1", "v2"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_it_may_come_byte_by_byte(scene, header, tls):
    with Client((scene.web if tls else scene.plain).address) as client:
        for i in range(len(header)):
            client.send(header[i:i + 1])
        if tls:
            client.socket = client_context(scene.ca).wrap_socket(
                client.socket, server_hostname="localhost")
        assert forwarded_for(is_served(client, scene.origin)) == ["192.0.2.7"]


def test_what_the_client_says_of_itself_does_not_count(scene):
    """Trust is asked for the client, not for the balancer."""
    with Balanced(scene, v1("192.0.2.7")) as client:
        head = is_served(client, scene.origin,
                         GET[:-2] + "X-Forwarded-For: 10.1.1.1\r\n\r\n")

        assert forwarded_for(head) == ["192.0.2.7"]


def test_a_client_that_is_trusted_itself_may_say_more(scene):
    with Balanced(scene, v1("127.0.0.1")) as client:
        head = is_served(client, scene.origin,
                         GET[:-2] + "X-Forwarded-For: 10.1.1.1\r\n\r\n")

        assert forwarded_for(head) == ["10.1.1.1, 127.0.0.1"]


BAD = {
    "a request": GET.encode(),
    "a ClientHello": b"\x16\3\1\0\x50\1\0\0\x4c\3\3",
    "another family": b"PROXY UDP4 192.0.2.7 192.0.2.8 1 2\r\n",
    "a bad address": b"PROXY TCP4 192.0.2.777 192.0.2.8 1 2\r\n",
    "a line too long": b"PROXY UNKNOWN " + b"x" * 100,
    "v2, version 3": SIGN + b"\x31\x11\0\0",
    "v2, too short": SIGN + b"\x21\x11\0\4abcd",
    "v2, too long": SIGN + b"\x21\x11\xff\xff",
}


@pytest.mark.parametrize("which", BAD)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_what_is_no_header_ends_the_connection(scene, which, tls):
    counts = Counts(scene)
    with Client((scene.web if tls else scene.plain).address) as client:
        with contextlib.suppress(ConnectionResetError):
            client.send(BAD[which])
            assert client.is_closed()
    counts.wait("sluice_proxy_header_bad_total", 1)
    assert counts.rise("sluice_handshake_failures_total") == 0
    assert scene.origin.is_untouched()


def test_a_balancer_that_only_looks_whether_somebody_listens_is_no_failure(scene):
    counts = Counts(scene)
    with Client(scene.plain.address):
        wait_for(lambda: counts.rise("sluice_connections_open") == 1, 5, "it is in")
    wait_for(lambda: counts.rise("sluice_connections_open") == 0, 5, "it has left")

    assert counts.rise("sluice_proxy_header_bad_total") == 0
    assert counts.rise("sluice_handshake_failures_total") == 0


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_who_is_not_trusted_is_closed_at_once(scene, tls):
    counts = Counts(scene)
    with Client((scene.web if tls else scene.plain).address, source="127.0.0.2") as client:
        with contextlib.suppress(ConnectionResetError):
            assert client.is_closed()
    counts.wait("sluice_proxy_header_untrusted_total", 1)
    assert counts.rise("sluice_connections_total") == 0


def test_a_slow_header_has_the_time_of_a_handshake(certs):
    origin = Origin()
    with behind_a_balancer(certs, origin, timeouts={"tls_handshake": "300ms"}) as sluice:
        counts = Counts(sluice)
        with Client(sluice.plain.address) as client:
            client.send(v1("192.0.2.7")[:20])

            assert client.is_closed()
        counts.wait("sluice_timeout_tls_handshake_total", 1)
        assert counts.rise("sluice_handshake_failures_total") == 0
    origin.stop()


def test_connections_are_counted_by_the_address_of_the_header(certs):
    origin = Origin()
    with behind_a_balancer(certs, origin, limits={"connections_per_client": 2}) as sluice:
        counts = Counts(sluice)
        with Balanced(sluice, v1("192.0.2.7")) as first, \
                Balanced(sluice, v2("192.0.2.7")) as second:
            is_served(first, origin)
            is_served(second, origin)
            with Balanced(sluice, v1("192.0.2.7")) as third:
                assert is_refused(third)
            counts.wait("sluice_limit_connections_per_client_total", 1)
            with Balanced(sluice, v1("192.0.2.8"), tls=True) as other:
                is_served(other, origin)
        wait_for(lambda: sluice.metrics()["sluice_connections_open"] == 0, 5, "they have left")
        with Balanced(sluice, v1("192.0.2.7")) as first, \
                Balanced(sluice, v1("192.0.2.7")) as second:
            is_served(first, origin)
            is_served(second, origin)
    origin.stop()


def test_a_reload_says_it_for_the_connections_that_come_after_it(certs):
    origin = Origin()
    with behind_a_balancer(certs, origin) as sluice:
        with Balanced(sluice, v1("192.0.2.7")) as before:
            is_served(before, origin)
            for listener in sluice.config["listeners"]:
                listener["proxy_protocol"] = False
            assert sluice.reload()["action"] == "reload"

            assert forwarded_for(is_served(before, origin)) == ["192.0.2.7"]
            wait_for(lambda: is_plain(sluice, origin), 5, "no header is expected")
    origin.stop()


def is_plain(sluice, origin):
    with contextlib.suppress(ConnectionResetError, BrokenPipeError, Closed):
        with Client(sluice.plain.address) as client:
            client.send(GET)
            up = origin.next_unless(client)
            return up is not None and forwarded_for(up.answer()) == ["127.0.0.1"]
    return False


def test_connections_that_threads_hand_over_keep_their_clients(certs):
    origin = Origin()
    with behind_a_balancer(certs, origin, workers=4) as sluice, contextlib.ExitStack() as stack:
        for i in range(1, 41):
            client = stack.enter_context(Balanced(sluice, v1(f"192.0.2.{i}"), tls=i % 2 == 0))
            assert forwarded_for(is_served(client, origin)) == [f"192.0.2.{i}"]
        loads = [n for name, n in sluice.metrics().items()
                 if name.startswith("sluice_thread_connections_open")]

        assert sum(loads) == 40 and max(loads) - min(loads) <= 3, loads
    origin.stop()

"""An answer that comes before the whole request was sent arrives, whatever the client has
still to say (RFC 9112, 9.6). The clients here are the common kind: they read nothing before
they have sent all."""

import contextlib
import resource
import threading
import time

import pytest

from scripted import OK, Origin, pool, running

TIMES = 20
BODY = b"x" * 65536
BLOCKS = 128  # 8 MiB: more than any two sockets hold
MOST = 1024  # that linger, of a data thread
EXPECT = "Expect: 100-continue\r\n"


class Refusing:
    """An origin that answers a head at once, and reads on only until its peer has gone."""

    def __init__(self):
        self.origin = Origin()
        self.threads = []
        self.stopped = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.stopped:
            with contextlib.suppress(Exception):
                up = self.origin.next()
                one = threading.Thread(target=self._answer, args=(up,), daemon=True)
                one.start()
                self.threads.append(one)

    @staticmethod
    def _answer(up):
        with contextlib.suppress(Exception):
            status = up.read_head().split(" ")[1].lstrip("/")
            up.send(f"HTTP/1.1 {status} No\r\nContent-Length: 2\r\nConnection: close\r\n"
                    "\r\nno")
            while up.fill():
                up.buffer.clear()

    def stop(self):
        self.stopped = True
        self.origin.stop()


@pytest.fixture(scope="module")
def scene(certs):
    origin = Refusing()
    with running(certs, {"legacy": pool(origin.origin, retry={"attempts": 1})},
                 limits={"body_bytes": "20m"}) as sluice:
        yield sluice
    origin.stop()


def upload(client, head, framing, pause=0.0):
    """Sends all of a body, and only then looks for an answer: its status."""
    client.send(head + "\r\n")
    for _ in range(BLOCKS):
        client.send(b"10000\r\n" + BODY + b"\r\n" if framing == "chunked" else BODY)
        if pause:
            time.sleep(pause)
    if framing == "chunked":
        client.send(b"0\r\n\r\n")
    return client.read_response().status


def head_of(path, framing, expect="", length=BLOCKS * len(BODY)):
    frame = ("Transfer-Encoding: chunked\r\n" if framing == "chunked"
             else f"Content-Length: {length}\r\n")
    return f"POST {path} HTTP/1.1\r\nHost: a\r\n{frame}{expect}"


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("expect", ["", EXPECT], ids=["", "expect"])
def test_the_origin_s_refusal_arrives(scene, tls, framing, expect):
    statuses = [401, 403, 404, 413, 417]

    got = []
    for status in statuses * (TIMES // len(statuses)):
        with scene.client(tls=tls) as client:
            got.append(upload(client, head_of(f"/{status}", framing, expect), framing))

    assert got == statuses * (TIMES // len(statuses))


OURS = {
    "413": (head_of("/200", "length", length=1 << 30), 413),
    "417": (head_of("/200", "length", "Expect: a miracle\r\n"), 417),
    "400": (head_of("/200", "length", "Content-Length: 5\r\n"), 400),
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("refusal", OURS)
def test_our_own_refusal_arrives(scene, tls, refusal):
    head, status = OURS[refusal]

    for _ in range(TIMES):
        with scene.client(tls=tls) as client:
            assert upload(client, head, "length") == status


@pytest.mark.parametrize("path, length", [("/413", BLOCKS * len(BODY)), ("/200", 1 << 30)],
                         ids=["origin", "ours"])
def test_it_arrives_over_a_slow_link_too(scene, path, length):
    with scene.client(tls=False) as client:
        assert upload(client, head_of(path, "length", length=length), "length", 0.03) == 413


def test_a_flood_of_them_takes_a_bounded_number_of_descriptors(scene):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    head = head_of("/x", "length", "Expect: a miracle\r\n")

    with contextlib.ExitStack() as stack:
        before = scene.fds()
        for _ in range(MOST + 200):
            client = stack.enter_context(scene.client(tls=False))
            client.send(head + "\r\n")
            assert client.read_response().status == 417
        taken = scene.fds() - before
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert MOST - 50 < taken < MOST + 50


def test_a_connection_that_answered_too_early_is_not_used_again(certs):
    origin = Origin()
    with running(certs, {"legacy": pool(origin)}) as sluice, sluice.client(tls=False) as client:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf1")
        up = origin.next()
        up.read_head()
        up.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200")
        client.send("half2")
        assert up.read(10) == b"half1half2"
        up.send("k")
        client.read_exactly(2, len)

        assert up.read_rest() == b"", "it is closed"
        up.close()
        with sluice.client(tls=False) as other:
            other.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            later = origin.next()
            assert later is not up
            later.answer()
            assert other.read_response().status == 200
    origin.stop()

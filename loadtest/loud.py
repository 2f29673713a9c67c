"""Loud clients and a loud server of HTTP/2, each in a process of its own:
loud.py KIND HOST PORT. Says "ready" when all have begun, and goes on until its
input ends. `server` prints its port instead, and answers each request in frames of one byte."""

import contextlib
import os
import pathlib
import select
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/system"))
sys.dont_write_bytecode = True

from h2_frames import (ACK, DATA, END_HEADERS, HEADERS, PREFACE, SETTINGS, block,  # noqa: E402
                       data, frame, get, headers, settings, window_update)

CRUMBS = data(1, b"x", False) * 1600
ANSWER_FRAMES = 60_000
INITIAL_WINDOW_SIZE = 4


def connect(address):
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2"])
    tls = context.wrap_socket(socket.create_connection(address, 10))
    tls.setblocking(False)
    return tls


class Loud:
    """One connection: what it says first, and again and again."""

    first, again, n = b"", b"", 8

    def __init__(self, address):
        self.address = address
        self.begin()

    def begin(self):
        self.tls = connect(self.address)
        self.left = PREFACE + self.first

    def step(self):
        """False: nothing to do until the socket has something."""
        try:
            with contextlib.suppress(ssl.SSLWantReadError):
                if self.tls.recv(65536) == b"":
                    raise ConnectionError
            if not self.left:
                self.left = self.again
            if self.left:
                self.left = self.left[self.tls.send(self.left):]
                return True
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        except OSError:
            self.tls.close()
            with contextlib.suppress(OSError):
                self.begin()
        return False


class Crumbs(Loud):
    """An upload in DATA frames of one byte."""

    first = settings() + headers(1, get("/upload", "POST"), END_HEADERS)
    again = CRUMBS


class Overflow(Loud):
    """Streams that are opened and whose window is then made too large."""

    def begin(self):
        super().begin()
        self.left += settings()
        post = block(get("/upload", "POST"))
        for n in range(1, 20_000, 2):
            self.left += headers(n, post, END_HEADERS) + window_update(n, (1 << 31) - 1)


class Windows(Loud):
    """A hundred large answers that may not be sent."""

    n = 40
    first = settings((INITIAL_WINDOW_SIZE, 0)) + b"".join(
        headers(stream, get("/bytes/300000")) for stream in range(1, 200, 2))


class Posts(Loud):
    """A hundred uploads that do not go on."""

    n = 60
    first = settings() + b"".join(
        headers(stream, get("/upload", "POST"), END_HEADERS) for stream in range(1, 200, 2))


class Eater(Loud):
    """Asks the server that answers in crumbs, over HTTP/1.1."""

    again = b"GET /crumbs HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def begin(self):
        context = ssl._create_unverified_context()
        self.tls = context.wrap_socket(socket.create_connection(self.address, 10))
        self.tls.setblocking(False)
        self.left = self.again
        self.eaten = 0

    def step(self):
        try:
            piece = self.tls.recv(65536)
            self.eaten += piece.count(b"x")
            if self.eaten >= ANSWER_FRAMES or piece == b"":
                self.tls.close()
                self.begin()
        except ssl.SSLWantReadError:
            pass
        except OSError:
            self.tls.close()
            with contextlib.suppress(OSError):
                self.begin()
        if self.left:
            self.left = self.left[self.tls.send(self.left):]
        return False


KINDS = {"crumbs": Crumbs, "overflow": Overflow, "windows": Windows, "posts": Posts,
         "eaters": Eater}


def be_loud(kind, address):
    crowd = [KINDS[kind](address) for _ in range(KINDS[kind].n)]
    for one in crowd:
        one.step()
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        if not sum([one.step() for one in crowd]):
            time.sleep(0.001)


# --- the server -----------------------------------------------------------------------------------

def read_exactly(peer, n):
    got = b""
    while len(got) < n:
        piece = peer.recv(n - len(got))
        if not piece:
            raise ConnectionError
        got += piece
    return got


def answer(peer):
    with contextlib.suppress(OSError), peer:
        read_exactly(peer, len(PREFACE))
        peer.sendall(settings())
        while True:
            head = read_exactly(peer, 9)
            read_exactly(peer, int.from_bytes(head[:3], "big"))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            if kind == SETTINGS and not flags & ACK:
                peer.sendall(frame(SETTINGS, ACK))
            if kind == HEADERS:
                peer.sendall(headers(stream, [(":status", "200")], END_HEADERS))
                for _ in range(ANSWER_FRAMES // 1000):
                    peer.sendall(data(stream, b"x", False) * 1000)
                peer.sendall(frame(DATA, 1, stream))


def serve():
    with socket.create_server(("127.0.0.1", 0)) as door:
        print(door.getsockname()[1], flush=True)
        while select.select([sys.stdin, door], [], [])[0] == [door]:
            threading.Thread(target=answer, args=(door.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    if sys.argv[1] == "server":
        serve()
    else:
        be_loud(sys.argv[1], (sys.argv[2], int(sys.argv[3])))

"""Clients that mean no good, many at once and in a process of their own, so that they do not
slow down the one that measures: attackers.py KIND HOST PORT N.

Says "ready" when all N have begun, goes on (anew, where it is thrown out) until its input ends,
and then says how many times it began. The least of priorities: what is measured is what sluice
does for others, not what is left of the processor.
"""

import contextlib
import os
import select
import socket
import ssl
import subprocess
import sys
import time

TURNS = 20  # of a second; each attacker has one turn a second
ANEW = 4
UPLOAD = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
DOWNLOAD = b"GET /bytes/262144 HTTP/1.1\r\nHost: a\r\n\r\n"


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


class Attacker:
    """What it says first, and then a byte of `drops` each second; or it reads one."""

    receive_buffer = None
    first, drops = b"", b""
    hurries = False  # begins anew every few turns

    def __init__(self, address):
        self.address = address
        self.socket = None
        self.turn = self.dropped = 0

    def begin(self):
        self.socket = socket.socket()
        if self.receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self.socket.settimeout(5)
        self.socket.connect(self.address)
        self.socket.setblocking(False)
        self.dropped = 0
        self.say(self.first)

    def say(self, data):
        with contextlib.suppress(BlockingIOError):
            self.socket.send(data)

    def go_on(self):
        if self.drops:
            at = self.dropped % len(self.drops)
            self.say(self.drops[at:at + 1])
            self.dropped += 1

    def end(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None


class Head(Attacker):
    first, drops = b"GET / HTTP/1.1\r\nHost: a\r\n", b"X-A: b\r\n"


class Body(Attacker):
    first, drops = UPLOAD, b"x"


class TinyWindow(Attacker):
    first, receive_buffer = DOWNLOAD, 2048

    def go_on(self):
        with contextlib.suppress(BlockingIOError):
            self.socket.recv(1)


class Vanished(Attacker):
    """Asks, and is never heard of again."""

    first, receive_buffer = DOWNLOAD, 2048


class Silent(Attacker):
    pass


class Fragments(Attacker):
    hello = client_hello()
    first, drops = hello[:1], hello[1:]


class Oversize(Attacker):
    first, hurries = b"\x16\x03\x01\xff\xff" + b"\x01" * 16_384, True


class Hellos(Attacker):
    """Lets the server do the dear half of a handshake, and begins the next one."""

    first, hurries = client_hello(), True


class Comers(Attacker):
    """Connections that come and go."""

    hurries = True


KINDS = {"head": Head, "body": Body, "tiny window": TinyWindow, "vanished": Vanished,
         "silent": Silent, "fragments": Fragments, "oversize": Oversize, "hellos": Hellos,
         "comers": Comers}


def take_turn(attacker):
    """How often it began."""
    attacker.turn += 1
    try:
        if attacker.hurries and attacker.turn % ANEW == 0:
            attacker.end()
        if attacker.socket is not None:
            attacker.go_on()
            return 0
        attacker.begin()
        return 1
    except OSError:
        attacker.end()
        return 0


def attack(kind, address, n):
    crowd = [KINDS[kind](address) for _ in range(n)]
    began = sum(take_turn(a) for a in crowd)
    print("ready", flush=True)
    part = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        due = time.monotonic() + 1 / TURNS
        began += sum(take_turn(a) for a in crowd[part::TURNS])
        part = (part + 1) % TURNS
        time.sleep(max(0.0, due - time.monotonic()))
    print(began, flush=True)


@contextlib.contextmanager
def attacking(kind, address, n):
    """In the test: the attack goes on inside."""
    command = [sys.executable, __file__, kind, address[0], str(address[1]), str(n)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.stdin.close()
            process.stdout.read()


if __name__ == "__main__":
    os.nice(19)
    attack(sys.argv[1], (sys.argv[2], int(sys.argv[3])), int(sys.argv[4]))

"""What can be counted instead of timed, and so does not mind a busy machine:
instructions by callgrind, system calls by strace, bytes by the kernel's maps."""

import re
import signal
import subprocess
import tempfile

import handshakes
import measure
import proxies


class Floor(handshakes.Counted, proxies.Floor):
    name = "floor"


COUNTED = handshakes.COUNTED | {"floor": Floor}
CONNECTIONS, STREAMS = 32, 32
H2_CONNECTIONS = 16


def by_difference(count, few, many):
    """Two runs of different length: what only beginning and ending costs falls out."""
    return (count(many) - count(few)) / (many - few)


def h1_instructions(proxy, bin_folder, requests):
    with measure.Load(bin_folder, measure.url(proxy), "--connections", CONNECTIONS,
                      "--warm", 0, "--warm-requests", 10, "--requests", requests) as load:
        def work():
            load.go()
            load.end()

        return handshakes.counted(proxy, work) / requests


def h2_instructions(proxy, few, many):
    measure.h2_exact(proxy, H2_CONNECTIONS, STREAMS, few)
    return by_difference(
        lambda n: handshakes.counted(
            proxy, lambda: measure.h2_exact(proxy, H2_CONNECTIONS, STREAMS, n)), few, many)


class Strace:
    """Counts the system calls of a proxy from here to its total()."""

    def __init__(self, proxy):
        self.out = tempfile.NamedTemporaryFile("r", prefix="strace-")
        self.tracer = subprocess.Popen(
            ["strace", "-c", "-f", "-o", self.out.name,
             *[a for pid in proxy.pids() for a in ("-p", str(pid))]],
            stderr=subprocess.PIPE, text=True)
        for _ in proxy.pids():
            said = self.tracer.stderr.readline()
            if "attached" not in said:
                self.tracer.wait()
                raise measure.Failed(f"strace cannot attach: {said.strip()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.tracer.poll() is None:
            self.total()

    def total(self):
        self.tracer.send_signal(signal.SIGINT)
        self.tracer.communicate()
        with self.out as out:
            found = re.search(r"^\s*100\.00\s+\S+\s+(?:\d+\s+)?(\d+)\s", out.read(), re.M)
        return int(found.group(1)) if found else 0


def h1_syscalls(proxy, bin_folder, requests, connections=64):
    with measure.Load(bin_folder, measure.url(proxy), "--connections", connections,
                      "--warm", 0, "--warm-requests", 3, "--requests", requests) as load:
        with Strace(proxy) as trace:
            load.go()
            load.end()
            return trace.total() / requests


def h2_syscalls(proxy, few, many):
    def count(n):
        with Strace(proxy) as trace:
            measure.h2_exact(proxy, H2_CONNECTIONS, STREAMS, n)
            return trace.total()

    measure.h2_exact(proxy, H2_CONNECTIONS, STREAMS, few)
    return by_difference(count, few, many)


def bytes_of_idle(proxy, bin_folder, few, many, *args):
    """User memory of an idle connection. The first of them bring about what the program
    takes but once, and are no part of it."""
    with measure.held(bin_folder, proxy, few, *args):
        before = handshakes.settled(proxy)
        with measure.held(bin_folder, proxy, many - few, *args):
            return (handshakes.settled(proxy) - before) / (many - few)

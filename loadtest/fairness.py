#!/usr/bin/python3
"""What loud clients cost the quiet one beside them: sluice, HAProxy and nginx.

  loadtest/fairness.py [--bin DIR] [--proxy NAME]... [--kind KIND]... [--rounds N]

Prints a table as Markdown: the p99 of a client on a kept TLS connection that asks some
300 times a second, undisturbed and beside each kind of attacker, as the median of the
rounds, which are interleaved. The proxy has one thread on the first core; the origin, the
client and, when the others leave it to them, the attackers share the second. The proxies have
their limits off, as it is their order of work that is measured; time-outs are 12 s."""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import resource
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/system"))
sys.dont_write_bytecode = True

import proxies  # noqa: E402
from attackers import attacking  # noqa: E402

SECONDS, PAUSE, SETTLE = 2.0, 0.002, 15.0
ATTACKERS = 4000

# kind: what it is called in the table, how many, whose program.
DROPS = {
    "body": "bodies in drops",
    "fragments": "handshakes in crumbs",
    "oversize": "garbage for TLS",
    "hellos": "hellos, and no more",
    "comers": "connections that come and go",
    "head": "heads in drops",
}
LOUD = {
    "crumbs": "h2: uploads in DATA frames of one byte",
    "overflow": "h2: windows opened by overflow",
    "windows": "h2: 40 times 100 answers of 300 KB at window 0",
    "posts": "h2: 60 times 100 open uploads",
    "eaters": "h2: a server that answers in frames of one byte",
}
TLS_KINDS = ("fragments", "oversize", "hellos")


def hush(process):
    """The others have the processor whenever they want it."""
    os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))


@contextlib.contextmanager
def loud(kind, port):
    command = [sys.executable, pathlib.Path(__file__).with_name("loud.py"), kind, "127.0.0.1",
               str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            hush(process)
            yield
        finally:
            process.stdin.close()


@contextlib.contextmanager
def crumbs_server():
    command = [sys.executable, pathlib.Path(__file__).with_name("loud.py"), "server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            port = int(process.stdout.readline())
            hush(process)
            yield port
        finally:
            process.stdin.close()


@contextlib.contextmanager
def on_the_second_core():
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[-1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def ask(tls):
    """How long an answer took, in seconds."""
    start = time.monotonic()
    tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    got = 0
    while got < 1024:
        more = tls.recv(65536)
        if not more or (got == 0 and not more.startswith(b"HTTP/1.1 200")):
            raise SystemExit(f"fairness: the quiet client got {more[:40]}")
        got += len(more)
    return time.monotonic() - start


def settle(tls):
    """Until what the coming of the loud costs is over, the origin's too: the kernel takes
    seconds for the first gigabytes that wait in its sockets."""
    end, good = time.monotonic() + SETTLE, 0
    while good < 20 and time.monotonic() < end:
        good = good + 1 if ask(tls) < 0.02 else 0


def p99_us(port):
    """Of a client on one kept connection; it comes from an address of its own."""
    context = ssl._create_unverified_context()
    times = []
    raw = socket.create_connection(("127.0.0.1", port), 30, source_address=("127.0.0.2", 0))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with context.wrap_socket(raw) as tls:
        settle(tls)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            times.append(ask(tls))
            time.sleep(PAUSE)
    return sorted(times)[int(0.99 * len(times))] * 1e6


def beside(proxy, kind):
    if kind == "undisturbed":
        return p99_us(proxy.port)
    if kind in LOUD:
        with loud(kind, proxy.port):
            return p99_us(proxy.port)
    port = proxy.port if kind in TLS_KINDS else proxy.setup.plain_port
    with attacking(kind, ("127.0.0.1", port), ATTACKERS) as process:
        hush(process)
        return p99_us(proxy.port)


def measure(kind_of_proxy, kind, folder, certs, origin, crumbs, bin_folder):
    setup = dataclasses.replace(proxies.Setup(), connections=2 * ATTACKERS,
                                plain_port=proxies.free_port(), crumbs_port=crumbs)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        proxy = kind_of_proxy(pathlib.Path(name), certs, origin.port, bin_folder, setup)
        try:
            with on_the_second_core():
                return beside(proxy, kind)
        finally:
            proxy.stop()


def table(figures, names, kinds):
    print("| beside 4,000 of | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for kind in kinds:
        cells = [f"{statistics.median(seen):,.0f}" if seen else "–"
                 for seen in (figures[name, kind] for name in names)]
        title = {**DROPS, **LOUD}.get(kind, "nobody: undisturbed")
        print(f"| {title} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=proxies.REPO / "build/bin")
    parser.add_argument("--proxy", action="append", choices=["sluice", "haproxy", "nginx"])
    parser.add_argument("--kind", action="append", choices=[*DROPS, *LOUD])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    names = options.proxy or ["sluice", "haproxy", "nginx"]
    kinds = ["undisturbed", *(options.kind or [*DROPS, *LOUD])]
    figures = {(name, kind): [] for name in names for kind in kinds}
    with tempfile.TemporaryDirectory(prefix="fairness-") as folder, crumbs_server() as crumbs:
        pathlib.Path(folder).chmod(0o755)
        certs = proxies.make_certificates(pathlib.Path(folder) / "certs")
        origin = proxies.Origin(options.bin)
        try:
            for _ in range(options.rounds):
                for kind in kinds:
                    for proxy in proxies.available(names):
                        if kind == "eaters" and proxy.name == "nginx":
                            continue  # it speaks no HTTP/2 to servers
                        figures[proxy.name, kind].append(measure(
                            proxy, kind, folder, certs, origin, crumbs, options.bin))
                        print(kind, proxy.name, figures[proxy.name, kind], file=sys.stderr)
        finally:
            origin.stop()
    table(figures, names, kinds)


if __name__ == "__main__":
    main()

"""The rows of the table: what each one does to a proxy, and which of its figures are
shown. A row is measured in interleaved rounds, or once where the figure is a count.

What a row needs is in its group: the rows of a group share running proxies, one of
each kind for each Setup, and rounds go over all rows of a group."""

import dataclasses
import socket
import ssl
import statistics
import time
import typing

import counts
import handshakes
import measure
import proxies

MIB = 1 << 20
BIG = 10 * MIB
ROUTES = 1000
RELOADS, RELOADED = 20, 32  # and the connections that go through them
PEERS = ("sluice", "haproxy", "nginx")
ALL = (*PEERS, "floor")


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the table: a figure, or its ratio to the floor's in the same round."""

    title: str
    key: str
    digits: int = 1
    ratio: bool = False
    goal: str = ""
    combine: typing.Callable = statistics.median


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    group: str
    measure: typing.Callable  # (bench, name of the proxy) -> {key: figure}
    lines: tuple
    names: tuple = ALL
    once: bool = False
    rounds: int = 99  # at most: of a row that takes long


SETUPS = {  # connections: as far as descriptors allow
    "plain": proxies.Setup(),
    "idle": proxies.Setup(connections=10100),
    "many": proxies.Setup(connections=10100, keepalive=10000),
    "tunnels": proxies.Setup(connections=10100, tunnels=True),
    "one-route": proxies.Setup(routes=1, keepalive=128),
    "routes": proxies.Setup(routes=ROUTES, keepalive=32),
    "reloads": proxies.Setup(reloads=True),
}


# --- over HTTP/1.1, in rounds --------------------------------------------------------

def keep_alive(bench, name):
    return measure.window(bench.proxy("plain", name), bench.bin, ["--connections", 64],
                          bench.seconds)


def paced(bench, name):
    args = ["--connections", 64, "--rate", 2000]
    proxy = bench.proxy("plain", name)
    straight = measure.direct(bench.origin.port, bench.bin, args, bench.seconds / 2)
    seen = measure.window(proxy, bench.bin, args, bench.seconds)
    return seen | {"added_us": seen["p50_us"] - straight["p50_us"]}


def connect(bench, name):
    return measure.window(bench.proxy("plain", name), bench.bin,
                          ["--connections", 16, "--once"], bench.seconds)


def download(bench, name):
    return measure.bulk(bench.proxy("plain", name), bench.bin, ["--connections", 4],
                        bench.seconds, f"bytes/{BIG}", "bytes_in")


def upload(bench, name):
    return measure.bulk(bench.proxy("plain", name), bench.bin,
                        ["--connections", 4, "--upload", BIG], bench.seconds, "upload",
                        "bytes_out")


def many(bench, name):
    """As many connections as there may be: two descriptors each in the proxy. They need a
    while until each has its own to the origin."""
    proxy, n = bench.proxy("many", name), bench.connections(8192)
    few = measure.window(proxy, bench.bin, ["--connections", 16], bench.seconds)
    lot = measure.window(proxy, bench.bin, ["--connections", n], bench.seconds, warm=2)
    return {"few_us": few["cpu_us"], "many_us": lot["cpu_us"],
            "times": lot["cpu_us"] / few["cpu_us"], "connections": n,
            "failures": few["failures"] + lot["failures"]}


def routes(bench, name):
    """The same requests, below one route and below as many as there are."""
    args = ["--connections", 64, "--routes", ROUTES]
    one = measure.window(bench.proxy("one-route", name), bench.bin, args, bench.seconds)
    lot = measure.window(bench.proxy("routes", name), bench.bin, args, bench.seconds)
    return {"cpu_us": lot["cpu_us"], "times": lot["cpu_us"] / one["cpu_us"],
            "rss_mib": lot["rss_mib"], "failures": one["failures"] + lot["failures"]}


# --- over HTTP/2, in rounds ----------------------------------------------------------

def h2(bench, name):
    return measure.h2_window(bench.proxy("plain", name), counts.H2_CONNECTIONS,
                             counts.STREAMS, bench.seconds)


def h2_download(bench, name):
    return measure.h2_bulk(bench.proxy("plain", name), bench.quick(120, 24), BIG,
                           f"bytes/{BIG}")


def h2_upload(bench, name):
    return measure.h2_bulk(bench.proxy("plain", name), bench.quick(80, 16), BIG, "upload",
                           bench.big_file())


# --- WebSocket -----------------------------------------------------------------------

MESSAGE = ("--websocket", 64)


def opens_tunnels(proxy):
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as raw, \
            context.wrap_socket(raw) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        return tls.recv(4096).startswith(b"HTTP/1.1 101")


def tunnels_of(bench, name):
    proxy = bench.proxy("tunnels", name)
    if not opens_tunnels(proxy):
        raise measure.Failed("opens no WebSocket")
    return proxy


def messages(bench, name):
    seen = measure.window(tunnels_of(bench, name), bench.bin, ["--connections", 64, *MESSAGE],
                          bench.seconds)
    return seen | {"per_cpu_s": 1e6 / seen["cpu_us"]}


def idle_tunnels(bench, name):
    n = bench.connections(bench.quick(10000, 2000))
    held = counts.bytes_of_idle(tunnels_of(bench, name), bench.bin, n // 5, n, *MESSAGE)
    return {"bytes": held, "tunnels": n}


# --- counted, once -------------------------------------------------------------------

def idle(bench, name):
    n = bench.quick(8000, 1500)
    return {"bytes": counts.bytes_of_idle(bench.proxy("idle", name), bench.bin, n // 4, n)}


def syscalls(bench, name):
    return {"calls": counts.h1_syscalls(bench.proxy("plain", name), bench.bin,
                                        bench.quick(20000, 4000))}


def h2_syscalls(bench, name):
    return {"calls": counts.h2_syscalls(bench.proxy("plain", name), 4000,
                                        bench.quick(24000, 16000))}


def instructions(bench, name):
    with bench.counted(name) as proxy:
        n = counts.h1_instructions(proxy, bench.bin, bench.quick(4000, 1000))
    return {"thousands": n / 1e3}


def h2_instructions(bench, name):
    with bench.counted(name) as proxy:
        n = counts.h2_instructions(proxy, 1000, bench.quick(5000, 2000))
    return {"thousands": n / 1e3}


def handshake(bench, name):
    with bench.counted(name) as proxy:
        context = handshakes.client_context()
        return {"full": handshakes.each(proxy, context, None) / 1e6,
                "resumed": handshakes.each(
                    proxy, context, handshakes.a_session(context, proxy.port)) / 1e6}


def reloads(bench, name):
    """Each reload is waited for; the load does not stop meanwhile."""
    proxy = bench.proxy("reloads", name)
    with measure.Load(bench.bin, measure.url(proxy), "--connections", RELOADED,
                      "--seconds", 300) as load:
        for _ in range(RELOADS):
            proxy.reload()
            time.sleep(0.4)
        load.stop()
        load.end()
        seen = load.report()
    return {"failed": seen["failures"] + seen["not_2xx"], "reopened": seen["connects"],
            "requests": seen["requests"]}


ROWS = (
    Row("instructions", "callgrind", instructions, once=True, lines=(
        Line("user instructions a request, thousands", "thousands", goal="≤ 26"),)),
    Row("h2-instructions", "callgrind", h2_instructions, names=PEERS, once=True, lines=(
        Line("user instructions a request over HTTP/2, thousands", "thousands"),)),
    Row("handshakes", "callgrind", handshake, once=True, lines=(
        Line("full handshake, millions of instructions", "full", 2, goal="≤ 2.50"),
        Line("resumed handshake, millions of instructions", "resumed", 2, goal="≤ 2.30"))),
    Row("syscalls", "plain", syscalls, once=True, lines=(
        Line("system calls a request, kept alive", "calls", 2, goal="≤ 4.1"),)),
    Row("h2-syscalls", "plain", h2_syscalls, names=PEERS, once=True, lines=(
        Line("system calls a request over HTTP/2", "calls", 2, goal="≤ 2.2"),)),
    Row("keep-alive", "plain", keep_alive, lines=(
        Line("kept-alive request, CPU µs", "cpu_us"),
        Line("ratio to the floor", "cpu_us", 2, ratio=True, goal="≤ 1.06"),
        Line("requests a second", "rps", 0),
        Line("p50, µs", "p50_us", 0),
        Line("RSS, MiB", "rss_mib"))),
    Row("connect", "plain", connect, lines=(
        Line("new TLS connection with a request, CPU µs", "cpu_us", 0),
        Line("ratio to the floor", "cpu_us", 2, ratio=True))),
    Row("download", "plain", download, lines=(
        Line("10 MiB down, CPU s a GiB", "cpu_s_per_gib", 2),
        Line("ratio to the floor", "cpu_s_per_gib", 2, ratio=True, goal="≤ 1.00"),
        Line("MiB a second", "mib_per_s", 0),
        Line("RSS above idle at its peak, MiB", "above_idle_mib", goal="≤ 8", combine=max))),
    Row("upload", "plain", upload, lines=(
        Line("10 MiB up, CPU s a GiB", "cpu_s_per_gib", 2),
        Line("ratio to the floor", "cpu_s_per_gib", 2, ratio=True, goal="≤ 1.05"),
        Line("MiB a second", "mib_per_s", 0),
        Line("RSS above idle at its peak, MiB", "above_idle_mib", combine=max))),
    Row("paced", "plain", paced, lines=(
        Line("at 2,000 requests a second: p50 added, µs", "added_us", 0, goal="≤ 88"),
        Line("CPU µs a request", "cpu_us"),
        Line("ratio to the floor", "cpu_us", 2, ratio=True))),
    Row("h2", "plain", h2, names=PEERS, lines=(
        Line("HTTP/2, 16 connections × 32 streams, 1 KiB: CPU µs a request", "cpu_us",
             goal="below each"),
        Line("requests a second", "rps", 0))),
    Row("h2-download", "plain", h2_download, names=PEERS, lines=(
        Line("10 MiB down over HTTP/2, CPU s a GiB", "cpu_s_per_gib", 2, goal="below each"),
        Line("RSS above idle at its peak, MiB", "above_idle_mib", combine=max))),
    Row("h2-upload", "plain", h2_upload, names=PEERS, lines=(
        Line("10 MiB up over HTTP/2, CPU s a GiB", "cpu_s_per_gib", 2, goal="below each"),
        Line("RSS above idle at its peak, MiB", "above_idle_mib", combine=max))),
    Row("idle", "idle", idle, once=True, lines=(
        Line("user memory of an idle TLS connection, bytes", "bytes", 0, goal="≤ 14,400"),)),
    Row("many", "many", many, rounds=3, lines=(
        Line("CPU µs a request with 16 connections", "few_us"),
        Line("with as many as the next line says", "many_us"),
        Line("connections", "connections", 0),
        Line("times as dear", "times", 2, goal="≤ 1.7"))),
    Row("routes", "routes", routes, names=PEERS, lines=(
        Line("1,000 routes: times the CPU of one route", "times", 2, goal="≤ 1.03"),
        Line("RSS, MiB", "rss_mib", goal="≤ 40"))),
    Row("tunnels", "tunnels", idle_tunnels, once=True, lines=(
        Line("user memory of an idle WebSocket, bytes", "bytes", 0),
        Line("WebSockets held for it", "tunnels", 0))),
    Row("messages", "tunnels", messages, lines=(
        Line("WebSocket, 64 tunnels: echoes a CPU second", "per_cpu_s", 0),
        Line("CPU µs an echo, ratio to the floor", "cpu_us", 2, ratio=True))),
    Row("reloads", "reloads", reloads, names=PEERS, once=True, lines=(
        Line(f"{RELOADS} reloads under load: failed requests", "failed", 0, goal="0"),
        Line("requests meanwhile", "requests", 0),
        Line(f"connections opened anew, of {RELOADS * RELOADED}", "reopened", 0, goal="0"))),
)

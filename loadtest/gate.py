"""The gate: what a request costs in instructions and system calls. Neither depends
on how busy the machine is, so a limit may be narrow. gate.json keeps the limits; a
figure that has none there yet is told and judged by nobody."""

import json
import pathlib
import re
import shutil
import socket
import ssl

import counts
import handshakes
import measure
import proxies

LIMITS = pathlib.Path(__file__).with_name("gate.json")
SLACK = 1.08  # between a figure and the limit that --record writes
WARM, COUNTED, CONNECTIONS = 200, 2000, 8
TRACED = 20000
H2_FEW, H2_MANY = 1024, 4096
H2_TRACED_FEW, H2_TRACED_MANY = 4096, 24576
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: gate\r\nAccept: */*\r\n\r\n"


class Requests:
    """An exact number of requests over a few kept connections, one at a time: how many
    are handled in one turn of the loop is no accident then."""

    def __init__(self, port):
        context = ssl._create_unverified_context()
        self.connections = [
            context.wrap_socket(socket.create_connection(("127.0.0.1", port), 30))
            for _ in range(CONNECTIONS)]

    def send(self, n):
        for i in range(n):
            connection = self.connections[i % CONNECTIONS]
            connection.sendall(REQUEST)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65536)
            head, _, body = answer.partition(b"\r\n\r\n")
            left = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1)) - len(body)
            while left > 0:
                left -= len(connection.recv(left))

    def close(self):
        for connection in self.connections:
            connection.close()


def h1_instructions(proxy):
    """Of the busiest thread, which is the one data thread: ticks of others don't count."""
    requests = Requests(proxy.port)
    try:
        requests.send(WARM)
        count = handshakes.counted(proxy, lambda: requests.send(COUNTED))
    finally:
        requests.close()
    if count < COUNTED:
        raise SystemExit("gate: callgrind counted nothing")
    return count / COUNTED


def speaks_h2(proxy):
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", proxy.port), 30) as raw:
        try:
            with context.wrap_socket(raw) as tls:
                return tls.selected_alpn_protocol() == "h2"
        except ssl.SSLError:
            return False


def count_instructions(proxy):
    figures = {"instructions_per_request": round(h1_instructions(proxy))}
    if speaks_h2(proxy):
        figures["instructions_per_h2_request"] = round(
            counts.h2_instructions(proxy, H2_FEW, H2_MANY))
    return figures


def count_syscalls(proxy, bin_folder):
    figures = {"syscalls_per_request": round(
        counts.h1_syscalls(proxy, bin_folder, TRACED), 2)}
    if speaks_h2(proxy):
        figures["syscalls_per_h2_request"] = round(
            counts.h2_syscalls(proxy, H2_TRACED_FEW, H2_TRACED_MANY), 2)
    return figures


def measured(folder, bin_folder):
    certs = proxies.make_certificates(folder / "certs")
    origin = proxies.Origin(bin_folder)
    started = []
    try:
        started.append(counts.COUNTED["sluice"](
            folder / "counted", certs, origin.port, bin_folder))
        figures = count_instructions(started[0])
        started.append(proxies.Sluice(folder / "traced", certs, origin.port, bin_folder))
        return figures | count_syscalls(started[1], bin_folder)
    except measure.Failed as why:
        raise SystemExit(f"gate: {why}") from why
    finally:
        for proxy in started:
            proxy.stop()
        origin.stop()


def run(folder, bin_folder, record):
    for tool in ("valgrind", "callgrind_control", "strace", "h2load"):
        if shutil.which(tool) is None:
            raise SystemExit(f"gate: {tool} is missing: tests/install.sh bench")
    figures = measured(folder, bin_folder)
    if record:
        limits = {name: float(f"{value * SLACK:.3g}") for name, value in figures.items()}
        LIMITS.write_text(json.dumps(limits, indent=2) + "\n")
    return judge(figures, json.loads(LIMITS.read_text()))


def judge(figures, limits):
    """Also a limit whose figure is gone is a failure: what it guards does not work."""
    passed = True
    for name in dict.fromkeys([*limits, *figures]):
        value, limit = figures.get(name), limits.get(name)
        if limit is None:
            print(f"new   {name}: {value:,} (no limit; --record sets it)")
            continue
        ok = value is not None and value <= limit
        passed = passed and ok
        shown = "no figure" if value is None else f"{value:,}"
        print(f"{'pass' if ok else 'FAIL'}  {name}: {shown} (limit {limit:,})")
    return 0 if passed else 1

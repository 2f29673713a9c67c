"""The gate: what a request costs in instructions and system calls. Neither depends
on how busy the machine is, so a limit may be narrow. gate.json keeps the limits."""

import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess

import measure
import proxies

LIMITS = pathlib.Path(__file__).with_name("gate.json")
SLACK = 1.08  # between a figure and the limit that --record writes
WARM, COUNTED, CONNECTIONS = 200, 2000, 8
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: gate\r\nAccept: */*\r\n\r\n"


class SluiceInCallgrind(proxies.Sluice):
    name = "sluice-callgrind"

    @property
    def wrapper(self):
        return ("valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes",
                f"--callgrind-out-file={self.folder}/out", "--fair-sched=yes", "--quiet")

    def patience(self):
        return 60


class Requests:
    """An exact number of requests over a few kept connections."""

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


def control(proxy, *args):
    done = subprocess.run(["callgrind_control", *args, str(proxy.process.pid)],
                          capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise SystemExit(f"gate: callgrind_control {args} failed: {done.stderr or done.stdout}")


def instructions_of_threads(folder):
    counts = []
    for path in folder.glob("out.*"):
        found = re.search(r"^totals: (\d+)", path.read_text(errors="replace"), re.M)
        if found:
            counts.append(int(found.group(1)))
    return counts


def instructions_per_request(folder, certs, origin, bin_folder):
    """Of the busiest thread, which is the one data thread: ticks of others don't count."""
    proxy = SluiceInCallgrind(folder, certs, origin.port, bin_folder)
    try:
        requests = Requests(proxy.port)
        requests.send(WARM)
        control(proxy, "-i", "on")
        requests.send(COUNTED)
        control(proxy, "-i", "off")
        control(proxy, "-d")
        requests.close()
    finally:
        proxy.stop()
    counts = instructions_of_threads(proxy.folder)
    if max(counts, default=0) < COUNTED:
        raise SystemExit(f"gate: callgrind counted nothing: {counts}")
    return max(counts) / COUNTED


def syscalls_per_request(folder, certs, origin, bin_folder):
    proxy = proxies.Sluice(folder, certs, origin.port, bin_folder)
    try:
        return measure.syscalls_per_request(proxy, bin_folder, "keep-alive", seconds=4)
    finally:
        proxy.stop()


def run(folder, bin_folder, record):
    for tool in ("valgrind", "callgrind_control", "strace"):
        if shutil.which(tool) is None:
            raise SystemExit(f"gate: {tool} is missing: tests/install.sh bench")
    certs = proxies.make_certificates(folder / "certs")
    origin = proxies.Origin(bin_folder)
    try:
        figures = {
            "instructions_per_request": round(
                instructions_per_request(folder, certs, origin, bin_folder)),
            "syscalls_per_request": round(
                syscalls_per_request(folder, certs, origin, bin_folder), 2),
        }
    finally:
        origin.stop()
    if record:
        limits = {name: float(f"{value * SLACK:.3g}") for name, value in figures.items()}
        LIMITS.write_text(json.dumps(limits, indent=2) + "\n")
    return judge(figures, json.loads(LIMITS.read_text()))


def judge(figures, limits):
    passed = True
    for name, value in figures.items():
        ok = value <= limits[name]
        passed = passed and ok
        print(f"{'pass' if ok else 'FAIL'}  {name}: {value:,} (limit {limits[name]:,})")
    return 0 if passed else 1

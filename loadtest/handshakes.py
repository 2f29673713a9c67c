#!/usr/bin/python3
"""What a TLS handshake costs in user instructions, and what an idle TLS connection
holds of user memory: sluice, HAProxy and nginx, measured in the same way.

  loadtest/handshakes.py [--bin DIR] [--proxy NAME]... [--no-memory]

Prints JSON. Instructions are callgrind's, of the busiest thread: full and resumed
handshakes with the P-256 certificate, TLS 1.3, each from accept to close with the
client's goodbye and no request. A connection is one at a time. Two runs of different
length are subtracted, so what starting or stopping to count costs does not count.
Memory is Private_Dirty of the whole program (smaps_rollup) with many idle connections,
less that of the same program before, when as many had come and gone."""

import argparse
import json
import pathlib
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.dont_write_bytecode = True

import proxies  # noqa: E402

WARM, FEW, MANY = 50, 100, 300
IDLE = 2000


class Counted:
    """The same proxy, run by callgrind."""

    def command(self):
        pin, command = super().command()[:3], super().command()[3:]
        return [*pin, "valgrind", "--tool=callgrind", "--instr-atstart=no",
                "--separate-threads=yes", f"--callgrind-out-file={self.folder}/out",
                "--fair-sched=yes", "--quiet", *command]

    def patience(self):
        return 90


class Sluice(Counted, proxies.Sluice):
    name = "sluice"


class Haproxy(Counted, proxies.Haproxy):
    name = "haproxy"


class Nginx(Counted, proxies.Nginx):
    name = "nginx"

    def command(self):
        return [*super().command(), "-g", "master_process off;"]


COUNTED = {c.name: c for c in (Sluice, Haproxy, Nginx)}


def client_context():
    context = ssl._create_unverified_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def connect(context, port, session=None):
    raw = socket.create_connection(("127.0.0.1", port), 60)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw, session=session)


def goodbye(tls):
    """Until the server has closed: what it does then is part of the count."""
    try:
        raw = tls.unwrap()
    except OSError:
        raw = tls
    try:
        raw.settimeout(30)
        while raw.recv(4096):
            pass
    except OSError:
        pass
    raw.close()
    tls.close()


def a_session(context, port):
    """Tickets come behind the handshake: an answer proves that they were read."""
    tls = connect(context, port)
    tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    if not tls.recv(65536).startswith(b"HTTP/1.1 200"):
        raise SystemExit("handshakes: the request before the tickets failed")
    session = tls.session
    goodbye(tls)
    return session


def shake_hands(context, port, n, session):
    for _ in range(n):
        tls = connect(context, port, session)
        if tls.session_reused != (session is not None):
            raise SystemExit("handshakes: resumed when it should not be, or not at all")
        goodbye(tls)


def control(proxy, *args):
    done = subprocess.run(["callgrind_control", *args, str(proxy.process.pid)],
                          capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise SystemExit(f"handshakes: callgrind_control {args}: {done.stderr or done.stdout}")


def counted(proxy, work):
    """Instructions of the busiest thread while work is done."""
    before = set(proxy.folder.glob("out.*"))
    control(proxy, "-i", "on")
    work()
    control(proxy, "-i", "off")
    control(proxy, "-d")
    seen = [re.search(r"^totals: (\d+)", path.read_text(errors="replace"), re.M)
            for path in set(proxy.folder.glob("out.*")) - before]
    return max((int(found.group(1)) for found in seen if found), default=0)


def each(proxy, context, session):
    shake_hands(context, proxy.port, WARM, session)
    few, many = (
        counted(proxy, lambda n=n: shake_hands(context, proxy.port, n, session))
        for n in (FEW, MANY))
    return round((many - few) / (MANY - FEW))


def instructions(kind, folder, certs, origin, bin_folder):
    """{"full": …, "resumed": …}, instructions a handshake."""
    proxy = kind(folder, certs, origin.port, bin_folder)
    try:
        context = client_context()
        figures = {"full": each(proxy, context, None)}
        figures["resumed"] = each(proxy, context, a_session(context, proxy.port))
        return figures
    finally:
        proxy.stop()


def private_bytes(proxy):
    total = 0
    for pid in proxy.pids():
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += sum(int(kib) * 1024 for kib in re.findall(r"Private_Dirty: +(\d+)", text))
    return total


def settled(proxy):
    """Once two looks at it agree."""
    before, now = -1, private_bytes(proxy)
    while now != before:
        time.sleep(0.2)
        before, now = now, private_bytes(proxy)
    return now


def idle_bytes(kind, folder, certs, origin, bin_folder):
    """Of a connection that was answered once, and waits for its next request. Half of
    them come first, so that what the program takes but once is no part of it."""
    proxy = kind(folder, certs, origin.port, bin_folder)
    context, idle, held = client_context(), [], []
    try:
        for _ in range(2):
            for _ in range(IDLE // 2):
                tls = connect(context, proxy.port)
                tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if not tls.recv(65536).startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"handshakes: {proxy.name} failed a request")
                idle.append(tls)
            held.append(settled(proxy))
        return round((held[1] - held[0]) / (IDLE // 2))
    finally:
        for tls in idle:
            tls.close()
        proxy.stop()


def measure(names, folder, bin_folder, memory=True):
    """{proxy: {"full", "resumed", "idle_bytes"}}."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    certs = proxies.make_certificates(folder / "certs")
    origin = proxies.Origin(bin_folder)
    figures = {}
    try:
        for plain in proxies.available(names):
            name = plain.name
            (folder / "count").mkdir(exist_ok=True)
            figures[name] = instructions(
                COUNTED[name], folder / "count", certs, origin, bin_folder)
            if memory:
                figures[name]["idle_bytes"] = idle_bytes(
                    plain, folder, certs, origin, bin_folder)
    finally:
        origin.stop()
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=proxies.REPO / "build/bin")
    parser.add_argument("--proxy", action="append", choices=list(COUNTED))
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path,
                        help="an empty folder where callgrind's files stay")
    options = parser.parse_args()
    for tool in ("valgrind", "callgrind_control"):
        if shutil.which(tool) is None:
            raise SystemExit(f"handshakes: {tool} is missing: tests/install.sh bench")
    with tempfile.TemporaryDirectory(prefix="handshakes-") as name:
        folder = options.keep or pathlib.Path(name)
        folder.chmod(0o755)
        figures = measure(options.proxy or list(COUNTED), folder, options.bin,
                          not options.no_memory)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

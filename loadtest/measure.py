"""One measurement: a load against a proxy, and what the proxy spent on it."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from proxies import pinned

MIB = 1 << 20

# name: arguments of load, path, what a request is worth mentioning as.
CASES = {
    "keep-alive": {"args": ["--connections", "64"], "path": ""},
    "paced": {"args": ["--connections", "64", "--rate", "2000"], "path": ""},
    "handshake": {"args": ["--connections", "16", "--once"], "path": ""},
    "download": {"args": ["--connections", "4"], "path": f"bytes/{10 * MIB}", "bulk": "bytes_in"},
    "upload": {"args": ["--connections", "4", "--upload", str(10 * MIB)], "path": "upload",
               "bulk": "bytes_out"},
}

TITLES = {
    "keep-alive": "keep-alive, 64 connections, 1 KiB answers",
    "paced": "the same at 2,000 requests a second",
    "handshake": "a new TLS connection for each request",
    "download": "10 MiB down, 4 connections",
    "upload": "10 MiB up, 4 connections",
}


def start_load(bin_folder, port, case, seconds, warm):
    url = f"https://127.0.0.1:{port}/{case['path']}"
    command = [bin_folder / "load", *case["args"], "--seconds", seconds, "--warm", warm, url]
    return subprocess.Popen(pinned(1, command), stdout=subprocess.PIPE, text=True)


def expect(load, word):
    line = load.stdout.readline()
    if line.strip() != word:
        raise SystemExit(f"bench: load said {line!r} instead of {word}")


def measure(proxy, bin_folder, name, seconds, warm=1.0):
    """The figures of one window."""
    case = CASES[name]
    load = start_load(bin_folder, proxy.port, case, seconds, warm)
    expect(load, "begin")
    cpu = proxy.cpu_seconds()
    expect(load, "end")
    cpu = proxy.cpu_seconds() - cpu
    rss = proxy.rss_bytes()
    seen = json.loads(load.stdout.readline())
    load.wait()
    requests = max(1, seen["requests"])
    figures = {
        "requests": seen["requests"], "failures": seen["failures"] + seen["not_2xx"],
        "rps": seen["requests"] / seen["seconds"], "cpu_us": cpu * 1e6 / requests,
        "cpu_share": cpu / seen["seconds"], "p50_us": seen["p50_us"], "p99_us": seen["p99_us"],
        "rss_bytes": rss,
    }
    if "bulk" in case:
        moved = max(1, seen[case["bulk"]])
        figures["mib_per_s"] = moved / MIB / seen["seconds"]
        figures["cpu_s_per_gib"] = cpu / (moved / (1 << 30))
    return figures


def syscalls_per_request(proxy, bin_folder, name, seconds=3):
    """Counted by strace over a whole run of load, so it needs no clock."""
    with tempfile.NamedTemporaryFile("r", prefix="strace-") as out:
        tracer = subprocess.Popen(
            ["strace", "-c", "-f", "-o", out.name,
             *[a for pid in proxy.pids() for a in ("-p", str(pid))]],
            stderr=subprocess.PIPE, text=True)
        said = tracer.stderr.readline()
        if "attached" not in said:
            tracer.wait()
            raise SystemExit(f"bench: strace cannot attach to {proxy.name}: {said.strip()}")
        load = start_load(bin_folder, proxy.port, CASES[name], seconds, 0)
        report = load.communicate()[0].splitlines()[-1]
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()
        total = re.search(r"^\s*100\.00\s+\S+\s+(?:\d+\s+)?(\d+)\s", out.read(), re.M)
    return int(total.group(1)) / max(1, json.loads(report)["requests"])


def wait_quiet(proxy):
    """Until the proxy has spent nothing for a moment: one case must not pay for another."""
    end = time.monotonic() + 3
    before = proxy.cpu_seconds()
    while time.monotonic() < end:
        time.sleep(0.1)
        now = proxy.cpu_seconds()
        if now == before:
            return
        before = now


def machine():
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": os.uname().release,
            "openssl": subprocess.run(["openssl", "version"], capture_output=True,
                                      text=True).stdout.strip()}

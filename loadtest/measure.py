"""One measurement: a load against a proxy, and what the proxy spent on it."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

from proxies import pinned

MIB = 1 << 20
SUITE = "TLS_AES_128_GCM_SHA256"  # of all loads: suites differ in cost


class Failed(Exception):
    """A measurement that gave no figure, and why. The others go on."""


class Load:
    """The load generator, between its 'begin' and its report."""

    def __init__(self, bin_folder, url, *args):
        command = [bin_folder / "load", *map(str, args), url]
        self.process = subprocess.Popen(pinned(1, command), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.expect("begin")

    def expect(self, word):
        line = self.process.stdout.readline()
        if line.strip() != word:
            self.process.wait()
            raise Failed(f"load said {line.strip()!r} instead of {word}")

    def go(self):
        """With --requests: now."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def end(self):
        self.expect("end")

    def report(self):
        seen = json.loads(self.process.stdout.readline())
        self.process.wait()
        return seen

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def url(proxy, path=""):
    return f"https://127.0.0.1:{proxy.port}/{path}"


def spent(cpu, seen, rss):
    requests = max(1, seen["requests"])
    return {
        "requests": seen["requests"], "failures": seen["failures"] + seen["not_2xx"],
        "rps": seen["requests"] / seen["seconds"], "cpu_us": cpu * 1e6 / requests,
        "cpu_share": cpu / seen["seconds"], "p50_us": seen["p50_us"],
        "p99_us": seen["p99_us"], "rss_mib": rss / MIB,
    }


def window(proxy, bin_folder, args, seconds, warm=None):
    """What the proxy spent while load ran for some seconds."""
    wait_quiet(proxy)
    with Load(bin_folder, url(proxy), *args, "--seconds", seconds, "--warm",
              warm or min(1, seconds / 2)) as load:
        cpu = proxy.cpu_seconds()
        load.end()
        cpu = proxy.cpu_seconds() - cpu
        return spent(cpu, load.report(), proxy.rss_bytes())


def bulk(proxy, bin_folder, args, seconds, path, direction):
    """The same for large bodies: by the bytes instead of by the request."""
    wait_quiet(proxy)
    with Load(bin_folder, url(proxy, path), *args, "--seconds", seconds, "--warm",
              min(1, seconds / 2)) as load:
        proxy.forget_peak()
        cpu = proxy.cpu_seconds()
        load.end()
        cpu = proxy.cpu_seconds() - cpu
        peak = proxy.peak_bytes()
        seen = load.report()
    return of_bytes(proxy, cpu, seen[direction], seen["seconds"], peak) | {
        "failures": seen["failures"] + seen["not_2xx"]}


def of_bytes(proxy, cpu, moved, seconds, peak):
    if moved == 0:
        raise Failed("nothing was moved")
    return {"mib_per_s": moved / MIB / seconds, "cpu_s_per_gib": cpu / (moved / (1 << 30)),
            "peak_mib": peak / MIB, "above_idle_mib": (peak - proxy.idle_rss) / MIB}


def direct(port, bin_folder, args, seconds):
    """The load's report with no proxy between."""
    with Load(bin_folder, f"http://127.0.0.1:{port}/", *args, "--seconds", seconds,
              "--warm", min(1, seconds / 2)) as load:
        load.end()
        return load.report()


def h2load(*args):
    """stdbuf: its lines are to come when they are said."""
    return pinned(1, ["stdbuf", "-oL", "h2load", f"--tls13-ciphers={SUITE}", *map(str, args)])


def h2_report(said):
    protocol = re.search(r"^Application protocol: (\S+)", said, re.M)
    if protocol is None or protocol.group(1) != "h2":
        raise Failed("speaks no HTTP/2")
    done, ok = re.search(r"(\d+) done, (\d+) succeeded", said).groups()
    total, data = re.search(r"^traffic: .*?\((\d+)\) total.*\((\d+)\) data", said, re.M).groups()
    return {"requests": int(done), "failures": int(done) - int(ok), "bytes": int(total),
            "body_bytes": int(data),
            "seconds": as_seconds(re.search(r"^finished in ([\d.]+)(\w+)", said, re.M))}


def as_seconds(found):
    return float(found.group(1)) * {"us": 1e-6, "ms": 1e-3, "s": 1}[found.group(2)]


def h2_window(proxy, connections, streams, seconds):
    """What it spent a request while h2load ran for some seconds."""
    wait_quiet(proxy)
    command = h2load("-c", connections, "-m", streams, "-D", f"{max(1, round(seconds))}",
                     "--warm-up-time", "1", url(proxy))
    tool = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, cpu = "", None
    for line in tool.stdout:
        said += line
        if line.startswith("Main benchmark duration is started"):
            cpu = proxy.cpu_seconds()
        elif line.startswith("Main benchmark duration is over"):
            cpu = proxy.cpu_seconds() - cpu
    tool.wait()
    seen = h2_report(said)
    if cpu is None or seen["requests"] == 0:
        raise Failed("h2load made no request")
    return {"requests": seen["requests"], "failures": seen["failures"],
            "rps": seen["requests"] / max(1, round(seconds)),
            "cpu_us": cpu * 1e6 / seen["requests"], "rss_mib": proxy.rss_bytes() / MIB}


def h2_exact(proxy, connections, streams, requests, *args, path=""):
    """So many requests, connections and their handshakes included."""
    done = subprocess.run(h2load("-c", connections, "-m", streams, "-n", requests, *args,
                                 url(proxy, path)), capture_output=True, text=True, timeout=300)
    seen = h2_report(done.stdout)
    if seen["failures"] > 0:
        raise Failed(f"{seen['failures']} of {requests} requests failed over HTTP/2")
    return seen


def h2_bulk(proxy, transfers, size, path, upload=None):
    """Large bodies over HTTP/2; four handshakes are lost in what they cost."""
    wait_quiet(proxy)
    proxy.forget_peak()
    cpu = proxy.cpu_seconds()
    more = ["-d", upload] if upload else []
    seen = h2_exact(proxy, 4, 1, transfers, *more, path=path)
    cpu = proxy.cpu_seconds() - cpu
    moved = transfers * size
    return of_bytes(proxy, cpu, moved, seen["seconds"], proxy.peak_bytes()) | {"failures": 0}


@contextlib.contextmanager
def held(bin_folder, proxy, connections, *args):
    """So many connections that were each answered once, and are idle. They come one by one:
    a crowd would leave the heap full of holes."""
    with Load(bin_folder, url(proxy), "--connections", connections, "--requests", 0,
              "--in-turn", "--warm", 0, *args) as load:
        yield load


def wait_quiet(proxy):
    """Until the proxy spends next to nothing: one row must not pay for another."""
    end = time.monotonic() + 3
    before = proxy.cpu_seconds()
    while time.monotonic() < end:
        time.sleep(0.1)
        now = proxy.cpu_seconds()
        if now - before < 0.002:
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


def stolen():
    """Seconds so far that the machine wanted to work and was not let."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")

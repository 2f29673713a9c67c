"""The real sluice: its configuration, its process, and what an operator does to it."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import http1
import process
import settings
from ports import ReservedPort
from waiting import wait_for

SLUICE_BIN = process.binary("sluice", "SLUICE_BIN")
SLUICE_COMMAND = [SLUICE_BIN]
CTL_BIN = process.binary("sluicectl", "SLUICECTL_BIN")
REPORT = re.compile(r"(?:Address|Leak|Thread|UndefinedBehavior|Memory)Sanitizer"
                    r"|runtime error:|Assertion .* failed")
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=0:second_deadlock_stack=1",
}


class Sluice:
    """One instance with a folder of its own: configuration, journal, socket, log."""

    def __init__(self, certs, pools, migrations=None, **changes):
        # A short name: the admin socket's path must fit into 107 bytes.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sl-"))
        self.ca = certs / "ca.pem"
        self.web, self.plain = ReservedPort(), ReservedPort()
        self.config = settings.merged(self._defaults(certs, pools, migrations), changes)
        self.config_path = self.folder / "sluice.conf"
        self.log_path = self.folder / "log"
        self.process = None
        self.environment = {}
        self.wrapper = []  # a command before sluice's own, such as prlimit
        self.expects_report = False

    def _defaults(self, certs, pools, migrations):
        target = {"migration": next(iter(migrations))} if migrations else {
            "pool": next(iter(pools))}
        return {
            "workers": 2,
            "listeners": [
                {"name": "web", "address": str(self.web), "tls": {"certificates": [
                    {"cert": str(certs / "demo.pem"), "key": str(certs / "demo.key")}]}},
                {"name": "plain", "address": str(self.plain)},
            ],
            "pools": {name: servers if isinstance(servers, dict) else settings.pool(servers)
                      for name, servers in pools.items()},
            "migrations": migrations,
            "routes": [{"host": "*", "path": "/", **target}],
            "admin": {"socket": str(self.folder / "admin.sock")},
            "journal": {"path": str(self.folder / "journal.db")},
        }

    # The process.

    def write_config(self, text=None):
        self.config_path.write_text(settings.render(self.config) if text is None else text)

    def start(self, ready=True):
        self.write_config()
        return self.launch(ready)

    def launch(self, ready=True):
        """Starts with the file as it is."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, *SLUICE_COMMAND, "--config", str(self.config_path)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**SANITIZER_OPTIONS, **os.environ, **self.environment},
                preexec_fn=process.die_with_parent)
        if ready:
            wait_for(self._is_ready, 15, "sluice is ready")
        return self

    def _is_ready(self):
        assert self.process.poll() is None, \
            f"sluice ended with {self.process.returncode} at start:\n{self.log()}"
        try:
            return self.admin("/readyz")[0] == 200
        except OSError:
            return False

    @property
    def pid(self):
        return self.process.pid

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def hup(self):
        """SIGHUP; returns the decision about it, a reload or a reload_refused."""
        seen = {row["id"] for row in self.reloads()}
        self.signal(signal.SIGHUP)
        return wait_for(lambda: next((r for r in self.reloads() if r["id"] not in seen), None),
                        10, "the decision about a reload")

    def reloads(self):
        return [row for row in self.decisions() if row["action"] in ("reload", "reload_refused")]

    def reload(self, **changes):
        """Changes the configuration, writes it, and tells sluice."""
        self.config = settings.merged(self.config, changes)
        self.write_config()
        return self.hup()

    def kill(self):
        """As the kernel would: SIGKILL, no chance to tidy up."""
        self.process.kill()
        self.process.wait()

    def terminate(self, deadline=40, by=None):
        """By SIGTERM or another signal; returns the exit status."""
        if self.is_alive():
            self.process.send_signal(by or signal.SIGTERM)
            try:
                self.process.wait(deadline)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGABRT)
                self.process.wait()
                raise AssertionError(f"sluice did not end within {deadline} s of a signal\n"
                                     f"{self.log()[-2000:]}") from None
        return self.process.returncode

    def finish(self):
        """The end of a test: stop, and fail on what sanitizers had to say."""
        status = 0
        try:
            if self.is_alive():
                status = self.terminate()
        finally:
            self.web.close()
            self.plain.close()
            log = self.log()
        report = REPORT.search(log)
        assert report is None, log[max(0, report.start() - 500):report.start() + 6000]
        assert status == 0, f"sluice ended with {status}:\n{log[-3000:]}"
        if self.process is not None and self.process.returncode not in (0, -signal.SIGKILL):
            raise AssertionError(f"sluice had ended with {self.process.returncode}:\n{log[-3000:]}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def rss_bytes(self):
        return process.rss_bytes(self.pid)

    def fds(self):
        return process.open_fds(self.pid)

    # What it says.

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_lines(self):
        return self.log().splitlines()

    def admin(self, path, timeout=10):
        """GET over the admin socket: (status, body)."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout)
            s.connect(self.config["admin"]["socket"])
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n\r\n".encode())
            raw = b""
            while piece := s.recv(65536):
                raw += piece
        head, _, body = raw.partition(b"\r\n\r\n")
        if b"chunked" in head.lower():
            body = _unchunk(body)
        return int(head.split()[1]), body.decode()

    def metrics(self):
        """{'sluice_requests_total{pool="new"}': 12.0, ...}"""
        values = {}
        for line in self.admin("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    # What an operator does.

    def run_ctl(self, *args):
        command = [CTL_BIN, "--socket", self.config["admin"]["socket"], *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30,
                              env={**SANITIZER_OPTIONS, **os.environ})

    def ctl(self, *args):
        """Runs sluicectl, which must succeed; returns what it printed."""
        done = self.run_ctl(*args)
        assert done.returncode == 0, f"sluicectl {args} gave {done.returncode}: {done.stderr}"
        assert not REPORT.search(done.stderr), done.stderr
        return done.stdout

    def status(self, name="api"):
        migrations = json.loads(self.ctl("status", "--json"))["migrations"]
        return next(m for m in migrations if m["name"] == name)

    def weight(self, name="api"):
        return self.status(name)["weight_percent"]

    def phase(self, name="api"):
        return self.status(name)["phase"]

    def healthy(self, pool, name="api"):
        return self.status(name)["pools"][pool]["healthy"]

    def migrate_database(self, postgres):
        self.write_config()
        self.ctl("db", "migrate", "--config", self.config_path)

    def decisions(self, action=None, name=None):
        lines = self.ctl("decisions", "--json", "--limit", 1000).splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
        return [row for row in rows
                if action in (None, row["action"]) and name in (None, row["migration"])]

    def wait_phase(self, phase, name="api", deadline=20):
        return wait_for(lambda: self.phase(name) == phase, deadline, f"phase {phase}", every=0.1)

    # Its clients.

    def client(self, tls=True, **options):
        if tls:
            return http1.Client(self.web.address, self.ca, **options)
        return http1.Client(self.plain.address, **options)

    def get(self, path="/", tls=True, **options):
        with self.client(tls, **options) as client:
            return client.request(path)


def _unchunk(raw):
    body = b""
    while raw:
        size, _, rest = raw.partition(b"\r\n")
        n = int(size, 16)
        if n == 0:
            break
        body += rest[:n]
        raw = rest[n + 2:]
    return body

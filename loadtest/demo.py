"""The story that loadtest/demo.sh tells, once everything is built: a migration that
goes well, one that does not, and what to try next."""

import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

REPO = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "tests/system"))

from load import Load  # noqa: E402
from origin import Origins  # noqa: E402
from process import die_with_parent  # noqa: E402
from waiting import wait_for  # noqa: E402

BIN = REPO / "build/bin"
FOLDER = REPO / "build/demo"
USERS, RATE = 40, 500
BAD_PERCENT = 40
LATEST_REVERT_S, LONGEST_PLAN_S = 10, 90


class Failed(Exception):
    """What the demo promised did not happen."""


def shown(path):
    """A path as one types it, from the folder the demo was called in if that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)


def free_port(wanted):
    for port in (wanted, 0):
        try:
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
                return s.getsockname()[1]
        except OSError:
            continue
    raise Failed("no port is free")


class Daemon:
    """sluice with the demo's configuration."""

    def __init__(self, origins):
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        self.port = free_port(8443)
        self.config = FOLDER / "sluice.conf"
        self.socket = FOLDER / "admin.sock"
        text = (REPO / "loadtest/demo.conf").read_text()
        for mark, value in {
            "WEB": self.port, "CERTS": REPO / "certs", "FOLDER": FOLDER,
            "LEGACY": servers(origins["legacy"]), "NEW": servers(origins["new"]),
        }.items():
            text = text.replace(f"@{mark}@", str(value))
        self.config.write_text(text)
        self.log = open(FOLDER / "log", "wb")
        self.process = subprocess.Popen([str(BIN / "sluice"), "--config", str(self.config)],
                                        stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, preexec_fn=die_with_parent)
        wait_for(self.is_ready, 15, f"sluice is ready; see {shown(FOLDER / 'log')}")

    def is_ready(self):
        if self.process.poll() is not None:
            raise Failed(f"sluice did not start:\n{(FOLDER / 'log').read_text()}")
        return self.run("status").returncode == 0 and self.answers()

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def run(self, *args):
        return subprocess.run([str(BIN / "sluicectl"), "--socket", str(self.socket), *args],
                              capture_output=True, text=True)

    def ctl(self, *args):
        done = self.run(*args)
        if done.returncode != 0:
            raise Failed(f"sluicectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def status(self):
        return json.loads(self.ctl("status", "--json"))["migrations"][0]

    def decisions(self):
        return [json.loads(line) for line in self.ctl("decisions", "--json").splitlines()]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        return self.process.returncode


def servers(list_of_servers):
    return ", ".join(f'{{ address = "{s.address}"; }}' for s in list_of_servers)


def start_traffic(daemon):
    return Load(("127.0.0.1", daemon.port), tls=REPO / "certs/ca.pem", connections=USERS,
                rate=RATE).start()


def evidence_of(status):
    return max((g["bar_percent"] for g in status["guard"].get("guards", [])), default=0)


class Watcher:
    """Prints a line a second, and each decision as it is made."""

    def __init__(self, daemon, traffic):
        self.daemon, self.traffic = daemon, traffic
        self.start = time.monotonic()
        self.seen = {row["id"] for row in daemon.decisions()}
        self.last = self.start
        print("\n     time  weight  phase       to legacy/s  to new/s  user errors  evidence")

    def line(self, status):
        now = time.monotonic()
        recent = [s for s in self.traffic.result().samples if self.last < s.at <= now]
        span = max(0.001, now - self.last)
        count = {name: sum(s.server == name for s in recent) / span for name in ("legacy", "new")}
        bad = len([s for s in self.traffic.result().failures if s.at >= self.start])
        print(f"  {now - self.start:5.1f} s  {status['weight_percent']:4.0f} %  "
              f"{status['phase']:10}  {count['legacy']:9.0f}  {count['new']:10.0f}  "
              f"{bad:9}  {evidence_of(status):9} %", flush=True)
        self.last = now

    def new_decisions(self):
        for row in self.daemon.decisions():
            if row["id"] not in self.seen:
                self.seen.add(row["id"])
                print(f"           -> {row['action']}: {row['from_percent']:g} % to "
                      f"{row['to_percent']:g} %, by {row['actor']}: {row['reason']}", flush=True)

    def until(self, condition, deadline):
        """The first status for which condition is true."""
        end = time.monotonic() + deadline
        due = time.monotonic()
        while time.monotonic() < end:
            self.new_decisions()
            status = self.daemon.status()
            if time.monotonic() >= due:
                self.line(status)
                due += 1
            if condition(status):
                self.new_decisions()
                self.line(status)
                return status
            time.sleep(0.1)
        raise Failed(f"not within {deadline} s; see {shown(FOLDER / 'log')}")


def seconds_of(text):
    """The wall clock of a decision's time."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def users_with_errors(traffic, since):
    return sum(any(s.at >= since and (s.status is None or s.status >= 500) for s in samples)
               for samples in traffic.samples)


def good_release(daemon, traffic):
    print(f"\n== First run: new is as good as legacy. {USERS} users, about {RATE} requests a "
          "second.\n   The plan is 5 -> 25 -> 50 -> 100 %; a step ends when its hold is over and "
          "the guard\n   has seen enough good requests.")
    watcher = Watcher(daemon, traffic)
    daemon.ctl("start", "api")
    watcher.until(lambda s: s["phase"] == "done", LONGEST_PLAN_S)
    errors = len([s for s in traffic.result().failures if s.at >= watcher.start])
    print(f"\n   All traffic is on new. Users who saw an error: "
          f"{users_with_errors(traffic, watcher.start)} of {USERS}.")
    if errors:
        raise Failed(f"{errors} requests of users failed in the good run")
    daemon.ctl("weight", "api", "0", "--reason", "back to the start for the second run")


def bad_release(daemon, traffic, origins):
    print(f"\n== Second run: at 25 % new begins to answer {BAD_PERCENT} % of its requests with "
          "503.")
    origins.command("zero")
    watcher = Watcher(daemon, traffic)
    daemon.ctl("start", "api")
    watcher.until(lambda s: s["weight_percent"] >= 25, LONGEST_PLAN_S)
    print("           !! new turns bad now", flush=True)
    origins.tell(name="new", fail_percent=BAD_PERCENT)
    watcher.until(lambda s: s["phase"] == "reverted", LATEST_REVERT_S + 5)
    tell_the_outcome(daemon, traffic, origins, watcher.start)


def tell_the_outcome(daemon, traffic, origins, since):
    revert = [row for row in daemon.decisions() if row["action"] == "revert"][-1]
    first_bad = min(s["first_failed"] for s in origins.stats() if s["first_failed"] > 0)
    took = seconds_of(revert["time"]) - first_bad
    failed = origins.total("failed", "new")
    requests = [s for s in traffic.result().samples if s.at >= since]
    seen = len([s for s in requests if s.status is None or s.status >= 500])
    print(f"\n   From the first bad response to the revert: {took:.1f} s."
          f"\n   Why: {revert['reason']}"
          f"\n   New gave {failed} bad responses in that time; legacy answered "
          f"{max(0, failed - seen)} of them instead."
          f"\n   Requests that failed for users: {seen} of {len(requests)}; users who saw an "
          f"error: {users_with_errors(traffic, since)} of {USERS}."
          "\n   New stays at 0 % until somebody says: sluicectl resume.")
    origins.calm()
    if not 0 <= took <= LATEST_REVERT_S:
        raise Failed(f"the revert took {took:.1f} s")
    if seen > failed:
        raise Failed("users saw more errors than new made")


def what_next(daemon, origins):
    ctl = f"{shown(BIN / 'sluicectl')} --socket {shown(daemon.socket)}"
    config, pid = shown(daemon.config), daemon.process.pid
    print(f"""
== Traffic goes on. Try, in another terminal:

  {ctl} status
  {ctl} decisions
  curl -i --cacert {shown(REPO / 'certs/ca.pem')} https://localhost:{daemon.port}/

  {ctl} resume api                    # clear the latch; moves nothing
  {ctl} weight api 30                 # a person's weight
  edit weights in {config}, then:  kill -HUP {pid}
  curl -X POST '{origins.control}/set?name=new&delay_ms=600'   # new turns slow ...
  curl -X POST '{origins.control}/calm'                        # ... and well again
  {ctl} cutback api --reason 'I do not like it'
  kill -USR1 {pid}                                             # the same for all migrations

  Ctrl-C ends the demo and everything it started.""", flush=True)


def keep_serving(daemon, traffic, stopping):
    """Forgets old samples as it goes; tells decisions as they are made."""
    seen = {row["id"] for row in daemon.decisions()}
    while not stopping.wait(1.0):
        if daemon.process.poll() is not None:
            raise Failed(f"sluice ended with {daemon.process.returncode}; see "
                         f"{shown(FOLDER / 'log')}")
        for samples in traffic.samples:
            del samples[:-100]
        for row in daemon.decisions():
            if row["id"] not in seen:
                seen.add(row["id"])
                print(f"  {row['time']}  {row['action']}: {row['from_percent']:g} % to "
                      f"{row['to_percent']:g} %, by {row['actor']}: {row['reason']}", flush=True)


def play(once, stopping):
    origins = Origins(legacy=2, new=2)
    daemon = traffic = None
    try:
        daemon = Daemon(origins)
        for name in ("legacy", "new"):
            print(f"  pool {name:6}  {', '.join(s.address for s in origins[name])}")
        print(f"  sluice       https://localhost:{daemon.port}, configuration "
              f"{shown(daemon.config)}")
        traffic = start_traffic(daemon)
        good_release(daemon, traffic)
        bad_release(daemon, traffic, origins)
        if not once:
            what_next(daemon, origins)
            keep_serving(daemon, traffic, stopping)
    finally:
        if traffic is not None:
            traffic.stop()
        status = daemon.stop() if daemon is not None else 0
        origins.stop()
    if status != 0:
        raise Failed(f"sluice ended with {status}; see {shown(FOLDER / 'log')}")


def main():
    os.environ.setdefault("ORIGIN_BIN", str(BIN / "origin"))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        play("--once" in sys.argv[1:], stopping)
    except KeyboardInterrupt:
        print("\nEnded.")
    except (Failed, AssertionError) as problem:
        print(f"\nThe demo failed: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

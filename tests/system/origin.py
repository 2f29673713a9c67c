"""Origins: one origin process with the servers of all pools of a test."""

import json
import subprocess
import urllib.parse
import urllib.request

from process import binary
from waiting import wait_for

ORIGIN_BIN = binary("origin", "ORIGIN_BIN")


def pattern(n):
    """The body of /bytes/N and /chunked/N."""
    period = bytes((i * 31 + (i >> 8)) & 255 for i in range(65521))
    return (period * (n // len(period) + 1))[:n]


class Server:
    """One listening port of the origin: one server of a pool."""

    def __init__(self, origins, name, address):
        self.origins = origins
        self.name = name
        self.address = address
        self.port = int(address.rsplit(":", 1)[1])

    def tell(self, **settings):
        self.origins.tell(port=self.port, **settings)

    def refuse(self):
        """As if killed: the listening socket and all connections are gone."""
        self.origins.command("refuse", port=self.port)

    def accept(self):
        self.origins.command("accept", port=self.port)

    def stats(self):
        return next(s for s in self.origins.stats() if s["port"] == self.port)


class Origins:
    """Origins(legacy=2, new=2): pools by name with their servers."""

    def __init__(self, **pools):
        args = [ORIGIN_BIN, "--until-eof", "--control", "127.0.0.1:0"]
        for name, count in pools.items():
            args += ["--name", name] + ["--listen", "127.0.0.1:0"] * count
        self.process = subprocess.Popen(
            args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pools = {name: [] for name in pools}
        self.control = None
        self._read_addresses()

    def _read_addresses(self):
        for line in self.process.stdout:
            word, *pairs = line.split()
            if word == "ready":
                return
            values = dict(pair.split("=", 1) for pair in pairs)
            if word == "control":
                self.control = values["address"]
            else:
                server = Server(self, values["name"], values["address"])
                self.pools[values["name"]].append(server)
        raise AssertionError(f"origin did not start, exit {self.process.wait()}")

    def __getitem__(self, name):
        return self.pools[name]

    def command(self, verb, **query):
        url = f"http://{self.control}/{verb}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10) as r:
            assert r.status == 200

    def tell(self, **settings):
        """tell(name="new", fail_percent=50): settings.c has the list."""
        self.command("set", **settings)

    def calm(self):
        self.command("calm")

    def stats(self):
        with urllib.request.urlopen(f"http://{self.control}/stats", timeout=10) as r:
            return json.load(r)

    def total(self, what, name=None):
        return sum(s[what] for s in self.stats() if name in (None, s["name"]))

    def wait_requests(self, n, name=None, deadline=10):
        wait_for(lambda: self.total("requests", name) >= n, deadline, f"{n} requests at {name}")

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

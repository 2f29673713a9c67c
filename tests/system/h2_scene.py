"""A running sluice that speaks HTTP/2 on both its listeners, and its clients."""

import contextlib
import re
import subprocess

from h2_client import Client
from h2_frames import Raw
from sluice import Sluice
from waiting import PATIENCE

SUMMARY = re.compile(r"requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, "
                     r"(\d+) failed, (\d+) errored, (\d+) timeout")


def make(certs, pools, migrations=None, **changes):
    """Not started yet; the plain listener takes prior knowledge."""
    instance = Sluice(certs, pools, migrations, **changes)
    if "listeners" not in changes:
        instance.config["listeners"][1]["h2c"] = True
    return instance


@contextlib.contextmanager
def running(certs, pools, migrations=None, **changes):
    """For several tests; one thread, unless the test says otherwise."""
    instance = make(certs, pools, migrations, **{"workers": 1, **changes})
    try:
        yield instance.start()
    finally:
        instance.finish()


def client(sluice, tls=True, **options):
    if tls:
        return Client(sluice.web.address, sluice.ca, **options)
    return Client(sluice.plain.address, **options)


def raw(sluice, tls=False, **options):
    if tls:
        return Raw(sluice.web.address, sluice.ca, **options)
    return Raw(sluice.plain.address, **options)


def get(sluice, path="/", tls=True, **options):
    with client(sluice, tls, **options) as one:
        return one.request(path)


class H2load:
    """nghttp2's load generator, in the background."""

    def __init__(self, sluice, *args, path="/", connections=4, streams=16, requests=None,
                 seconds=None):
        amount = ["-n", str(requests)] if requests else ["-D", str(seconds)]
        host, port = sluice.web.address
        self.process = subprocess.Popen(
            ["h2load", *amount, "-c", str(connections), "-m", str(streams), *args,
             f"https://{host}:{port}{path}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def is_running(self):
        return self.process.poll() is None

    def wait(self, deadline=60):
        """(succeeded, those that were not)"""
        try:
            output, _ = self.process.communicate(timeout=deadline * PATIENCE)
        finally:
            self.process.kill()
        found = SUMMARY.search(output)
        assert found is not None, output
        total, _, _, succeeded, failed, errored, timeout = map(int, found.groups())
        statuses = re.search(r"status codes: (\d+) 2xx", output)
        assert statuses is not None and int(statuses[1]) == succeeded, output
        return succeeded, failed + errored + timeout

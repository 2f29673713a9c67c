"""How long a cutback takes when the process is as full or as busy as it can be: p99 of the
command under 100 ms, and new gets nothing that begins after it returned."""

import contextlib
import resource
import subprocess
import time

import pytest

import settings
from test_full_process import idle_clients
from waiting import PATIENCE, wait_for

pytestmark = pytest.mark.slow

CUTBACKS = 100
P99_MS = 100 * PATIENCE
IDLE = 9_500  # of 20,000 descriptors, half of which are for servers


@pytest.fixture
def half(origins, sluice):
    """Half of the traffic goes to new; two threads."""
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    if old[1] < 20_000:
        pytest.skip(f"only {old[1]} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, old[1]))
    servers = origins(legacy=1, new=1)
    instance = sluice({"legacy": servers["legacy"], "new": servers["new"]},
                      {"api": settings.migration(50)})
    instance.origins = servers
    instance.start()
    servers.calm()
    yield instance
    resource.setrlimit(resource.RLIMIT_NOFILE, old)


@contextlib.contextmanager
def all_threads_busy(sluice):
    command = ["h2load", "--h1", "-c", "64", "-D", "300", f"https://{sluice.web}/"]
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL))
                 for _ in range(2)]
        before = sluice.origins.total("requests", "new")
        wait_for(lambda: sluice.origins.total("requests", "new") > before + 5_000, 30, "they run")
        try:
            yield
        finally:
            for one in loads:
                one.kill()


def in_flight_at_new(sluice):
    return sum(s["in_flight"] for s in sluice.status()["pools"]["new"]["servers"])


def cut_back_again_and_again(sluice):
    """Seconds of each command, and what new got of requests that came after one."""
    took, late = [], 0
    for _ in range(CUTBACKS):
        begin = time.monotonic()
        sluice.ctl("cutback", "api")
        took.append(time.monotonic() - begin)
        wait_for(lambda: in_flight_at_new(sluice) == 0, 10, "new has answered")
        before = sluice.origins.total("requests", "new")
        for _ in range(20):
            assert sluice.get(tls=False).status == 200
        late += sluice.origins.total("requests", "new") - before
        sluice.ctl("resume", "api")
        sluice.ctl("weight", "api", 50)
    return sorted(took), late


@pytest.mark.parametrize("how", ["9,500 idle clients", "every thread busy"])
def test_p99_of_a_cutback(half, how):
    with idle_clients(half, IDLE) if "idle" in how else all_threads_busy(half):
        took, late = cut_back_again_and_again(half)

    p99 = took[int(0.99 * len(took))] * 1000
    print(f"{how}: median {took[len(took) // 2] * 1000:.0f} ms, p99 {p99:.0f} ms, {late} late")
    assert p99 < P99_MS
    assert late == 0

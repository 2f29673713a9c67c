"""What every scenario gets: certificates, origins, sluice, and an honest end."""

import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import process  # noqa: E402
import settings  # noqa: E402
from load import Load, send  # noqa: E402
from origin import Origins  # noqa: E402
from postgres import Postgres  # noqa: E402
from sluice import SLUICE_BIN, Sluice  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: only in tests/run.sh --all")
    config.addinivalue_line("markers", "soak: runs for SLUICE_SOAK_SECONDS")


def pytest_collection_modifyitems(config, items):
    if os.environ.get("SLUICE_TEST_ALL"):
        return
    slow = [item for item in items if "slow" in item.keywords]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of sluice's log, where the reason mostly stands."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for instance in item.funcargs.get("_instances", []):
            tail = "\n".join(instance.log_lines()[-40:])
            report.sections.append((f"log of sluice in {instance.folder}", tail))


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    subprocess.run([str(process.REPO / "certs" / "make.sh"), str(folder)], check=True,
                   stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture
def origins():
    """origins(legacy=2, new=2) starts them."""
    started = []

    def start(**pools):
        started.append(Origins(**pools))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def _instances():
    return []


@pytest.fixture
def sluice(certs, origins, _instances):
    """sluice(pools, migrations, **changes of the configuration), not started yet."""

    def make(pools, migrations=None, **changes):
        _instances.append(Sluice(certs, pools, migrations, **changes))
        return _instances[-1]

    yield make
    for instance in _instances:
        instance.finish()


@pytest.fixture
def site(origins, sluice):
    """site(new_percent=10, guard=GUARD) is the usual scene: a running sluice with the
    migration `api` between two pools of origins, which are its .origins."""

    def make(new_percent=0, legacy=2, new=2, guard=None, plan=None, pools=None, api=None,
             start=True, **changes):
        servers = origins(legacy=legacy, new=new)
        both = {name: settings.pool(servers[name], **(pools or {})) for name in servers.pools}
        api = settings.migration(new_percent, guard=guard, plan=plan, **(api or {}))
        instance = sluice(both, {"api": api}, **changes)
        instance.origins = servers
        return instance.start() if start else instance

    return make


@pytest.fixture
def load(sluice):
    """load(sluice, ...) starts traffic that ends with the test at the latest."""
    running = []

    def start(instance, tls=True, **options):
        address = instance.web.address if tls else instance.plain.address
        running.append(Load(address, instance.ca if tls else None, **options).start())
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def send_requests():
    """send_requests(sluice, n): n requests over TLS, and their result."""

    def run(instance, n, tls=True, **options):
        address = instance.web.address if tls else instance.plain.address
        return send(n, address, instance.ca if tls else None, **options)

    return run


@pytest.fixture
def postgres():
    cluster = Postgres()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def is_sanitized():
    return process.is_sanitized(SLUICE_BIN)

"""A signal that comes while sluice is still starting ends nothing, and is obeyed."""

import signal

import pytest

import settings
from slow_files import SlowFiles
from waiting import wait_for


@pytest.fixture
def starting(origins, sluice):
    """A sluice that reads its certificates, for as long as the disk takes."""
    servers = origins(legacy=1, new=1)
    instance = sluice({"legacy": servers["legacy"], "new": servers["new"]},
                      {"api": settings.migration(50)})
    disk = SlowFiles(instance, "demo.pem")
    instance.start(ready=False)
    disk.wait_reached()
    return instance, disk


def ready(instance):
    wait_for(instance._is_ready, 15, "sluice is ready")


def test_a_cutback_in_the_start_is_done_before_a_request_is_served(starting, load):
    instance, disk = starting

    instance.signal(signal.SIGUSR1)
    disk.open()

    ready(instance)
    instance.wait_phase("cutback", "api", deadline=5)
    traffic = load(instance, connections=2)
    wait_for(lambda: len(traffic.result().samples) > 100, 10, "traffic")
    assert set(traffic.stop().by_server) == {"legacy"}
    assert [row["actor"] for row in instance.decisions("cutback")] == ["signal"]


def test_a_reload_in_the_start_is_done_after_it(starting):
    instance, disk = starting

    instance.signal(signal.SIGHUP)
    disk.open()

    ready(instance)
    wait_for(lambda: [r["action"] for r in instance.reloads()] == ["reload"], 10, "a reload")


def test_a_stop_in_the_start_is_a_clean_one(starting):
    instance, disk = starting

    instance.signal(signal.SIGTERM)
    disk.open()

    assert instance.process.wait(40) == 0


def test_a_second_stop_does_not_wait_for_the_start(starting):
    instance, _ = starting

    instance.signal(signal.SIGTERM)
    wait_for(lambda: pending(instance) == 0, 10, "the first was taken")
    instance.signal(signal.SIGTERM)

    assert instance.process.wait(40) == 1
    instance.process = None


def pending(instance):
    """Signals that the process has not taken yet, as bits."""
    with open(f"/proc/{instance.pid}/status") as status:
        return sum(int(line.split()[1], 16) for line in status
                   if line.startswith(("ShdPnd", "SigPnd")))

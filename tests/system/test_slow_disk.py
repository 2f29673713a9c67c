"""A disk that takes its time with a reload's certificates holds nothing else up."""

import signal

import pytest

import settings
from settings import GUARD
from slow_files import SlowFiles
from waiting import holds_for, wait_for


@pytest.fixture
def in_reload(origins, sluice, load):
    """A sluice under load in the middle of a reload, and the disk it waits for."""
    servers = origins(legacy=1, new=1)
    instance = sluice({"legacy": servers["legacy"], "new": servers["new"]},
                      {"api": settings.migration(50, guard=GUARD)})
    disk = SlowFiles(instance, "demo.pem", shut=False)
    instance.start()
    traffic = load(instance, connections=8, rate=400)
    servers.wait_requests(100, "new")
    disk.shut()
    instance.signal(signal.SIGHUP)
    disk.wait_reached()
    return instance, disk, servers, traffic


def test_a_breach_in_the_middle_of_a_reload_reverts(in_reload):
    instance, disk, servers, _ = in_reload

    servers.tell(name="new", fail_percent=100)

    instance.wait_phase("reverted", "api", deadline=10)
    assert instance.reloads() == []
    disk.open()
    wait_for(instance.reloads, 10, "the reload's decision")
    assert instance.status()["phase"] == "reverted"


def test_people_are_answered_in_the_middle_of_a_reload(in_reload):
    instance, disk, _, traffic = in_reload

    assert "api" in instance.ctl("status")
    instance.ctl("cutback", "api", "--reason", "the disk is slow")

    assert instance.status()["phase"] == "cutback"
    assert instance.reloads() == []
    disk.open()
    wait_for(instance.reloads, 10, "the reload's decision")
    assert traffic.stop().failures == []


def test_a_reload_asked_for_in_the_middle_of_one_is_done_after_it(in_reload):
    instance, disk, _, _ = in_reload
    instance.config["timeouts"] = {"connect": "1234ms"}

    instance.write_config()
    instance.signal(signal.SIGHUP)
    instance.signal(signal.SIGHUP)
    holds_for(lambda: instance.reloads() == [], 0.3, "nothing is loaded yet")
    disk.open()

    rows = wait_for(lambda: len(instance.reloads()) == 2 and instance.reloads(), 10,
                    "the reload that ran, and one for all that waited")
    assert {(row["action"], row["reason"]) for row in rows} == {
        ("reload", "0 settings changed"), ("reload", "1 setting changed")}


def test_a_stop_does_not_wait_for_the_disk(in_reload):
    instance, _, _, traffic = in_reload
    traffic.stop()

    assert instance.terminate() == 0

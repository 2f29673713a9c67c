"""While the journal cannot be written traffic and cutback go on and plans wait; what was
decided long before it could be recorded is thought over again."""

import copy
import json
import signal
import sqlite3

import pytest

from settings import GUARD
from waiting import holds_for, wait_for

PLAN = {"steps": [{"weight": 20, "hold": "1s"}, {"weight": 60, "hold": "1h"}]}


class BusyDisk:
    """The journal cannot be written until it is free()."""

    def __init__(self, sluice):
        self.other = sqlite3.connect(sluice.config["journal"]["path"], isolation_level=None)
        self.other.execute("BEGIN IMMEDIATE")

    def free(self):
        self.other.close()


def rise_meets(disk, sluice, first):
    """The rise was decided, and cannot be recorded; False if the step had passed before,
    or another row has found the disk busy and the plan is held instead."""
    def decided():
        return sluice.weight() != 20 or sluice.status()["generation"] > first or \
            "plan is held" in sluice.log()

    wait_for(decided, 20, "the step passes or is held", every=0.1)
    if sluice.weight() == 20 and sluice.status()["generation"] > first:
        return True
    disk.free()
    return False


@pytest.fixture
def meeting(site, load):
    """A sluice whose rise waits for its record, and the disk that is in its way."""
    for _ in range(5):
        sluice = site(guard=GUARD, plan=PLAN)
        traffic = load(sluice, connections=16, rate=600)
        sluice.ctl("start", "api")
        first = sluice.status()["generation"]
        disk = BusyDisk(sluice)
        if rise_meets(disk, sluice, first):
            yield sluice, disk
            disk.free()
            return
        traffic.stop()
        sluice.terminate()
    raise AssertionError("no rise has met the busy disk")


def test_a_plan_waits_for_its_record(meeting):
    sluice, disk = meeting
    holds_for(lambda: sluice.weight() == 20, 1, "not recorded, not done")

    disk.free()

    wait_for(lambda: sluice.weight() == 60, 10, "recorded and done")


def test_a_cutback_does_not_wait(meeting):
    sluice, disk = meeting
    sluice.ctl("cutback", "api")
    assert (sluice.phase(), sluice.weight()) == ("cutback", 0)

    disk.free()

    wait_for(lambda: sluice.decisions("cutback"), 10, "the cutback is recorded")
    holds_for(lambda: sluice.phase() == "cutback", 1, "the rise before it is forgotten")


def test_a_rise_is_not_done_when_new_fell_ill_before_it_was_recorded(meeting):
    sluice, disk = meeting
    ill = sluice.origins["new"][0]
    ill.refuse()
    wait_for(lambda: sluice.healthy("new") == 1, 10, "a server of new is out")
    holds_for(lambda: sluice.weight() == 20, 4, "its share spills for a while")

    disk.free()

    wait_for(lambda: sluice.decisions("withdrawn"), 10, "the rise is recorded, and withdrawn")
    holds_for(lambda: sluice.weight() == 20, 2, "half of new is no ground to go on")
    ill.accept()
    wait_for(lambda: sluice.weight() == 60, 20, "new is well again")


def test_a_rise_is_not_done_for_a_migration_that_left_before_it_was_recorded(meeting):
    sluice, disk = meeting
    whole = copy.deepcopy(sluice.config)
    sluice.config.update(migrations=None, routes=[{"path": "/", "pool": "legacy"}])
    sluice.write_config()
    sluice.signal(signal.SIGHUP)
    wait_for(lambda: json.loads(sluice.admin("/v1/status")[1])["migrations"] == [],
             10, "the migration has left")
    disk.free()
    wait_for(lambda: sluice.decisions("reload"), 10, "all is recorded")
    sluice.kill()
    sluice.config = whole

    sluice.start()

    assert sluice.weight() == 20

"""While the journal cannot be written traffic and cutback go on and plans wait; what was
decided long before it could be recorded is thought over again."""

import contextlib
import copy
import json
import signal
import sqlite3

import pytest

from settings import GUARD
from waiting import holds_for, wait_for

PLAN = {"steps": [{"weight": 5, "hold": "1s"}, {"weight": 60, "hold": "1h"}]}


@contextlib.contextmanager
def journal_cannot_be_written(sluice):
    other = sqlite3.connect(sluice.config["journal"]["path"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture
def running(site, load):
    sluice = site(guard=GUARD, plan=PLAN)
    load(sluice, connections=16, rate=600)
    sluice.ctl("start", "api")
    wait_for(lambda: sluice.weight() == 5, 5, "the first step")
    return sluice


def wait_for_a_rise_that_waits(sluice):
    first = sluice.status()["generation"]
    wait_for(lambda: sluice.status()["generation"] > first, 20, "the step has passed")


def test_a_plan_waits_for_its_record(running):
    with journal_cannot_be_written(running):
        wait_for_a_rise_that_waits(running)
        holds_for(lambda: running.weight() == 5, 1, "not recorded, not done")

    wait_for(lambda: running.weight() == 60, 10, "recorded and done")


def test_a_cutback_does_not_wait(running):
    with journal_cannot_be_written(running):
        wait_for_a_rise_that_waits(running)
        running.ctl("cutback", "api")
        assert (running.phase(), running.weight()) == ("cutback", 0)

    wait_for(lambda: running.decisions("cutback"), 10, "the cutback is recorded")
    holds_for(lambda: running.phase() == "cutback", 1, "the rise before it is forgotten")


def test_a_rise_is_not_done_when_new_fell_ill_before_it_was_recorded(running):
    ill = running.origins["new"][0]
    with journal_cannot_be_written(running):
        wait_for_a_rise_that_waits(running)
        ill.refuse()
        wait_for(lambda: running.healthy("new") == 1, 10, "a server of new is out")
        holds_for(lambda: running.weight() == 5, 4, "its share spills for a while")

    wait_for(lambda: running.decisions("withdrawn"), 10, "the rise is recorded, and withdrawn")
    holds_for(lambda: running.weight() == 5, 3, "half of new is no ground to go on")
    ill.accept()
    wait_for(lambda: running.weight() == 60, 20, "new is well again")


def test_a_rise_is_not_done_for_a_migration_that_left_before_it_was_recorded(running):
    whole = copy.deepcopy(running.config)
    with journal_cannot_be_written(running):
        wait_for_a_rise_that_waits(running)
        running.config.update(migrations=None, routes=[{"path": "/", "pool": "legacy"}])
        running.write_config()
        running.signal(signal.SIGHUP)
        wait_for(lambda: json.loads(running.admin("/v1/status")[1])["migrations"] == [],
                 10, "the migration has left")
    wait_for(lambda: running.decisions("reload"), 10, "all is recorded")
    running.kill()
    running.config = whole

    running.start()

    assert running.weight() == 5

"""Guards that compare: new is measured by what legacy does at the same moment, so a bad day of
both moves nothing, and what is bad on new alone reverts, also where no fixed limit is set."""

import contextlib

from waiting import wait_for

ERRORS = {"error_ratio": 1.5}
LATENCY = {"p95_ratio": 1.5}


@contextlib.contextmanager
def halves(site, load, guard, rate=400, connections=16):
    """Half of the traffic on each side, and no guard but this one."""
    sluice = site(new_percent=50, guard=guard)
    traffic = load(sluice, connections=connections, rate=rate)
    sluice.origins.wait_requests(50, "new")
    yield sluice
    traffic.stop()


def expect_revert(sluice, guard):
    sluice.wait_phase("reverted", deadline=15)
    [row] = sluice.decisions("revert")
    assert row["actor"] == "guard"
    assert guard in row["reason"]
    assert row["evidence"]


def expect_no_revert_within(sluice, requests):
    before = sluice.origins.total("requests", "new")
    wait_for(lambda: sluice.origins.total("requests", "new") >= before + requests, 30,
             "new has been judged long enough")
    assert sluice.weight() == 50
    assert sluice.decisions("revert") == []


def test_more_errors_than_the_ratio_allows_revert(site, load):
    with halves(site, load, ERRORS) as sluice:
        sluice.origins.tell(name="legacy", fail_percent=3)
        sluice.origins.tell(name="new", fail_percent=30)

        expect_revert(sluice, "error_ratio")


def test_errors_of_new_revert_where_legacy_has_none(site, load):
    with halves(site, load, ERRORS) as sluice:
        sluice.origins.tell(name="new", fail_percent=20)

        expect_revert(sluice, "error_ratio")


def test_many_errors_on_both_sides_do_not_revert(site, load):
    with halves(site, load, ERRORS) as sluice:
        sluice.origins.tell(name="legacy", fail_percent=20)
        sluice.origins.tell(name="new", fail_percent=22)

        expect_no_revert_within(sluice, 1_000)


def test_a_new_that_is_slower_than_the_ratio_allows_reverts(site, load):
    with halves(site, load, LATENCY, connections=48) as sluice:
        sluice.origins.tell(name="legacy", delay_ms=100)
        sluice.origins.tell(name="new", delay_ms=700)

        expect_revert(sluice, "p95_ratio")


def test_slow_on_both_sides_does_not_revert_within_the_ratio(site, load):
    with halves(site, load, LATENCY, connections=48) as sluice:
        sluice.origins.tell(name="legacy", delay_ms=500)
        sluice.origins.tell(name="new", delay_ms=600)

        expect_no_revert_within(sluice, 200)

"""While both pools are bad a shift cannot help: the weight stays where it is and nothing is
reverted; and where no server is left, each pool is asked all the same."""

import pytest

from settings import GUARD
from waiting import holds_for, wait_for


@pytest.fixture
def running(site):
    sluice = site(new_percent=30, guard=GUARD, api={"rescue": {"enabled": False}},
                   pools={"eject": {"failures": 1000}, "retry": {"attempts": 1}})
    wait_for(lambda: (sluice.healthy("legacy"), sluice.healthy("new")) == (2, 2), 10, "all up")
    return sluice


def is_frozen(sluice):
    return "the weight is frozen" in sluice.log()


def test_new_is_not_left_for_a_legacy_that_is_down(running, load):
    running.origins.tell(name="legacy", health="down")
    wait_for(lambda: running.healthy("legacy") == 0, 10, "legacy is down")
    running.origins.tell(name="new", fail_percent=100)
    load(running, connections=8, rate=200)
    wait_for(lambda: is_frozen(running), 20, "the guard of new has tripped")

    holds_for(lambda: (running.weight(), running.phase()) == (30, "manual"), 2, "no move")
    assert running.decisions("revert") == []

    running.origins.tell(name="legacy", health="up")
    running.wait_phase("reverted")
    assert running.weight() == 0


def test_without_any_usable_server_each_pool_is_asked_all_the_same(running, send_requests):
    """Checks may be wrong about all of them at once: a refusal would be worse."""
    running.origins.tell(health="down")
    wait_for(lambda: (running.healthy("legacy"), running.healthy("new")) == (0, 0), 10, "none up")

    result = send_requests(running, 400)

    assert result.failures == []
    assert dict(result.by_server) == {"legacy": 280, "new": 120}
    assert (running.weight(), running.decisions("revert")) == (30, [])

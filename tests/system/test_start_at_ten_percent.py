"""A first start at 10 % with an empty state gives new its exact share and no guard a fright."""

from settings import GUARD


def test_the_first_10000_requests(site, send_requests):
    sluice = site(new_percent=10, guard=GUARD)

    result = send_requests(sluice, 10_000)

    assert result.failures == []
    assert abs(result.by_server["new"] - 1_000) <= sluice.config["workers"]
    assert sluice.decisions("revert") == []
    assert sluice.weight() == 10


def test_a_first_start_is_said_to_be_one(site):
    sluice = site(new_percent=10)

    starts = sluice.decisions("start_up")

    assert len(starts) == 1
    assert "first start" in starts[0]["reason"]

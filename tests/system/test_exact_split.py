"""Of 10,000 requests new gets its exact share, whatever the connections."""

import pytest

WORKERS = 2


@pytest.mark.parametrize("percent", [1, 10, 50])
def test_new_gets_its_exact_share(site, send_requests, percent):
    sluice = site(new_percent=percent, workers=WORKERS)

    result = send_requests(sluice, 10_000, connections=7)

    assert result.failures == []
    assert abs(result.by_server["new"] - 10_000 * percent / 100) <= WORKERS
    assert sluice.origins.total("requests", "new") == result.by_server["new"]


def test_one_connection_is_split_like_many(site, send_requests):
    sluice = site(new_percent=25)

    result = send_requests(sluice, 1_000, connections=1)

    assert abs(result.by_server["new"] - 250) <= 1


def test_a_reload_every_40_requests_takes_nothing_from_a_1_percent_canary(site, send_requests):
    """The carry of the split goes on: begun anew each time, new would never have its turn."""
    sluice = site(new_percent=1, workers=1)
    served = 0

    for turn in range(20):
        served += send_requests(sluice, 40).by_server["new"]
        sluice.reload(timeouts={"client_idle": f"{60 + turn}s"})

    assert abs(served - 8) <= 1


@pytest.mark.parametrize("percent, server", [(0, "legacy"), (100, "new")])
def test_the_ends_of_the_scale_are_absolute(site, send_requests, percent, server):
    sluice = site(new_percent=percent)

    result = send_requests(sluice, 500)

    assert dict(result.by_server) == {server: 500}

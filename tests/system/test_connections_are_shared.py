"""Two data threads share client connections within a tenth of each other."""

import pytest

from waiting import wait_for

WORKERS = 2


def per_thread(sluice):
    return sorted(int(value) for name, value in sluice.metrics().items()
                  if name.startswith("sluice_thread_connections_open"))


@pytest.mark.parametrize("count", [64, 1000])
def test_kept_connections_are_spread_evenly(site, count):
    sluice = site(workers=WORKERS)

    clients = [sluice.client(tls=False) for _ in range(count)]
    wait_for(lambda: sum(per_thread(sluice)) == count, 20, "all connections are accepted")

    fewest, most = per_thread(sluice)
    assert most - fewest <= max(2, count // WORKERS // 10)
    answers = [client.request("/").status for client in clients]
    assert answers == [200] * count
    for client in clients:
        client.close()
    wait_for(lambda: sum(per_thread(sluice)) == 0, 20, "all connections are gone")

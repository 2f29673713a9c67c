"""All of new goes down: traffic is at legacy within seconds, and users saw nothing."""

from settings import GUARD
from waiting import wait_for


def test_every_server_of_new_is_killed(site, load):
    sluice = site(new_percent=50, guard=GUARD)
    traffic = load(sluice, connections=8, rate=300)
    sluice.origins.wait_requests(100, "new")

    for server in sluice.origins["new"]:
        server.refuse()

    sluice.wait_phase("reverted", deadline=10)
    before = traffic.count()
    wait_for(lambda: traffic.count() > before + 50, 10, "traffic goes on")
    result = traffic.stop()
    assert result.failures == []
    assert sluice.weight() == 0


def test_new_down_from_the_start_spills_and_frightens_no_guard(site, send_requests):
    sluice = site(new_percent=50, guard=GUARD, start=False)
    for server in sluice.origins["new"]:
        server.refuse()
    sluice.start()

    result = send_requests(sluice, 1_000)

    assert dict(result.by_server) == {"legacy": 1_000}
    assert result.failures == []
    assert sluice.weight() == 50

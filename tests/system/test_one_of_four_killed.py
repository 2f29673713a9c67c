"""One server of four killed and revived: nobody notices, and no guard reverts."""

from settings import GUARD
from waiting import holds_for, wait_for


def test_a_server_of_four_dies_and_comes_back(site, load):
    sluice = site(new_percent=50, new=4, guard=GUARD)
    victim = sluice.origins["new"][0]
    traffic = load(sluice, connections=8, rate=400)
    wait_for(lambda: victim.stats()["requests"] > 20, 10, "the victim has traffic")

    victim.refuse()

    wait_for(lambda: sluice.healthy("new") == 3, 10, "the victim is out")
    holds_for(lambda: sluice.weight() == 50, 2, "no revert while it is gone")
    victim.accept()
    wait_for(lambda: sluice.healthy("new") == 4, 10, "the victim is back")
    before = victim.stats()["requests"]
    wait_for(lambda: victim.stats()["requests"] > before + 20, 10, "and has traffic again")
    assert traffic.stop().failures == []
    assert sluice.decisions("revert") == []


def test_a_server_that_fails_its_checks_is_out_though_it_answers(site, send_requests):
    sluice = site(new_percent=100, new=2)
    sick, well = sluice.origins["new"]

    sick.tell(health="down")

    wait_for(lambda: sluice.healthy("new") == 1, 10, "the sick one is out")
    before = sick.stats()["requests"]
    result = send_requests(sluice, 200)
    assert result.failures == []
    assert sick.stats()["requests"] == before
    assert well.stats()["requests"] >= 90

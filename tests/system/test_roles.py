"""What is known of a migration is known of two pools: others in their place inherit neither its
share, nor its evidence; and a latch goes where its pool goes."""

import pytest

import settings
from settings import GUARD
from waiting import wait_for

def exchange(sluice):
    one = sluice.config["migrations"]["api"]
    return sluice.reload(migrations={"api": {"legacy": one["new"], "new": one["legacy"]}})


def exchange_servers(sluice):
    pools = sluice.config["pools"]
    return sluice.reload(pools={"legacy": {"servers": pools["new"]["servers"]},
                                "new": {"servers": pools["legacy"]["servers"]}})


def served(sluice, send_requests, n=40):
    return dict(send_requests(sluice, n).by_server)


@pytest.mark.parametrize("change", [exchange, exchange_servers])
@pytest.mark.parametrize("latch", ["cutback"])
def test_roles_are_not_exchanged_under_a_latch(site, send_requests, change, latch):
    sluice = site(new_percent=50)
    sluice.ctl(latch, "api")

    answer = change(sluice)

    assert answer["action"] == "reload_refused"
    assert "resume it first" in answer["reason"] and "migrations.api" in answer["reason"]
    assert served(sluice, send_requests) == {"legacy": 40}
    assert sluice.phase() == "cutback"


def test_after_a_resume_they_may_be(site, send_requests):
    sluice = site(new_percent=50)
    sluice.ctl("cutback", "api")
    sluice.ctl("resume", "api")

    assert exchange(sluice)["action"] == "reload"

    assert sluice.weight() == 0
    assert served(sluice, send_requests) == {"new": 40}, "the pool of that name is legacy now"


@pytest.mark.parametrize("change", [exchange, exchange_servers])
def test_exchanged_at_100_percent_new_starts_at_0(site, send_requests, change):
    """Who served goes on to serve, and it is told as a decision of its own."""
    sluice = site(new_percent=100)
    assert served(sluice, send_requests) == {"new": 40}

    assert change(sluice)["action"] == "reload"

    assert sluice.weight() == 0
    assert served(sluice, send_requests) == {"new": 40}
    told = sluice.decisions("roles")[-1]
    assert (told["from_percent"], told["to_percent"]) == (100, 0)
    assert "100 %" in told["reason"] and "0 %" in told["reason"]


def test_new_pointed_elsewhere_starts_at_0(site, origins, send_requests):
    sluice = site(new_percent=30)
    other = origins(other=1)

    assert sluice.reload(pools={"other": settings.pool(other["other"])},
                         migrations={"api": {"new": "other"}})["action"] == "reload"

    assert sluice.weight() == 0
    assert served(sluice, send_requests) == {"legacy": 40}


@pytest.mark.parametrize("change", [exchange, exchange_servers])
def test_roles_are_not_exchanged_under_a_plan(site, change):
    sluice = site(guard=GUARD, plan={"steps": [{"weight": 10, "hold": "1h"}, {"weight": 100}]})
    sluice.ctl("start", "api")
    sluice.wait_phase("running")

    answer = change(sluice)

    assert answer["action"] == "reload_refused"
    assert "abort the plan first" in answer["reason"]
    assert (sluice.phase(), sluice.weight()) == ("running", 10)


def test_other_servers_under_the_old_name_are_judged_anew(site, origins, load):
    """A moment before the step would have passed on what the old ones had shown."""
    sluice = site(guard=GUARD, plan={"steps": [{"weight": 10, "hold": "1s"}, {"weight": 60}]})
    bad = origins(new=2)
    bad.tell(fail_percent=40)
    load(sluice, connections=8, rate=400)
    sluice.ctl("start", "api")
    sluice.origins.wait_requests(30, "new")

    sluice.reload(pools={"new": {"servers": settings.pool(bad["new"])["servers"]}})

    sluice.wait_phase("reverted", deadline=30)
    assert max(row["to_percent"] for row in sluice.decisions()) == 10


def test_a_pool_under_another_name_is_the_same_pool(site, send_requests):
    sluice = site(new_percent=100)
    renamed = {"green": sluice.config["pools"]["new"]}

    sluice.reload(pools=renamed, migrations={"api": {"new": "green"}})

    assert sluice.weight() == 100
    assert served(sluice, send_requests) == {"new": 40}


def test_a_latch_goes_with_its_pool(site, send_requests):
    """A migration that is renamed while it is cut back."""
    sluice = site(new_percent=50)
    sluice.ctl("cutback", "api")
    sluice.config["migrations"]["shop"] = sluice.config["migrations"].pop("api")
    sluice.config["routes"] = [{"host": "*", "path": "/", "migration": "shop"}]

    sluice.reload()

    assert (sluice.phase("shop"), sluice.weight("shop")) == ("cutback", 0)
    assert served(sluice, send_requests) == {"legacy": 40}
    assert '"api"' in sluice.decisions("condemned")[-1]["reason"]
    sluice.ctl("resume", "shop")
    assert sluice.phase("shop") == "idle"


def test_a_resume_speaks_for_the_pool_of_former_migrations_too(site):
    sluice = site(new_percent=50)
    sluice.ctl("cutback", "api")
    for name in ("shop", "till"):
        sluice.config["migrations"] = {name: next(iter(sluice.config["migrations"].values()))}
        sluice.config["routes"] = [{"host": "*", "path": "/", "migration": name}]
        sluice.reload()
        if name == "shop":
            assert sluice.phase(name) == "cutback"
            sluice.ctl("resume", name)

    assert sluice.phase("till") == "manual", "nothing is held against its pool any more"


def test_a_latch_goes_with_its_pool_across_a_restart(site, send_requests):
    sluice = site(new_percent=50)
    sluice.ctl("cutback", "api")
    sluice.terminate()
    sluice.config["migrations"]["shop"] = sluice.config["migrations"].pop("api")
    sluice.config["routes"] = [{"host": "*", "path": "/", "migration": "shop"}]

    sluice.start()

    assert (sluice.phase("shop"), sluice.weight("shop")) == ("cutback", 0)
    assert served(sluice, send_requests) == {"legacy": 40}


def test_exchanged_while_it_was_away_who_served_goes_on(site, send_requests):
    sluice = site(new_percent=50)
    sluice.ctl("cutback", "api")
    sluice.terminate()
    one = sluice.config["migrations"]["api"]
    one["legacy"], one["new"] = one["new"], one["legacy"]

    sluice.start()

    assert served(sluice, send_requests) == {"legacy": 40}, "not the one that was condemned"
    assert sluice.decisions("roles")


# --- hard -----------------------------------------------------------------------------------------


def is_hard(sluice):
    return sluice.status()["hard"]


def test_hard_outlives_a_restart_and_a_refused_resume(site):
    sluice = site(new_percent=50)
    sluice.ctl("cutback", "api", "--hard")
    assert is_hard(sluice)

    assert sluice.run_ctl("resume", "api", "--generation", "1").returncode != 0
    assert is_hard(sluice)

    sluice.kill()
    sluice.launch()
    wait_for(lambda: sluice.phase() == "cutback", 10, "it is there again")
    assert is_hard(sluice)

    sluice.ctl("resume", "api")
    assert not is_hard(sluice)


def test_one_migration_is_told_as_one(site):
    sluice = site(new_percent=50)

    assert "the only migration, api," in sluice.ctl("cutback", "--all")

"""A plan goes its steps when new is well, waits when told, and never skips one."""

from settings import GUARD
from waiting import holds_for, wait_for

STEPS = {"steps": [{"weight": w, "hold": "1s"} for w in (5, 25, 50, 100)]}


def test_a_good_release_goes_to_100(site, load):
    sluice = site(guard=GUARD, plan=STEPS)
    traffic = load(sluice, connections=16, rate=600)

    sluice.ctl("start", "api")

    sluice.wait_phase("done", deadline=60)
    advances = [row["to_percent"] for row in sluice.decisions() if row["to_percent"] > 0]
    assert sorted(set(advances)) == [5, 25, 50, 100]
    assert advances == sorted(advances)
    assert sluice.weight() == 100
    assert traffic.stop().failures == []


def test_a_bad_release_is_back_at_0_before_50(site, load):
    sluice = site(guard=GUARD, plan=STEPS)
    load(sluice, connections=16, rate=600)
    sluice.origins.tell(name="new", fail_percent=40)

    sluice.ctl("start", "api")

    sluice.wait_phase("reverted", deadline=40)
    assert max(row["to_percent"] for row in sluice.decisions()) <= 25


def test_without_traffic_a_plan_holds(site):
    sluice = site(guard=GUARD, plan=STEPS)

    sluice.ctl("start", "api")

    sluice.wait_phase("running")
    holds_for(lambda: sluice.weight() == 5, 3, "no evidence, no advance")


def test_pause_resume_and_abort(site, load):
    plan = {"steps": [{"weight": 10, "hold": "1s"}, {"weight": 60, "hold": "1h"}, {"weight": 100}]}
    sluice = site(guard=GUARD, plan=plan)
    load(sluice, connections=8, rate=400)
    sluice.ctl("start", "api")
    sluice.wait_phase("running")

    sluice.ctl("pause", "api")

    assert sluice.phase() == "paused"
    holds_for(lambda: sluice.weight() == 10, 3, "a paused plan does not advance")
    sluice.ctl("resume", "api")
    wait_for(lambda: sluice.weight() == 60, 20, "it goes on from its step")
    sluice.ctl("weight", "api", 33)
    assert (sluice.phase(), sluice.weight()) == ("manual", 33)
    sluice.ctl("abort", "api")
    assert (sluice.phase(), sluice.weight()) == ("idle", 0)


def test_a_running_step_survives_a_restart_at_its_weight(site):
    plan = {"steps": [{"weight": 10, "hold": "1h"}, {"weight": 100}]}
    sluice = site(guard=GUARD, plan=plan)
    sluice.ctl("start", "api")
    wait_for(lambda: sluice.weight() == 10, 5, "the first step")
    sluice.kill()

    sluice.launch()

    assert (sluice.phase(), sluice.weight()) == ("running", 10)


def test_autostart_has_its_chance_when_the_plan_is_first_loaded(site):
    plan = {"steps": [{"weight": 10, "hold": "1h"}], "autostart": False}
    sluice = site(guard=GUARD, plan=plan)
    wait_for(lambda: sluice.decisions("start_up"), 5, "the first start is recorded")
    sluice.kill()
    sluice.config["migrations"]["api"]["plan"]["autostart"] = True

    sluice.start()

    assert (sluice.phase(), sluice.weight()) == ("idle", 0)

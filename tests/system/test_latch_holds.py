"""A latch outlives everything but resume: SIGHUP, kill -9, SIGTERM, a changed file."""

import pytest

from settings import GUARD


def assert_latched(sluice, send_requests, phase):
    assert (sluice.phase(), sluice.weight()) == (phase, 0)
    assert dict(send_requests(sluice, 200).by_server) == {"legacy": 200}


@pytest.fixture
def cut_back(site):
    sluice = site(new_percent=50)
    sluice.ctl("cutback", "api")
    return sluice


def test_across_a_reload_of_the_same_file(cut_back, send_requests):
    cut_back.hup()

    assert_latched(cut_back, send_requests, "cutback")


def test_across_a_reload_that_asks_for_more(cut_back, send_requests):
    cut_back.reload(migrations={"api": {"weights": {"legacy": 20, "new": 80}}})

    assert_latched(cut_back, send_requests, "cutback")
    assert any(row["migration"] == "api" for row in cut_back.decisions("refused"))


def test_across_kill_9_at_once(site, send_requests):
    sluice = site(new_percent=50)
    sluice.ctl("cutback", "api")
    sluice.kill()

    sluice.launch()

    assert_latched(sluice, send_requests, "cutback")


def test_across_kill_9_after_a_revert(site, load, send_requests):
    sluice = site(new_percent=50, guard=GUARD)
    traffic = load(sluice, connections=8, rate=300)
    sluice.origins.wait_requests(100, "new")
    sluice.origins.tell(name="new", fail_percent=100)
    sluice.wait_phase("reverted", deadline=15)
    sluice.kill()
    traffic.stop()

    sluice.launch()

    assert_latched(sluice, send_requests, "reverted")


def test_across_an_orderly_restart_with_a_changed_file(cut_back, send_requests):
    assert cut_back.terminate() == 0
    cut_back.config["migrations"]["api"]["weights"] = {"legacy": 10, "new": 90}

    cut_back.start()

    assert_latched(cut_back, send_requests, "cutback")


def test_resume_then_restart_does_not_raise(cut_back, send_requests):
    cut_back.ctl("resume", "api")
    cut_back.kill()

    cut_back.launch()

    assert (cut_back.phase(), cut_back.weight()) == ("idle", 0)


def test_a_lost_database_keeps_what_the_live_file_knows(cut_back, send_requests):
    cut_back.terminate()
    for leftover in cut_back.folder.glob("journal.db*"):
        if not leftover.name.endswith("-live"):
            leftover.unlink()

    cut_back.launch()

    assert_latched(cut_back, send_requests, "cutback")


def test_a_person_s_weight_survives_kill_9(site):
    sluice = site(new_percent=10)
    sluice.ctl("weight", "api", 37)
    sluice.kill()

    sluice.launch()

    assert (sluice.phase(), sluice.weight()) == ("manual", 37)

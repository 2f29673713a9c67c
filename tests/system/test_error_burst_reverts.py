"""New starts to fail: the guard reverts, and the decision with its evidence is in PostgreSQL."""

from settings import GUARD
from waiting import wait_for


def test_an_error_burst_reverts_and_is_written_down(postgres, site, load):
    sluice = site(new_percent=50, guard=GUARD, start=False, journal={"postgres": postgres.dsn})
    sluice.migrate_database(postgres)
    sluice.start()
    traffic = load(sluice, connections=8, rate=300)
    sluice.origins.wait_requests(200, "new")

    sluice.origins.tell(name="new", fail_percent=30)

    sluice.wait_phase("reverted", deadline=15)
    [row] = wait_for(lambda: postgres.query(
        "select *, extract(epoch from at) as epoch from decision where action = 'revert'"),
        10, "the decision is in PostgreSQL")
    assert (row["from_ppm"], row["to_ppm"]) == (500_000, 0)
    assert row["actor"] == "guard"
    assert row["phase_to"] == "reverted"
    assert row["evidence"], "a decision carries its evidence"
    [rollback] = postgres.query("select * from migration_rollback")
    assert rollback["kind"] == "revert"
    first_bad = min(s["first_failed"] for s in sluice.origins.stats() if s["first_failed"])
    assert 0 < row["epoch"] - first_bad < 10
    assert traffic.stop().failures == [], "rescue by legacy hides the burst"
    assert [d["id"] for d in sluice.decisions("revert")] == [row["id"]]


def test_without_rescue_users_see_no_more_than_the_share_of_new(site, load):
    sluice = site(new_percent=20, guard=GUARD, api={"rescue": {"enabled": False}})
    traffic = load(sluice, connections=8, rate=300)
    sluice.origins.wait_requests(100, "new")

    sluice.origins.tell(name="new", fail_percent=100, status=500)
    sluice.wait_phase("reverted", deadline=15)

    result = traffic.stop()
    failed = sluice.origins.total("failed", "new")
    assert 0 < len(result.failures) <= failed
    assert {s.status for s in result.failures} == {500}


def test_after_a_revert_nothing_retries_by_itself(site, load, send_requests):
    sluice = site(new_percent=50, guard=GUARD)
    traffic = load(sluice, connections=8, rate=300)
    sluice.origins.wait_requests(100, "new")
    sluice.origins.tell(name="new", fail_percent=100)
    sluice.wait_phase("reverted", deadline=15)
    traffic.stop()

    sluice.origins.calm()
    result = send_requests(sluice, 1_000)

    assert dict(result.by_server) == {"legacy": 1_000}
    assert sluice.phase() == "reverted"
    refused = sluice.run_ctl("weight", "api", 50)
    assert refused.returncode != 0
    assert "resume" in refused.stderr


def test_broken_answers_are_errors_of_the_pool(site, load):
    sluice = site(new_percent=50, guard=GUARD)
    load(sluice, connections=8, rate=300)
    sluice.origins.wait_requests(100, "new")

    sluice.origins.tell(name="new", garbage_percent=50)

    sluice.wait_phase("reverted", deadline=15)


def test_errors_below_the_limit_do_not_revert(site, load):
    sluice = site(new_percent=50, guard={"error_rate": 10.0})
    traffic = load(sluice, connections=8, rate=400)

    sluice.origins.tell(name="new", fail_percent=3)

    sluice.origins.wait_requests(1_500, "new", deadline=30)
    assert sluice.weight() == 50
    traffic.stop()

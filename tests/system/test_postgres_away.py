"""PostgreSQL goes away and comes back: no request notices, no decision is lost or doubled."""

from waiting import holds_for, wait_for


def change_weights(sluice, *percents):
    for percent in percents:
        sluice.ctl("weight", "api", percent)


def assert_all_arrived(sluice, postgres):
    ids = [row["id"] for row in sluice.decisions()]
    wait_for(lambda: postgres.query("select count(*) as n from decision")[0]["n"] >= len(ids),
             20, "all decisions are in PostgreSQL")
    rows = postgres.query("select id, seq from decision order by arrived")
    assert [row["id"] for row in rows] == ids
    assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)


def with_postgres(site, postgres):
    sluice = site(new_percent=10, start=False, journal={"postgres": postgres.dsn})
    sluice.migrate_database(postgres)
    return sluice.start()


def test_stopped_and_started_in_the_middle_of_traffic(postgres, site, load):
    sluice = with_postgres(site, postgres)
    traffic = load(sluice, connections=8, rate=400)
    change_weights(sluice, 11, 12, 13)

    postgres.stop()
    change_weights(sluice, 14, 15, 16, 17, 18)
    before = traffic.count()
    wait_for(lambda: traffic.count() > before + 200, 10, "traffic goes on")
    postgres.start()
    change_weights(sluice, 19)

    assert_all_arrived(sluice, postgres)
    assert traffic.stop().failures == []


def test_killed_in_the_middle_of_traffic(postgres, site, load):
    sluice = with_postgres(site, postgres)
    traffic = load(sluice, connections=8, rate=400)
    change_weights(sluice, 11, 12)

    postgres.stop("immediate")
    change_weights(sluice, 13, 14)
    postgres.start()
    change_weights(sluice, 15)

    assert_all_arrived(sluice, postgres)
    assert traffic.stop().failures == []


def test_away_while_sluice_itself_is_killed(postgres, site):
    sluice = with_postgres(site, postgres)
    postgres.stop()
    change_weights(sluice, 21, 22, 23)
    sluice.kill()

    sluice.launch()
    postgres.start()

    assert_all_arrived(sluice, postgres)


def test_cutback_needs_no_postgres(postgres, site, send_requests):
    sluice = with_postgres(site, postgres)
    postgres.stop()

    sluice.ctl("cutback", "api")

    assert dict(send_requests(sluice, 100).by_server) == {"legacy": 100}
    postgres.start()
    assert_all_arrived(sluice, postgres)


def test_sluice_starts_while_postgres_is_away(postgres, site):
    sluice = site(new_percent=10, start=False, journal={"postgres": postgres.dsn})
    sluice.migrate_database(postgres)
    postgres.stop()

    sluice.start()

    assert sluice.get().status == 200
    postgres.start()
    assert_all_arrived(sluice, postgres)


def test_an_outage_reverts_to_no_legacy_that_is_down(postgres, site):
    plan = {"steps": [{"weight": 50, "hold": "1h"}]}
    sluice = site(plan=plan, start=False, journal={
        "postgres": postgres.dsn, "grace": "100ms", "on_outage": "revert"})
    sluice.migrate_database(postgres)
    sluice.start()
    sluice.ctl("start", "api")
    for server in sluice.origins["legacy"]:
        server.refuse()
    wait_for(lambda: sluice.healthy("legacy") == 0, 10, "legacy is down")

    postgres.stop()

    holds_for(lambda: sluice.phase() == "running", 3, "new is all that is left")
    sluice.origins["legacy"][0].accept()
    sluice.wait_phase("reverted")

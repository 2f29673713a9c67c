"""SIGUSR1 sends every migration back to legacy, under load and at once."""

import signal
import time

import settings
from waiting import wait_for


def test_a_signal_cuts_back_every_migration(origins, sluice, load):
    servers = origins(legacy=2, new=2)
    instance = sluice(
        {"legacy": servers["legacy"], "new": servers["new"]},
        {"api": settings.migration(50), "shop": settings.migration(30)},
        routes=[{"host": "*", "path": "/", "migration": "api"},
                {"host": "*", "path": "/shop", "migration": "shop"}]).start()
    api = load(instance, connections=4)
    shop = load(instance, connections=4, path="/shop/x")
    servers.wait_requests(300, "new")

    instance.signal(signal.SIGUSR1)

    instance.wait_phase("cutback", "api", deadline=5)
    instance.wait_phase("cutback", "shop", deadline=5)
    moment = time.monotonic()
    for traffic in (api, shop):
        wait_for(lambda: len(traffic.result().after(moment)) > 100, 10, "traffic goes on")
        result = traffic.stop()
        assert result.failures == []
        assert set(result.after(moment).by_server) == {"legacy"}
    rows = instance.decisions("cutback")
    assert {row["migration"] for row in rows} == {"api", "shop"}
    assert all("signal" in row["actor"] for row in rows)


def test_the_effect_is_within_a_tick(site, load):
    sluice = site(new_percent=50)
    traffic = load(sluice, connections=8)
    sluice.origins.wait_requests(200, "new")

    moment = time.monotonic()
    sluice.signal(signal.SIGUSR1)

    wait_for(lambda: len(traffic.result().after(moment)) > 500, 20, "traffic goes on")
    late = [s for s in traffic.stop().after(moment + 0.1).samples if s.server == "new"]
    assert late == []

"""New turns slow or silent: the guard reverts without waiting for the answers."""

import time

from settings import GUARD


def revert_seconds(sluice, traffic, **trouble):
    sluice.origins.wait_requests(200, "new")
    start = time.monotonic()
    sluice.origins.tell(name="new", **trouble)
    sluice.wait_phase("reverted", deadline=20)
    return time.monotonic() - start


def test_a_latency_jump_reverts(site, load):
    sluice = site(new_percent=50, guard=GUARD)
    traffic = load(sluice, connections=16, rate=200)

    revert_seconds(sluice, traffic, delay_ms=500)

    [row] = sluice.decisions("revert")
    assert row["evidence"]
    assert "p95" in row["reason"] or "latency" in row["reason"]
    assert traffic.stop().failures == []


def test_a_hung_pool_reverts_long_before_its_timeout(site, load):
    sluice = site(new_percent=50, guard=GUARD, timeouts={"response_head": "30s"})
    load(sluice, connections=32, rate=100, timeout=60)

    assert revert_seconds(sluice, None, stall="head") < 15
    sluice.origins.calm()
    sluice.origins.command("drop", name="new")


def test_slow_on_both_sides_is_no_fault_of_new_alone_for_a_relative_guard(site, load):
    sluice = site(new_percent=50, guard={"p95_ratio": 1.5, "error_ratio": 1.5})
    traffic = load(sluice, connections=16, rate=200)
    sluice.origins.wait_requests(200, "new")

    sluice.origins.tell(delay_ms=100, jitter_ms=30)

    sluice.origins.wait_requests(800, "new", deadline=30)
    assert sluice.weight() == 50
    assert traffic.stop().failures == []

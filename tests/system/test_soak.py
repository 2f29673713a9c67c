"""The same release on both sides, for as long as it takes: no revert, no failure, no growth."""

import os
import time

import pytest

from settings import GUARD
from waiting import holds_for, wait_for

SECONDS = float(os.environ.get("SLUICE_SOAK_SECONDS", "60"))


@pytest.mark.soak
def test_a_against_a(site, load, is_sanitized):
    sluice = site(new_percent=50, guard={**GUARD, "error_ratio": 1.5, "p95_ratio": 1.5})
    sluice.origins.tell(jitter_ms=20, fail_percent=1)
    start = time.monotonic()
    traffic = load(sluice, connections=16, rate=300)
    wait_for(lambda: time.monotonic() - start > SECONDS / 6, SECONDS, "warm")
    rss, fds = sluice.rss_bytes(), sluice.fds()

    holds_for(lambda: sluice.weight() == 50, SECONDS * 5 / 6, "no revert", every=1)

    result = traffic.stop()
    assert sluice.decisions("revert") == []
    assert len(result) > SECONDS * 100
    share = len(result.failures) / len(result)
    assert share < 0.02, "legacy's own failures are all that users see"
    assert sluice.fds() <= fds + 20
    if not is_sanitized:
        assert sluice.rss_bytes() < rss + 16 * 1024 * 1024

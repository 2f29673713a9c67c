"""Rounds of everything at once: whatever breaks, sluice serves on and comes back clean."""

import random
import signal

import pytest

from waiting import wait_for

ROUNDS = 12
TROUBLES = [
    {"fail_percent": 30}, {"reset_percent": 30}, {"garbage_percent": 20}, {"delay_ms": 400},
    {"stall": "head", "stall_percent": 10}, {"stall": "body", "stall_percent": 10},
    {"truncate": "close"}, {"truncate": "reset"}, {"close_idle_ms": 1}, {"health": "down"},
    {"trickle_ms": 1, "trickle_bytes": 500},
]
PATHS = ["/", "/bytes/100000", "/chunked/30000", "/delay/50"]


def disturb(sluice, dice):
    """One misfortune, or one act of an operator."""
    what = dice.randrange(8)
    if what < 5:
        sluice.origins.tell(name=dice.choice(["legacy", "new"]), **dice.choice(TROUBLES))
    elif what == 5:
        dice.choice(sluice.origins["new"]).refuse()
    elif what == 6:
        sluice.reload(timeouts={"client_idle": f"{dice.randrange(30, 90)}s"})
    else:
        sluice.signal(signal.SIGUSR1)


def recover(sluice):
    sluice.origins.calm()
    for server in sluice.origins["new"] + sluice.origins["legacy"]:
        server.accept()
    for pool in ("legacy", "new"):
        wait_for(lambda: sluice.healthy(pool) == 3, 20, f"{pool} is well again")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_comes_back_clean_from_every_round(site, load, send_requests, seed):
    dice = random.Random(seed)
    sluice = site(new_percent=50, legacy=3, new=3, guard={"error_rate": 20.0},
                  timeouts={"response_head": "1s", "stream_idle": "1s"})
    for _ in range(ROUNDS):
        traffic = [load(sluice, connections=4, path=path, rate=100) for path in PATHS]
        for _ in range(4):
            disturb(sluice, dice)
            before = sum(t.count() for t in traffic)
            wait_for(lambda: sum(t.count() for t in traffic) > before + 50, 30, "traffic goes on")
        recover(sluice)
        for one in traffic:
            one.stop()

        assert sluice.is_alive()
        assert send_requests(sluice, 200).failures == []
        if sluice.phase() in ("reverted", "cutback"):
            sluice.ctl("resume", "api")
            sluice.ctl("weight", "api", 50)

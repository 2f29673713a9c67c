"""Twenty reloads under load fail no request and drop no connection."""

import socket

from waiting import wait_for


def test_twenty_reloads(site, load):
    sluice = site(new_percent=10)
    traffic = load(sluice, connections=8)

    for turn in range(20):
        before = traffic.count()
        percent = 50 if turn % 2 == 0 else 10
        row = sluice.reload(
            timeouts={"client_idle": f"{60 + turn}s"},
            migrations={"api": {"weights": {"legacy": 100 - percent, "new": percent}}})
        assert row["action"] == "reload"
        wait_for(lambda: sluice.weight() == percent, 5, f"weight {percent}")
        wait_for(lambda: traffic.count() > before + 20, 10, "traffic goes on")

    result = traffic.stop()
    assert result.failures == []
    assert traffic.connects == 8, "every connection lived through all of them"
    assert sluice.phase() == "manual"


def test_an_unchanged_weight_is_no_wish(site):
    sluice = site(new_percent=10)
    sluice.ctl("weight", "api", 30)

    sluice.reload(timeouts={"client_idle": "61s"})

    assert sluice.weight() == 30


def test_a_server_that_joins_is_used_and_one_that_leaves_is_not(site, load, send_requests):
    sluice = site(new_percent=0, legacy=3)
    everyone = sluice.config["pools"]["legacy"]["servers"]
    traffic = load(sluice, connections=4)

    sluice.reload(pools={"legacy": {"servers": everyone[1:]}})

    first, *others = sluice.origins["legacy"]
    wait_for(lambda: first.stats()["in_flight"] == 0, 5, "the removed server has drained")
    before = first.stats()["requests"]
    send_requests(sluice, 300)
    assert first.stats()["requests"] == before
    sluice.reload(pools={"legacy": {"servers": everyone}})
    wait_for(lambda: first.stats()["requests"] > before + 20, 10, "the server is used again")
    assert all(other.stats()["requests"] > 100 for other in others)
    assert traffic.stop().failures == []


def test_a_listener_comes_and_goes(site, load):
    sluice = site(new_percent=0)
    web, plain = sluice.config["listeners"]
    traffic = load(sluice, connections=4)

    sluice.reload(listeners=[web])
    wait_for(lambda: not accepts(sluice.plain.address), 10, "the listener is gone")
    sluice.reload(listeners=[web, plain])
    wait_for(lambda: accepts(sluice.plain.address), 10, "the listener is back")

    assert sluice.get(tls=False).status == 200
    assert traffic.stop().failures == []


def accepts(address):
    try:
        socket.create_connection(address, 1).close()
        return True
    except OSError:
        return False

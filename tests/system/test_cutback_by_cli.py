"""A cutback from the command line holds from the moment it returns, and is latched."""

import contextlib
import socket
import time

import pytest
from waiting import wait_for


def test_a_cutback_under_load(site, load):
    sluice = site(new_percent=50)
    traffic = load(sluice, connections=8)
    sluice.origins.wait_requests(200, "new")

    sluice.ctl("cutback", "api", "--reason", "drill at noon")

    moment = time.monotonic()
    wait_for(lambda: len(traffic.result().after(moment)) > 200, 10, "traffic goes on")
    result = traffic.stop()
    assert result.failures == []
    assert set(result.after(moment).by_server) == {"legacy"}
    assert (sluice.phase(), sluice.weight()) == ("cutback", 0)
    [row] = sluice.decisions("cutback")
    assert "drill at noon" in row["reason"]
    assert (row["from_percent"], row["to_percent"]) == (50, 0)


def test_resume_clears_the_latch_and_moves_nothing(site, send_requests):
    sluice = site(new_percent=50)
    sluice.ctl("cutback", "api")

    sluice.ctl("resume", "api")

    assert (sluice.phase(), sluice.weight()) == ("idle", 0)
    assert dict(send_requests(sluice, 200).by_server) == {"legacy": 200}
    sluice.ctl("weight", "api", 50)
    assert send_requests(sluice, 200).by_server["new"] in range(98, 103)


def test_cutback_again_is_a_recorded_no_op(site):
    sluice = site(new_percent=50)
    sluice.ctl("cutback", "--all")

    sluice.ctl("cutback", "--all")

    assert sluice.phase() == "cutback"
    assert len(sluice.decisions("cutback")) == 2


def test_a_latch_refuses_rises_and_says_why(site):
    sluice = site(new_percent=50)
    sluice.ctl("cutback", "api")

    done = sluice.run_ctl("weight", "api", 10)

    assert done.returncode != 0
    assert "sluicectl resume api" in done.stderr
    assert sluice.weight() == 0
    assert sluice.decisions("refused"), "a refusal is a decision too"


@pytest.mark.parametrize("reason,kept", [
    ("two\nlines\tand a tab", "two lines and a tab [cleaned]"),
    ("x" * 700, "x" * 500 + " [cut]")])
def test_no_reason_is_too_odd_for_a_cutback(site, reason, kept):
    sluice = site(new_percent=100)

    sluice.ctl("cutback", "api", "--reason", reason)

    assert (sluice.phase(), sluice.weight()) == ("cutback", 0)
    assert kept in sluice.decisions("cutback")[-1]["reason"]


def test_half_requests_on_the_admin_socket_do_not_keep_it_out(site):
    sluice = site(new_percent=50)
    with contextlib.ExitStack() as half_requests:
        for _ in range(300):
            s = half_requests.enter_context(socket.socket(socket.AF_UNIX))
            s.connect(str(sluice.folder / "admin.sock"))
            s.sendall(b"POST /v1/cutback HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")

        sluice.ctl("cutback", "api")

        assert (sluice.phase(), sluice.weight()) == ("cutback", 0)

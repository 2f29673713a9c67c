"""State that is deleted, moved or cut under a running process: what is in force stays in force,
and is there after a restart."""

import os
import signal

import pytest

from waiting import wait_for

LIVE_BYTES = 131_200


@pytest.fixture
def half(site):
    return site(new_percent=50)


def path(sluice, suffix=""):
    return sluice.config["journal"]["path"] + suffix


def split(sluice, send_requests, n=100):
    return dict(send_requests(sluice, n).by_server)


def written_anew(sluice):
    wait_for(lambda: os.path.exists(path(sluice, "-live")) and
             os.path.getsize(path(sluice, "-live")) == LIVE_BYTES, 10, "it is there again")


def test_a_live_file_that_is_deleted_is_made_anew_with_its_latch(half, send_requests):
    half.ctl("cutback", "api")
    os.unlink(path(half, "-live"))

    written_anew(half)
    assert "live file was deleted" in half.log()
    half.kill()
    half.launch()

    assert (half.phase(), half.weight()) == ("cutback", 0)
    assert split(half, send_requests) == {"legacy": 100}


def test_a_live_file_that_is_cut_short_ends_nothing(half, send_requests):
    os.truncate(path(half, "-live"), 0)

    assert split(half, send_requests) == {"legacy": 50, "new": 50}
    written_anew(half)
    half.ctl("cutback", "api")
    assert split(half, send_requests) == {"legacy": 100}
    half.kill()
    half.launch()
    assert half.phase() == "cutback"


def test_a_cutback_after_all_was_deleted_outlives_a_restart(half, send_requests):
    for suffix in ("", "-wal", "-shm", "-live"):
        if os.path.exists(path(half, suffix)):
            os.unlink(path(half, suffix))
    written_anew(half)

    half.ctl("cutback", "api")
    half.kill()
    half.launch()

    assert half.weight() == 0
    assert split(half, send_requests) == {"legacy": 100}
    assert "or restart" not in half.log(), "that would have been no good advice"


def test_an_admin_socket_that_is_removed_is_made_anew(half):
    os.unlink(half.config["admin"]["socket"])
    wait_for(lambda: half.run_ctl("status").returncode == 0, 10, "it answers again")

    os.unlink(half.config["admin"]["socket"])
    half.signal(signal.SIGHUP)

    wait_for(lambda: half.run_ctl("status").returncode == 0, 10, "it answers again")
    wait_for(lambda: half.reloads(), 10, "the reload was taken")
    assert half.reloads()[-1]["action"] == "reload"

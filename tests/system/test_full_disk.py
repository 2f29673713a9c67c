"""A start while the journal's disk is full or read-only: sluice serves with what was kept,
plans wait, a cutback works, and the rows are written as soon as there is room."""

import json
import os
import pathlib
import subprocess

import pytest

from waiting import holds_for, wait_for

PLAN = {"steps": [{"weight": 20, "hold": "3s"}, {"weight": 60, "hold": "1h"}]}
BLOCK = 4096


class Disk:
    """A small file system of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.filling = folder / "filling"
        self._mount("-t", "tmpfs", "-o", "size=4m", "tmpfs")

    @property
    def journal(self):
        return {"path": str(self.folder / "journal.db")}

    def _mount(self, *options):
        subprocess.run(["mount", *options, str(self.folder)], check=True)

    def fill(self, leave=0):
        """To the last block, or but for so many bytes."""
        fd = os.open(self.filling, os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(fd, bytes(BLOCK))
        except OSError:
            os.ftruncate(fd, os.fstat(fd).st_size // BLOCK * BLOCK - leave)
        os.close(fd)

    def make_read_only(self):
        self._mount("-o", "remount,ro")

    def give_room(self):
        self._mount("-o", "remount,rw")
        self.filling.unlink(missing_ok=True)

    def remove(self):
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system of its own")
    one = Disk(pathlib.Path(tmp_path))
    yield one
    one.remove()


def full(leave):
    return pytest.param(lambda disk: disk.fill(leave), id=f"{leave} bytes free")


no_room = pytest.mark.parametrize("take_room", [
    full(0), full(8192), full(24576),
    pytest.param(lambda disk: disk.make_read_only(), id="read-only"),
])


def journal_of(sluice):
    return json.loads(sluice.ctl("status", "--json"))["journal"]


def decided(sluice):
    return [row["action"] for row in sluice.decisions()]


def written_again(sluice):
    wait_for(lambda: not journal_of(sluice)["failing"], 10, "the journal writes again")
    return decided(sluice)


@no_room
def test_a_latch_is_kept(disk, site, send_requests, take_room):
    sluice = site(new_percent=30, journal=disk.journal)
    sluice.ctl("cutback", "api")
    sluice.terminate()
    take_room(disk)

    sluice.launch()

    assert sluice.phase() == "cutback"
    assert dict(send_requests(sluice, 50).by_server) == {"legacy": 50}
    assert journal_of(sluice)["failing"]
    assert "the journal cannot be written" in sluice.ctl("status")
    before = len(decided(sluice))
    disk.give_room()
    assert len(written_again(sluice)) > before
    assert sluice.phase() == "cutback"


@no_room
def test_the_weight_is_kept_and_a_cutback_works(disk, site, send_requests, take_room):
    sluice = site(new_percent=30, journal=disk.journal)
    sluice.terminate()
    take_room(disk)
    sluice.launch()
    assert send_requests(sluice, 100).by_server["new"] == 30

    sluice.ctl("cutback", "api")

    assert dict(send_requests(sluice, 50).by_server) == {"legacy": 50}
    disk.give_room()
    assert "cutback" in written_again(sluice)
    sluice.kill()
    sluice.launch()
    assert sluice.phase() == "cutback"


def test_a_cutback_on_a_full_disk_outlives_the_process(disk, site):
    sluice = site(new_percent=30, journal=disk.journal)
    sluice.terminate()
    disk.fill()
    sluice.launch()
    sluice.ctl("cutback", "api")

    sluice.kill()
    sluice.launch()

    assert sluice.phase() == "cutback"
    assert sluice.weight() == 0


@no_room
def test_a_plan_is_held_until_there_is_room(disk, site, load, take_room):
    sluice = site(plan=PLAN, journal=disk.journal)
    sluice.ctl("start", "api")
    wait_for(lambda: sluice.weight() == 20, 10, "the plan runs")
    sluice.terminate()
    take_room(disk)

    sluice.launch()
    traffic = load(sluice, connections=8, rate=200)

    holds_for(lambda: sluice.weight() == 20, 5, "nothing rises without a record")
    disk.give_room()
    wait_for(lambda: sluice.weight() == 60, 20, "the plan goes on")
    assert traffic.stop().failures == []


def test_the_first_start_of_all_serves_too(disk, site, send_requests):
    sluice = site(new_percent=30, journal=disk.journal, start=False)
    pathlib.Path(sluice.config["journal"]["path"] + "-lock").touch()
    disk.fill()

    sluice.start()

    assert send_requests(sluice, 100).by_server["new"] == 30
    disk.give_room()
    assert "start_up" in written_again(sluice)
    sluice.ctl("cutback", "api")
    sluice.kill()
    sluice.launch()
    assert sluice.phase() == "cutback"

"""A user without any privilege can run sluice, in folders of his own: it serves, reloads, is
told by sluicectl, and ends; nothing that it may not do keeps it from that."""

import os
import pwd
import shutil

import pytest

import sluice as sluice_module
from waiting import wait_for

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def unprivileged(monkeypatch, site):
    """The usual scene, its sluice started by nobody."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else; without it all tests are this one")
    one = site(new_percent=50, start=False)
    command = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}",
               "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
    binary = one.folder / "sluice"
    shutil.copy(sluice_module.SLUICE_BIN, binary)
    for name in ("demo.pem", "demo.key"):
        shutil.copy(one.ca.parent / name, one.folder / name)
    [web] = [listener for listener in one.config["listeners"] if "tls" in listener]
    web["tls"] = {"certificates": [{"cert": str(one.folder / "demo.pem"),
                                    "key": str(one.folder / "demo.key")}]}
    one.write_config()
    for path in (one.folder, *one.folder.iterdir()):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    monkeypatch.setattr(sluice_module, "SLUICE_COMMAND", [*command, str(binary)])
    return one.launch()


def test_nobody_serves_reloads_and_ends(unprivileged, send_requests):
    uids = next(line for line in open(f"/proc/{unprivileged.pid}/status") if line.startswith("Uid:"))
    assert set(uids.split()[1:]) == {str(NOBODY.pw_uid)}

    assert dict(send_requests(unprivileged, 200).by_server) == {"legacy": 100, "new": 100}
    unprivileged.ctl("weight", "api", 25)
    assert unprivileged.weight() == 25
    assert unprivileged.hup()["action"] == "reload"
    wait_for(lambda: unprivileged.get("/").status == 200, 5, "it serves on")

    assert "level=error" not in unprivileged.log()
    assert unprivileged.terminate() == 0

"""A second sluice for the same socket or journal does not start, and disturbs nothing."""

import subprocess

from sluice import SLUICE_BIN


def start_second(sluice, name, **changes):
    """A second one with a configuration of its own; ends by itself, or is a failure."""
    text = sluice.config_path.read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    path = sluice.folder / name
    path.write_text(text)
    return subprocess.run([SLUICE_BIN, "--config", str(path)], capture_output=True, text=True,
                          timeout=20)


def assert_undisturbed(sluice, send_requests):
    assert sluice.weight() == 20
    assert abs(send_requests(sluice, 100).by_server["new"] - 20) <= 2


def test_for_the_same_socket(site, send_requests):
    sluice = site(new_percent=20)

    done = start_second(sluice, "same.conf")

    assert done.returncode == 1
    assert "admin.sock" in done.stderr
    assert "running already" in done.stderr
    assert_undisturbed(sluice, send_requests)


def test_for_the_same_journal_by_another_socket(site, send_requests):
    sluice = site(new_percent=20)

    done = start_second(sluice, "other.conf", **{"admin.sock": "other.sock"})

    assert done.returncode == 1
    assert "journal.db: another sluice keeps it" in done.stderr
    assert f"process {sluice.pid}" in done.stderr
    assert not (sluice.folder / "other.sock").exists()
    assert_undisturbed(sluice, send_requests)


def test_after_kill_9_the_journal_is_free_again(site):
    sluice = site(new_percent=20)
    sluice.kill()

    sluice.launch()

    assert sluice.weight() == 20


def test_where_nobody_may_write_the_folder_is_named(site):
    sluice = site(start=False)

    for setting, path in (("journal", "path"), ("admin", "socket")):
        kept = sluice.config[setting][path]
        sluice.config[setting][path] = "/nonexistent/folder/file"
        sluice.write_config()
        done = subprocess.run([SLUICE_BIN, "--config", str(sluice.config_path)],
                              capture_output=True, text=True, timeout=20)
        sluice.config[setting][path] = kept

        assert done.returncode == 1
        assert f"{setting}.{path} /nonexistent/folder/file" in done.stderr
        assert "its folder must exist" in done.stderr

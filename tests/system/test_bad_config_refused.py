"""A bad configuration is refused with its place and reason while the old one serves on."""

import subprocess

import pytest

import settings
from sluice import SLUICE_BIN

BAD = {
    "a syntax error": ("workers = ;", 1),
    "an unknown key": ("workerz = 2;", 1),
    "a wrong type": ('workers = "two";', 1),
    "a number out of range": ("workers = 4294967296;", 1),
    "a trailing comma": ("trusted = [ \"127.0.0.0/8\", ];", 1),
}


@pytest.fixture
def spoil():
    """Puts a bad line above the configuration that runs."""

    def write(sluice, line):
        config = {k: v for k, v in sluice.config.items() if not line.startswith(k)}
        sluice.write_config(line + "\n" + settings.render(config))

    return write


def test_every_kind_of_bad_file_changes_nothing(site, load, spoil):
    sluice = site(new_percent=20)
    traffic = load(sluice, connections=4)

    for what, (line, number) in BAD.items():
        spoil(sluice, line)
        row = sluice.hup()

        assert row["action"] == "reload_refused", what
        assert f"sluice.conf:{number}" in row["reason"], (what, row["reason"])
        assert sluice.weight() == 20

    assert traffic.stop().failures == []
    sluice.write_config()
    assert sluice.hup()["action"] == "reload"


def test_a_migration_without_weights_is_refused(site):
    sluice = site(new_percent=20)
    good = settings.merged(sluice.config, {})
    sluice.config["migrations"]["api"].pop("weights")

    sluice.write_config()
    row = sluice.hup()

    assert row["action"] == "reload_refused"
    assert "weights" in row["reason"]
    sluice.config = good


def test_a_missing_certificate_names_the_script_that_makes_one(site):
    sluice = site(start=False)
    sluice.config["listeners"][0]["tls"]["certificates"][0]["cert"] = "/nonexistent/x.pem"
    sluice.write_config()

    done = check(sluice)

    assert done.returncode == 1
    assert "certs/make.sh" in done.stderr


def test_check_says_all_errors_of_a_file_at_once(site):
    sluice = site(start=False)
    sluice.write_config('workers = -1;\nlog = { level = "loud"; };\nnonsense = 1;\n')

    done = check(sluice)

    assert done.returncode == 1
    for line in (1, 2, 3):
        assert f"sluice.conf:{line}" in done.stderr


def test_check_accepts_what_runs(site):
    sluice = site()

    assert check(sluice).returncode == 0


def check(sluice):
    return subprocess.run([SLUICE_BIN, "--check", str(sluice.config_path)],
                          capture_output=True, text=True, timeout=30)

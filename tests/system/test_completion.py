"""The shell completes what sluicectl takes: verbs, options, and the names of migrations that the
running sluice has."""

import os
import pathlib
import subprocess

import pytest

from sluice import CTL_BIN

COMPLETION = pathlib.Path(__file__).resolve().parents[2] / "conf/sluicectl.bash"
SCRIPT = """source "$0"; COMP_WORDS=(sluicectl "$@"); COMP_CWORD=$#
_sluicectl; printf '%s\\n' "${COMPREPLY[@]}" """


def complete(socket, *words):
    """What may stand in place of the last of the words."""
    environment = {**os.environ, "SLUICE_SOCKET": str(socket),
                   "PATH": f"{pathlib.Path(CTL_BIN).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", SCRIPT, COMPLETION, *words], env=environment,
                          capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


@pytest.fixture
def socket(site):
    return site().config["admin"]["socket"]


def test_the_daemons_options_and_files(tmp_path):
    (tmp_path / "one.conf").touch()
    script = SCRIPT.replace("sluicectl", "sluice")

    def completed(*words):
        return set(subprocess.run(
            ["bash", "-c", script, COMPLETION.with_name("sluice.bash"), *words], text=True,
            check=True, capture_output=True, timeout=30).stdout.split())

    assert completed("--") == {"--config", "--check", "--print", "--version", "--help"}
    assert completed("--print", f"{tmp_path}/o") == {f"{tmp_path}/one.conf"}


def test_verbs_and_names(socket):
    assert complete(socket, "sta") == {"status", "start"}
    assert complete(socket, "help", "cut") == {"cutback"}
    assert complete(socket, "cutback", "") == {"api"}
    assert complete(socket, "decisions", "--migration", "a") == {"api"}
    assert complete("/nonexistent", "--socket", socket, "weight", "") == {"api"}
    assert complete(socket, "weight", "api", "") == set(), "a percentage is anybody's guess"
    assert complete(socket, "db", "") == {"migrate"}


def test_options_are_those_of_the_verb(socket):
    assert complete(socket, "cutback", "api", "--") == {
        "--socket", "--help", "--all", "--hard", "--reason"}
    assert complete(socket, "decisions", "--l") == {"--limit"}
    assert complete(socket, "start", "api", "--reason", "") == set()


def test_without_a_daemon_there_are_no_names_and_no_noise():
    assert complete("/nonexistent", "start", "") == set()
    assert "status" in complete("/nonexistent", "")

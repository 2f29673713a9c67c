"""A wrong command line changes nothing, names the argument, and exits with 2."""

import subprocess

import pytest

from sluice import SLUICE_BIN


def run(*args):
    return subprocess.run([SLUICE_BIN, *args], capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("args, named", [
    (["--nosuch"], "unknown option --nosuch"), (["-x"], "unknown option -x"),
    (["-xV"], "unknown option -xV"), (["--config"], "a FILE is missing behind --config"),
    (["some.conf"], "this is no option: some.conf"),
    (["--check", "a", "b"], "this is no option: b"),
    (["--check", "a", "--config", "b"], "one or the other")])
def test_a_wrong_command_line_is_told(args, named):
    done = run(*args)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert named in done.stderr
    assert "sluice --help" in done.stderr


@pytest.mark.parametrize("option", ["--help", "-h", "--version", "-V"])
def test_help_and_version_go_to_stdout(option):
    done = run(option)

    assert done.returncode == 0
    assert done.stdout.strip()
    assert done.stderr == ""


def test_a_file_that_is_not_there_is_named():
    done = run("--config", "/nonexistent/sluice.conf")

    assert done.returncode == 1
    assert "/nonexistent/sluice.conf" in done.stderr

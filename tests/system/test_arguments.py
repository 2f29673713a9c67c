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
    (["--check", "a", "--config", "b"], "take one of them")])
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


def test_what_is_printed_is_a_configuration_that_says_the_same(site):
    sluice = site()

    printed = run("--print", sluice.config_path)
    again = sluice.folder / "printed.conf"
    again.write_text(printed.stdout)

    assert (printed.returncode, printed.stderr) == (0, "")
    assert run("--print", again).stdout == printed.stdout
    assert "keepalive" in printed.stdout, "a default that the file does not name"


def test_what_cannot_be_loaded_is_not_printed(tmp_path):
    bad = tmp_path / "bad.conf"
    bad.write_text("workerz = 1;\n")

    done = run("--print", bad)

    assert (done.returncode, done.stdout) == (1, "")
    assert "bad.conf:1" in done.stderr

"""The admin socket: health, metrics, status, and errors that say what to do."""

import socket
import stat

import pytest

VERBS = ("status", "weight", "start", "pause", "resume", "abort", "cutback", "decisions",
         "validate", "db migrate")


def test_health_and_metrics(site, send_requests):
    sluice = site(new_percent=10)
    send_requests(sluice, 200)

    assert sluice.admin("/healthz")[0] == 200
    assert sluice.admin("/readyz")[0] == 200
    metrics = sluice.metrics()
    assert len(metrics) > 20
    assert all(name.startswith("sluice_") for name in metrics)
    assert 200 in metrics.values(), "the requests are counted somewhere"


def test_only_its_own_group_may_use_the_socket(site):
    sluice = site()

    mode = stat.S_IMODE((sluice.folder / "admin.sock").stat().st_mode)

    assert mode == 0o660


def test_status_is_a_table_for_people(site):
    sluice = site(new_percent=10)

    table = sluice.ctl("status")

    assert "api" in table
    assert "10" in table


def test_help_gives_each_verb_a_line(site):
    sluice = site()

    text = sluice.ctl("--help")

    for verb in VERBS:
        assert any(line.strip().startswith(verb) or f" {verb} " in f" {line} "
                   for line in text.splitlines()), verb


@pytest.mark.parametrize("args", [
    ["weight", "nosuch", "10"], ["weight", "api", "101"], ["weight", "api", "ten"],
    ["weight", "api"], ["frobnicate"], ["start", "api"], ["cutback", "nosuch"]])
def test_a_bad_command_fails_with_a_sentence(site, args):
    sluice = site(new_percent=10)

    done = sluice.run_ctl(*args)

    assert done.returncode != 0
    assert len(done.stderr.strip()) > 10
    assert sluice.weight() == 10


def test_without_a_daemon_the_error_names_the_socket(site):
    sluice = site()
    sluice.terminate()

    done = sluice.run_ctl("status")

    assert done.returncode != 0
    assert "admin.sock" in done.stderr


@pytest.mark.parametrize("text", [
    b"GET /v1/status\r\n\r\n", b"POST /v1/migrations/api/weight HTTP/1.1\r\nHost: a\r\n"
    b"Content-Length: 9\r\n\r\n{nonsense", b"GET /nosuch HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"])
def test_bad_bytes_on_the_socket_are_answered_and_forgotten(site, text):
    sluice = site(new_percent=10)

    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(sluice.folder / "admin.sock"))
        try:
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass

    assert sluice.weight() == 10

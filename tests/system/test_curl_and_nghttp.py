"""curl and nghttp, the clients of those who look for what is wrong, see nothing wrong."""

import json
import subprocess

import pytest

import h2_scene
from h2_origin import H2Origin
from origin import Origins, pattern
from settings import pool
from waiting import PATIENCE

SAY = ["-sS", "-o", "-", "-w", r"%{stderr}%{http_version} %{http_code} %{size_upload}"]


@pytest.fixture(scope="module")
def sluice(certs):
    """Servers of HTTP/1.1 for localhost, one of HTTP/2 for 127.0.0.1."""
    servers, modern = Origins(legacy=1), H2Origin("new")
    pools = {"legacy": pool(servers["legacy"]),
             "new": pool([modern], protocol="h2", health=None)}
    with h2_scene.running(certs, pools, routes=[
            {"host": "localhost", "path": "/", "pool": "legacy"},
            {"host": "127.0.0.1", "path": "/", "pool": "new"}]) as instance:
        yield instance
        assert modern.troubles == []
    servers.stop()
    modern.stop()


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, timeout=20 * PATIENCE, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done


def curl(sluice, path, *args, tls=True, host="localhost", **options):
    """(version, status, bytes sent), body"""
    port = (sluice.web if tls else sluice.plain).number
    done = run("curl", *SAY, "--cacert", str(sluice.ca), *args,
               f"{'https' if tls else 'http'}://{host}:{port}{path}", **options)
    return done.stderr.decode().split()[-3:], done.stdout


HOSTS = pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])


@HOSTS
@pytest.mark.parametrize("flags, tls, version", [
    (["--http2"], True, "2"), (["--http1.1"], True, "1.1"),
    (["--http2-prior-knowledge"], False, "2"), (["--http1.1"], False, "1.1")])
def test_curl_by_every_way(sluice, host, flags, tls, version):
    seen, body = curl(sluice, "/bytes/300000", *flags, tls=tls, host=host)
    assert seen[:2] == [version, "200"]
    assert body == pattern(300_000)
    seen, _ = curl(sluice, "/", "--head", *flags, tls=tls, host=host)
    assert seen[:2] == [version, "200"]


def test_an_upgrade_to_h2c_is_not_taken_up(sluice):
    """RFC 9113, 3.1 has done away with it; the request is answered in HTTP/1.1."""
    seen, body = curl(sluice, "/", "--http2", tls=False)
    assert seen[:2] == ["1.1", "200"]


@HOSTS
@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
def test_curl_uploads(sluice, host, version):
    """More than a MiB: curl asks whether to go on, in HTTP/1.1."""
    for size in (10, 3_000_000):
        seen, _ = curl(sluice, "/upload", version, "--data-binary", "@-", host=host,
                       input=bytes(size))
        assert seen[1:] == ["200", str(size)]
    seen, _ = curl(sluice, "/upload", version, "-T", "-", host=host, input=bytes(100_000))
    assert seen[1] == "200"


@pytest.mark.parametrize("how", [["--data-binary", "@-"], ["-T", "-"]])
def test_curl_hears_why_an_upload_is_not_wanted(sluice, how):
    """An answer before the upload's end is not lost over the reset that follows it."""
    for _ in range(25):
        seen, body = curl(sluice, "/upload", "--http2", *how, "-H", "Host: nowhere",
                          input=bytes(3_000_000))
        assert seen[:2] == ["2", "404"]
        assert b"no route" in body


def test_what_an_origin_sees_of_curl(sluice):
    _, body = curl(sluice, "/seen", "--http2", "-H", "X-Mixed: Case", "-b", "a=1; b=2",
                   host="127.0.0.1")
    seen = dict(json.loads(body))
    assert (seen["x-mixed"], seen["cookie"]) == ("Case", "a=1; b=2")
    assert seen["user-agent"].startswith("curl/")


@HOSTS
def test_nghttp(sluice, host):
    done = run("nghttp", "-nsv", "-m", "20", f"https://{host}:{sluice.web.number}/bytes/50000")
    output = done.stdout.decode()
    assert output.count(":status: 200") == 20
    assert "_ERROR" not in output.replace("NO_ERROR", "")


def test_nghttp_with_a_small_window_and_padding(sluice):
    done = run("nghttp", "-n", "-v", "-w", "10", "-b", "16", "--max-concurrent-streams=10",
               "--hexdump", f"http://localhost:{sluice.plain.number}/bytes/100000")
    assert b":status: 200" in done.stdout


@HOSTS
def test_h2load_posts(sluice, host, tmp_path):
    (tmp_path / "body").write_bytes(bytes(20_000))
    done = run("h2load", "-n", "500", "-c", "4", "-m", "10", "-d", str(tmp_path / "body"),
               f"https://{host}:{sluice.web.number}/upload")
    assert b"500 succeeded, 0 failed, 0 errored" in done.stdout
    assert b"status codes: 500 2xx" in done.stdout

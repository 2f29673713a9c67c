"""Node's http2 and fetch find in sluice a server like any other."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

import h2_scene
import settings
import ws
from h2_origin import H2Origin
from scripted import pool
from waiting import PATIENCE, wait_for

SCRIPT = pathlib.Path(__file__).with_name("node_clients.mjs")


@pytest.fixture(scope="module")
def sluice(certs):
    origin, echo = H2Origin("legacy"), ws.Server("legacy")
    pools = {"legacy": settings.pool([origin], protocol="h2", health=None), "echo": pool(echo)}
    routes = [{"host": "localhost", "path": "/", "pool": "legacy"},
              {"host": "127.0.0.1", "path": "/", "pool": "echo"}]
    with h2_scene.running(certs, pools, routes=routes) as instance:
        instance.origin = origin
        yield instance
        assert origin.troubles == []
    origin.stop()
    echo.stop()


def start(sluice, scenario, host="localhost"):
    return subprocess.Popen(
        ["/usr/bin/node", str(SCRIPT), scenario, f"https://{host}:{sluice.web.number}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(sluice.ca)})


def result(process):
    output, errors = process.communicate(timeout=20 * PATIENCE)
    assert process.returncode == 0, errors
    return json.loads(output)


def run(sluice, scenario, host="localhost"):
    return result(start(sluice, scenario, host))


def wait_asked(process):
    assert process.stderr.readline().strip() == "asked"


def test_http2_streams_side_by_side(sluice):
    assert run(sluice, "streams") == {"statuses": [200], "sizes": [n * 1000 for n in range(80)]}


def test_http2_upload(sluice):
    seen = run(sluice, "upload")
    assert (seen["status"], seen["bytes"]) == (200, 3_000_000)


def test_http2_trailers(sluice):
    assert run(sluice, "trailers")["trailers"] == {"x-sum": "4"}


def test_http2_early_hints(sluice):
    assert run(sluice, "early")["interim"] == [103]


def test_http2_cancel(sluice):
    assert run(sluice, "cancel")["status"] == 200
    wait_for(lambda: not sluice.origin.open("/hang"), 5, "the origin is rid of it")


def test_http2_websocket(sluice):
    assert run(sluice, "tunnel", "127.0.0.1") == {"status": 200, "echo": "81026869"}


def test_fetch(sluice):
    assert run(sluice, "get") == {"statuses": [200], "sizes": list(range(50))}
    assert run(sluice, "post") == {"status": 200, "bytes": 500_000}
    assert run(sluice, "abort") == {"name": "AbortError", "status": 200}


def test_fetch_of_events(sluice):
    node = start(sluice, "events")
    wait_asked(node)
    wait_for(lambda: sluice.origin.open("/events"), 5, "the stream is there")
    sluice.origin.say(b"data: one\n\n")
    sluice.origin.say(b"data: two\n\n", end=True)

    seen = result(node)
    assert seen["type"] == "text/event-stream"
    assert "".join(seen["seen"]) == "data: one\n\ndata: two\n\n"


def test_http2_goaway_at_the_end_of_sluice(certs):
    origin = H2Origin("legacy")
    with h2_scene.running(certs, {"legacy": settings.pool([origin], protocol="h2",
                                                          health=None)}) as sluice:
        node = start(sluice, "goaway")
        wait_asked(node)
        origin.wait_requests(1)
        sluice.signal(signal.SIGTERM)

        seen = result(node)
        assert (seen["code"], seen["status"]) == (0, 200)
    origin.stop()

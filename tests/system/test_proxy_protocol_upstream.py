"""A pool whose servers want a PROXY header gets one on every connection, its checks' too."""

import pytest

from origin import Origins
from settings import pool
from sluice import Sluice
from waiting import wait_for


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_requests_and_checks_begin_with_the_header(certs, version):
    servers = Origins(legacy=1)
    inner = Sluice(certs, {"legacy": pool(servers["legacy"])}, workers=1, trusted=["127.0.0.1"])
    for listener in inner.config["listeners"]:
        listener["proxy_protocol"] = True
    try:
        inner.start()
        address = f"127.0.0.1:{inner.config['listeners'][1]['address'].rsplit(':', 1)[1]}"
        outer = {"servers": [{"address": address}], "proxy_protocol": version,
                 "health": {"path": "/api/health", "interval": "100ms", "fall": 1}}
        sluice = Sluice(certs, {"legacy": outer}, workers=1)
        try:
            sluice.start()
            name = f'sluice_server_up{{pool="legacy",server="{address}"}}'
            wait_for(lambda: sluice.metrics().get(name) == 1, 5, "its check passes")
            assert sluice.get("/x").status == 200
        finally:
            sluice.finish()
    finally:
        inner.finish()
        servers.stop()

"""Servers given by a name with several addresses, of which they listen on one."""

import contextlib
import socket
import subprocess

import pytest

import scripted
import sluice as sluice_module
from waiting import PATIENCE

TCP = {"type": "tcp", "interval": "200ms", "timeout": "1s"}


class OnIPv6(scripted.Origin):
    def __init__(self):
        super().__init__()
        port = self.port
        self.listener.close()
        self.listener = socket.create_server(("::1", port), family=socket.AF_INET6)
        self.listener.settimeout(10 * PATIENCE)


@pytest.fixture
def two_addresses(tmp_path, monkeypatch):
    """sluice alone sees an /etc/hosts in which two.test has both."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost two.test\n::1 two.test\n")
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c",
               f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("there are no mount namespaces here")
    monkeypatch.setattr(
        sluice_module, "SLUICE_COMMAND", [*command, *sluice_module.SLUICE_COMMAND])


@pytest.mark.parametrize("health", [TCP, None])
@pytest.mark.parametrize("listens", [scripted.Origin, OnIPv6])
def test_the_address_that_takes_connections_is_used(sluice, two_addresses, listens, health):
    with contextlib.ExitStack() as stack:
        origin = listens()
        stack.callback(origin.stop)
        server = sluice({"legacy": {
            "servers": [{"address": f"two.test:{origin.port}"}], "health": health}}).start()
        client = stack.enter_context(server.client(tls=False))
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")

        origin.next().answer()
        assert client.read_response().status == 200

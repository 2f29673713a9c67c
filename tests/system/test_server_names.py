"""Servers given by a name: with several addresses, of which they listen on one, and with an
address that changes."""

import contextlib
import socket
import subprocess

import pytest

import scripted
import settings
import sluice as sluice_module
from waiting import PATIENCE, wait_for

TCP = {"type": "tcp", "interval": "200ms", "timeout": "1s"}


class OnIPv6(scripted.Origin):
    def __init__(self):
        super().__init__()
        port = self.port
        self.listener.close()
        self.listener = socket.create_server(("::1", port), family=socket.AF_INET6)
        self.listener.settimeout(10 * PATIENCE)


class At(scripted.Origin):
    """On this address, with the port of another one."""

    def __init__(self, host, port=0):
        super().__init__()
        self.listener.close()
        self.listener = socket.create_server((host, port))
        self.listener.settimeout(10 * PATIENCE)


@pytest.fixture
def hosts(tmp_path, monkeypatch):
    """The /etc/hosts that sluice alone sees."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c",
               f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("there are no mount namespaces here")
    monkeypatch.setattr(
        sluice_module, "SLUICE_COMMAND", [*command, *sluice_module.SLUICE_COMMAND])
    return hosts


@pytest.fixture
def two_addresses(hosts):
    hosts.write_text("127.0.0.1 localhost two.test\n::1 two.test\n")


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


# --- a name that moves ----------------------------------------------------------------------------

GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def resolved(sluice):
    return sluice.status()["pools"]["legacy"]["servers"][0].get("resolved")


def ask(client, origin):
    """The connection that it travels on."""
    client.send(GET)
    up = origin.next()
    up.answer()
    assert client.read_response().status == 200
    return up


@pytest.fixture
def moving(sluice, hosts):
    """A server that is given by a name, which leads to the first of two machines; and how it
    moves to the other one."""
    with contextlib.ExitStack() as stack:
        one = At("127.0.0.1")
        other = At("127.0.0.3", one.port)
        stack.callback(one.stop)
        stack.callback(other.stop)
        hosts.write_text("127.0.0.1 localhost app.test\n")
        servers = {"servers": [{"address": f"app.test:{one.port}"}], "health": TCP}
        instance = sluice({"legacy": servers, "new": servers}, {"api": settings.migration(0)},
                          workers=1)

        def move():
            hosts.write_text("127.0.0.1 localhost\n127.0.0.3 app.test\n")
            wait_for(lambda: resolved(instance) == f"127.0.0.3:{one.port}", 10, "it has moved")

        yield instance.start(), one, other, move


def test_a_kept_connection_is_not_used_when_its_name_has_moved(moving):
    sluice, one, other, move = moving
    with sluice.client(tls=False) as client:
        assert resolved(sluice) == f"127.0.0.1:{one.port}"
        first = ask(client, one)

        move()

        assert ask(client, other) is not first
        assert ask(client, other), "and goes on so"


def test_what_runs_when_a_name_moves_may_end(moving):
    sluice, one, other, move = moving
    with sluice.client(tls=False) as client:
        client.send(GET)
        up = one.next()

        move()
        up.answer()

        assert client.read_response().status == 200
        ask(client, other)


# --- kept connections grow old --------------------------------------------------------------------


def connections_of(sluice, origin, n):
    """By how many connections n requests came."""
    with sluice.client(tls=False) as client:
        return len({id(ask(client, origin)) for _ in range(n)})


def test_a_connection_has_its_number_of_requests(sluice):
    origin = scripted.Origin()
    server = sluice({"legacy": {"servers": [{"address": origin.address}], "health": None,
                                "keepalive_requests": 1}}, workers=1).start()
    assert connections_of(server, origin, 3) == 3
    origin.stop()


def test_a_connection_that_is_too_old_is_not_used(sluice):
    origin = scripted.Origin()
    server = sluice({"legacy": {"servers": [{"address": origin.address}], "health": None,
                                "keepalive_age": "1s"}}, workers=1).start()
    with server.client(tls=False) as client:
        first = ask(client, origin)
        wait_for(lambda: ask(client, origin) is not first, 10, "another one is opened",
                 every=0.1)
    origin.stop()

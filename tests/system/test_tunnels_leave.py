"""What lives long leaves with what it belongs to: a server that left the configuration, a
side that was given up, a process that ends."""

import signal

import pytest

import ws
import ws_scene
from scripted import Counts, Origin, pool, running, side
from settings import migration
from waiting import wait_for

EVENTS = ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
          "Transfer-Encoding: chunked\r\n\r\n7\r\nid: 1\n\n\r\n")
POLITE = {ws.RESTART, ws.GOING_AWAY}


def test_a_server_that_leaves_takes_its_tunnels_along(certs):
    old, new = ws.Server("old"), ws.Server("new")
    with running(certs, {"legacy": pool(old)}) as sluice, ws.by_hand(sluice) as client:
        assert client.upgrade().server == "old"
        sluice.reload(pools={"legacy": pool(new)})

        assert ws.code_of(client.read_frame()) in POLITE
        wait_for(lambda: old.count() == 0, 10, "it has none left")
        with ws.by_hand(sluice) as newcomer:
            assert newcomer.upgrade().server == "new"
            sluice.reload(timeouts={"client_idle": "55s"})
            newcomer.echo(b"stays")
    old.stop()
    new.stop()


def streaming(sluice, origin):
    client = ws.by_hand(sluice)
    client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
    up = origin.next()
    up.read_head()
    up.send(EVENTS)
    client.read_head()
    assert client.take(12) == b"7\r\nid: 1\n\n\r\n"
    return client


@pytest.mark.parametrize("policy", ["drain", "stay"])
def test_streams_of_events_end_cleanly_when_new_is_given_up(certs, policy):
    legacy, new = Origin(), Origin()
    api = migration(100, tunnels={"on_revert": policy})
    with running(certs, {"legacy": pool(legacy), "new": pool(new)}, {"api": api}) as sluice:
        client = streaming(sluice, new)
        sluice.ctl("cutback", "api")
        if policy == "drain":
            assert client.take(5) == b"0\r\n\r\n"
        else:
            up = new.open[-1]
            up.send("7\r\nid: 2\n\n\r\n")
            assert client.take(12) == b"7\r\nid: 2\n\n\r\n"
        client.close()
    legacy.stop()
    new.stop()


def test_streams_of_events_end_cleanly_when_sluice_ends(certs):
    origin = Origin()
    with running(certs, {"legacy": pool(origin)}) as sluice:
        client = streaming(sluice, origin)
        sluice.signal(signal.SIGTERM)

        assert client.take(5) == b"0\r\n\r\n"
        wait_for(lambda: not sluice.is_alive(), 5, "sluice has ended")
        client.close()
    origin.stop()


@pytest.mark.parametrize("key, version, status", [
    ("dGhlIHNhbXBsZSBub25jZQ==", "8", 426),
    ("dGhlIHNhbXBsZSBub25jZQ==", "13, 8", 426),
    ("short", "13", 400),
    ("dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "13", 400),
])
def test_a_handshake_that_is_none_goes_nowhere(certs, key, version, status):
    origin = Origin()
    with running(certs, {"legacy": pool(origin)}) as sluice, ws.by_hand(sluice) as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {version}\r\n\r\n")
        response = client.read_response()

        assert response.status == status
        if status == 426:
            assert response.get("sec-websocket-version") == "13"
        assert origin.is_untouched()
    origin.stop()


def test_what_passes_is_counted_by_side_and_direction(certs):
    with ws_scene.migrating(certs, 100) as sluice:
        counts = Counts(sluice)
        with ws.by_hand(sluice) as client:
            client.upgrade()
            for n in range(3):
                client.echo(bytes(10 + n))
            client.send(ws.masked(ws.PING))
            assert client.read_frame().opcode == ws.PONG
            counts.wait(side("tunnels_open"), 1)
            counts.wait(side("tunnel_received_messages_total"), 3)
            counts.wait(side("tunnel_sent_messages_total"), 3)
            assert counts.rise(side("tunnel_received_bytes_total")) == 33 + 3 * 6 + 6
            assert counts.rise(side("tunnel_sent_bytes_total")) == 33 + 3 * 2 + 2
        wait_for(lambda: counts.rise(side("tunnels_open")) == 0, 5, "it is gone")
        assert counts.rise(side("tunnels_total")) == 1


def test_what_passes_is_counted_by_pool_too(certs):
    """Also where no migration is: a route may lead straight to a pool."""
    talking, other = ws.Server("talking"), ws.Server("other")
    with running(certs, {"talking": pool(talking), "other": pool(other)}, routes=[
            {"host": "localhost", "path": "/", "pool": "talking"},
            {"host": "a", "path": "/", "pool": "other"}]) as sluice:
        counts = Counts(sluice)
        with ws.by_hand(sluice) as client:
            client.upgrade()
            for n in range(3):
                client.echo(bytes(10 + n))
            counts.wait(of_pool("tunnels_open", "talking"), 1)
            counts.wait(of_pool("tunnel_received_messages_total", "talking"), 3)
            counts.wait(of_pool("tunnel_sent_messages_total", "talking"), 3)
            assert counts.rise(of_pool("tunnel_received_bytes_total", "talking")) == 33 + 3 * 6
            assert counts.rise(of_pool("tunnel_sent_bytes_total", "talking")) == 33 + 3 * 2
        wait_for(lambda: counts.rise(of_pool("tunnels_open", "talking")) == 0, 5, "it is gone")
        assert counts.rise(of_pool("tunnels_total", "talking")) == 1
        assert counts.rise(of_pool("tunnels_total", "other")) == 0
    talking.stop()
    other.stop()


def of_pool(what, name):
    return f'sluice_pool_{what}{{pool="{name}"}}'

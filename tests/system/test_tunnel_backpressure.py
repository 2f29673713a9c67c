"""A reader that stops is waited for: memory stays flat, and its neighbours do not notice."""

import pytest

import ws
from scripted import pool, running
from waiting import holds_for, wait_for

STALLED, ENOUGH = 20, 512 << 10


@pytest.mark.parametrize("tls", [False, True])
def test_readers_that_stop(certs, tls):
    server = ws.Server()
    with running(certs, {"legacy": pool(server)}, workers=1) as sluice:
        clients = [ws.by_hand(sluice, tls) for _ in range(STALLED)]
        for client in clients:
            client.upgrade("/flood")
        wait_for(lambda: server.count() == STALLED, 5, "all flood")
        before = sluice.rss_bytes()

        holds_for(lambda: sluice.rss_bytes() - before < STALLED * ENOUGH, 3, "memory stays flat")
        with ws.by_hand(sluice) as other:
            other.upgrade()
            for _ in range(10):
                other.echo(b"hello")
        for client in clients:
            assert client.read_frame().payload == b"x" * 65536
            client.close()
        wait_for(lambda: server.count() == 0, 10, "the server is rid of them")
    server.stop()

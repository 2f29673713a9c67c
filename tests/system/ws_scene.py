"""A running sluice between two servers of WebSockets."""

import contextlib
import threading

import h2_scene
import ws
from http1 import Closed
from scripted import pool
from settings import migration


@contextlib.contextmanager
def migrating(certs, new_percent=100, new=None, legacy=None, **more):
    """The migration api between two echoing servers (or those given)."""
    servers = [legacy or ws.Server("legacy"), new or ws.Server("new")]
    api = migration(new_percent, **more.pop("api", {}))
    pools = {"legacy": pool(servers[0]), "new": pool(servers[1])}
    with h2_scene.running(certs, pools, {"api": api}, **more) as sluice:
        sluice.legacy, sluice.new = servers
        yield sluice
    for server in servers:
        server.stop()


@contextlib.contextmanager
def coming_and_going(sluice, n=4):
    """Clients that open a tunnel, say a word, and leave."""
    stop = threading.Event()

    def run():
        while not stop.is_set():
            with contextlib.suppress(Closed, OSError), ws.by_hand(sluice) as client:
                client.upgrade()
                client.echo(b"hello")

    threads = [threading.Thread(target=run) for _ in range(n)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()

"""Whatever an exchange waits for, and whoever has half left meanwhile: no processor is spent."""

import contextlib
import os
import socket
import ssl

import pytest

import process
from scripted import OK, Deaf, Origin, pool, reset, running
from waiting import holds_for

GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


class Scene:
    """A sluice in which many exchanges wait, each for another thing."""

    def __init__(self, stack, sluice, origin, narrow):
        self.stack, self.sluice, self.origin, self.narrow = stack, sluice, origin, narrow

    def client(self, tls=False, **options):
        return self.stack.enter_context(self.sluice.client(tls, **options))

    def ask(self, text=GET, tls=False, **options):
        client = self.client(tls, **options)
        client.send(text)
        up = self.origin.accept()
        up.read_head()
        return client, up


def fill(peer):
    """Sends until nobody takes any more."""
    peer.socket.settimeout(0.05)
    with contextlib.suppress(TimeoutError, ssl.SSLError):
        while True:
            peer.socket.send(b"x" * 65536)


def post(n, framing=None):
    return f"POST /x HTTP/1.1\r\nHost: a\r\n{framing or f'Content-Length: {n}'}\r\n\r\n"


ENDLESS = f"HTTP/1.1 200 OK\r\nContent-Length: {1 << 30}\r\n\r\n"


def idle(s, tls):
    client, up = s.ask(tls=tls)
    up.send(OK)
    client.read_response()


def blocked_client(s, tls):
    _, up = s.ask(tls=tls, receive_buffer=4096)
    up.send(ENDLESS)
    fill(up)


def blocked_client_whose_server_has_closed(s, tls):
    _, up = s.ask(tls=tls, receive_buffer=4096)
    up.send("HTTP/1.1 200 OK\r\n\r\n")
    fill(up)
    up.close()


def blocked_upstream(s, tls):
    client, _ = s.ask(post(1 << 30), tls)
    fill(client)


def blocked_upstream_by_chunks(s, tls):
    client, _ = s.ask(post(0, "Transfer-Encoding: chunked"), tls)
    client.send("3fffffff\r\n")
    fill(client)


def half_closed_client(s, tls):
    client, _ = s.ask(tls=tls)
    socket.socket.shutdown(client.socket, socket.SHUT_WR)


def client_gone_behind_a_full_pipeline(s, tls):
    client, _ = s.ask(tls=tls)
    fill(client)
    reset(client)


def full_pipeline(s, tls):
    client, _ = s.ask(tls=tls)
    fill(client)


def silent_body(s, tls):
    _, up = s.ask(tls=tls)
    up.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nabc")


def half_a_head(s, tls):
    s.client(tls).send("GET / HTT")


def half_a_body(s, tls):
    s.ask(post(10) + "abc", tls)


def half_an_answer(s, tls):
    _, up = s.ask(tls=tls)
    up.send("HTTP/1.1 200 O")


def lingering(s, tls):
    s.client(tls).send("nonsense\r\n\r\n")


def early_answer(s, tls):
    client, up = s.ask(post(1 << 30), tls)
    up.send(ENDLESS)
    fill(client)


def queued(s, tls):
    first, second = s.client(tls), s.client(tls)
    for client in (first, second):
        client.send("GET /narrow HTTP/1.1\r\nHost: a\r\n\r\n")
    s.narrow.accept()


def queued_and_half_closed(s, tls):
    client = s.client(tls)
    client.send("GET /narrow HTTP/1.1\r\nHost: a\r\n\r\n")
    socket.socket.shutdown(client.socket, socket.SHUT_WR)


def connecting(s, tls):
    s.client(tls).send("GET /mute HTTP/1.1\r\nHost: a\r\n\r\n")


WAITS = [blocked_client, blocked_client_whose_server_has_closed, blocked_upstream,
         blocked_upstream_by_chunks, half_closed_client, client_gone_behind_a_full_pipeline,
         full_pipeline, silent_body, half_a_head, half_a_body, half_an_answer, early_answer,
         lingering, queued, queued_and_half_closed, connecting, idle]
TICKS = 10


@contextlib.contextmanager
def waiting_room(certs):
    origin, narrow, mute = Origin(), Origin(), Deaf(mute=True)
    strait = pool(narrow)
    strait["servers"][0]["max_requests"] = 1
    routes = [{"host": "*", "path": "/", "pool": "legacy"},
              {"host": "*", "path": "/narrow", "pool": "narrow"},
              {"host": "*", "path": "/mute", "pool": "mute"}]
    with running(certs, {"legacy": pool(origin), "narrow": strait, "mute": pool(mute)},
                 routes=routes, timeouts={"connect": "30s", "drain": "0s"}) as sluice, \
            contextlib.ExitStack() as stack:
        yield Scene(stack, sluice, origin, narrow)
    for one in (origin, narrow, mute):
        one.stop()


@pytest.mark.parametrize("tls", [False, True])
def test_no_wait_burns_the_processor(certs, tls):
    with waiting_room(certs) as scene:
        for wait in WAITS:
            wait(scene, tls)
        before = process.cpu_seconds(scene.sluice.pid)
        holds_for(scene.sluice.is_alive, 1.0, "it waits")
        spent = process.cpu_seconds(scene.sluice.pid) - before

    assert spent * os.sysconf("SC_CLK_TCK") < TICKS

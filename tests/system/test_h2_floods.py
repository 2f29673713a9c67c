"""What only an attacker of HTTP/2 sends ends his connection, soon and counted, and costs the
client beside him nothing."""

import contextlib
import threading
import time

import pytest

import h2_scene
from h2_frames import (ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PROTOCOL_ERROR, Answer,
                       ConnectionEnd, StreamError, block, continuation, data, frame, get, headers,
                       ping, priority, rst_stream, settings, window_update)
from origin import Origins
from settings import pool
from waiting import PATIENCE, wait_for

SLOW = 1.0 * PATIENCE
TOO_MUCH = 64 << 20  # bytes of an attack that nobody may have to read


@pytest.fixture(scope="module")
def sluice(certs):
    servers = Origins(legacy=2)
    with h2_scene.running(certs, {"legacy": pool(servers["legacy"])}) as instance:
        instance.origins = servers
        yield instance
    servers.stop()


GET, HANG = block(get("/")), block(get("/delay/500"))
POST = block(get("/upload", "POST"))


def streams(first=1):
    return range(first, 1 << 31, 2)


def resets():
    """CVE-2023-44487"""
    for n in streams():
        yield headers(n, HANG) + rst_stream(n)


def resets_of_ours():
    """CVE-2025-8671: the client's rule-breaking makes us reset what we have begun."""
    for n in streams():
        yield headers(n, POST, END_HEADERS) + window_update(n, (1 << 31) - 1)


def one_block(piece):
    """CVE-2024-27316"""
    yield frame(HEADERS, END_STREAM, 1, GET)
    while True:
        yield continuation(1, piece, False)


def bombs():
    """A field of 4000 bytes in the table, and then named a thousand times a request."""
    yield headers(1, GET + b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000)
    for n in streams(3):
        yield headers(n, GET + b"\xbe" * 1000)


def crumbs():
    """Windows that let a byte go at a time."""
    yield settings((4, 1)) + headers(1, block(get("/bytes/10000000")))
    while True:
        yield window_update(1, 1)


def again(one, first=b""):
    yield first
    while True:
        yield one


FLOODS = {
    "rapid resets": ("resets", resets),
    "resets that we must send": (("resets", "control"), resets_of_ours),
    "CONTINUATION without end": ("headers", lambda: one_block(
        b"\x00\x01x\x7f\x81\x7d" + b"y" * 16_000)),
    "empty CONTINUATION": (("headers", "empty"), lambda: one_block(b"")),
    "header bombs": (("headers", "resets", None), bombs),
    "PING": ("control", lambda: again(ping())),
    "SETTINGS": ("control", lambda: again(settings((4, 65_535)))),
    "empty SETTINGS": ("control", lambda: again(settings())),
    "SETTINGS ACK": (("control", None), lambda: again(settings()[:4] + bytes([ACK]) + bytes(4))),
    "PRIORITY": ("control", lambda: again(priority(1, 3))),
    "RST_STREAM": ("control", lambda: again(rst_stream(1), headers(1, GET))),
    "WINDOW_UPDATE": ("control", lambda: again(window_update(0, 1))),
    "windows of a byte": ("control", crumbs),
    "unknown frames": (("control", "empty", None), lambda: again(frame(0xee))),
    "empty DATA": ("empty", lambda: again(data(1, b"", False), headers(1, POST, END_HEADERS))),
    "padding": (("empty", None), lambda: again(frame(DATA, 8, 1, bytes([1, 0])),
                                              headers(1, POST, END_HEADERS))),
}


@contextlib.contextmanager
def neighbour(sluice):
    """A client of HTTP/2 and one of HTTP/1.1 that must not notice."""
    stop, waits, wrong = threading.Event(), [], []

    def ask():
        try:
            with h2_scene.client(sluice) as modern, sluice.client() as old:
                while not stop.is_set() or len(waits) < 20:
                    start = time.monotonic()
                    for client in (modern, old):
                        if client.request("/").status != 200:
                            wrong.append("an answer")
                    waits.append(time.monotonic() - start)
        except Exception as problem:
            wrong.append(repr(problem))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert wrong == []
    assert max(waits) < SLOW


def attack(raw, frames):
    """Sends until the connection is closed; how many bytes that took."""
    sent, pieces, size = 0, [], 0
    for piece in frames:
        pieces.append(piece)
        size += len(piece)
        if size < 16_384:
            continue
        if not raw.send_anyhow(*pieces):
            return sent
        sent, pieces, size = sent + size, [], 0
        assert sent < TOO_MUCH, "it may go on for ever"
    return sent


def flooded(sluice):
    return {kind: sluice.metrics()[f"sluice_h2_flood_{kind}_total"]
            for kind in ("resets", "headers", "control", "empty")}


@pytest.mark.parametrize("what", FLOODS)
def test_floods(sluice, what, is_sanitized):
    kinds, frames = FLOODS[what]
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    before, memory = flooded(sluice), sluice.rss_bytes()
    asked = sluice.origins.total("requests", "legacy")
    with neighbour(sluice), h2_scene.raw(sluice) as raw:
        stop = threading.Event()
        reader = threading.Thread(target=drain, args=(raw, stop))
        reader.start()
        with contextlib.suppress(AssertionError):
            attack(raw, frames())
            stop.set()
        reader.join()
        ended = stop.is_set()

    rose = {kind for kind, n in flooded(sluice).items() if n > before[kind]}
    if None not in kinds:
        assert ended, "it went on for ever"
        assert rose and rose <= set(kinds)
    if not is_sanitized:
        assert sluice.rss_bytes() - memory < 32 << 20
    if what == "rapid resets":
        assert sluice.origins.total("requests", "legacy") - asked < 20_000
    wait_for(lambda: sluice.metrics()["sluice_requests_open"] == 0, 5, "nothing is left")


def drain(raw, stop):
    with contextlib.suppress(OSError, ValueError):
        while raw.socket.recv(1 << 16) and not stop.is_set():
            pass


def test_a_flood_that_nobody_answers_to_is_cut_too(sluice, is_sanitized):
    """Who asks for answers and does not read them."""
    memory = sluice.rss_bytes()
    with neighbour(sluice), h2_scene.raw(sluice, receive_buffer=4096, timeout=2) as raw:
        attack(raw, again(ping()))
    if not is_sanitized:
        assert sluice.rss_bytes() - memory < 16 << 20


def test_a_bomb_is_refused_before_it_is_unpacked(sluice):
    with h2_scene.raw(sluice) as raw:
        raw.send(headers(1, GET + b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000))
        assert raw.outcome(1) == Answer(200)
        raw.send(headers(3, GET + b"\xbe" * 1000))

        end = raw.outcome(3)
        assert end == Answer(431) or isinstance(end, (StreamError, ConnectionEnd))


def test_an_impatient_client_is_no_attacker(sluice):
    with h2_scene.client(sluice) as client:
        for _ in range(200):
            stream = client.get("/delay/500")
            assert client.request("/").status == 200
            if not stream.is_over():
                stream.cancel()
        for _ in range(20):
            client.settle()
        assert client.request("/").status == 200
        assert client.goaway is None


def test_errors_of_the_connection_are_no_floods(sluice):
    before = flooded(sluice)
    with h2_scene.raw(sluice) as raw:
        raw.send(ping(stream=1))
        assert raw.ended() == PROTOCOL_ERROR
    assert flooded(sluice) == before

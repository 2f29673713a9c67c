"""WebSocket: frames by hand, an echoing server and a crowd of clients on python3-websockets."""

import asyncio
import collections
import contextlib
import http
import os
import struct
import threading
import time

import websockets
import websockets.exceptions

import http1
from waiting import PATIENCE, wait_for

CONTINUE, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
SWITCHING = ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             f"Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n")
RESTART, GOING_AWAY, NORMAL, ABNORMAL = 1012, 1001, 1000, 1006

Frame = collections.namedtuple("Frame", "opcode payload fin")
Event = collections.namedtuple("Event", "at what client server code")


def frame(opcode, payload=b"", fin=True, mask=None):
    head = bytes([opcode | (0x80 if fin else 0)])
    n, bit = len(payload), 0x80 if mask else 0
    if n < 126:
        head += bytes([n | bit])
    elif n < 1 << 16:
        head += struct.pack(">BH", 126 | bit, n)
    else:
        head += struct.pack(">BQ", 127 | bit, n)
    if mask is None:
        return head + payload
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def masked(opcode, payload=b"", fin=True):
    return frame(opcode, payload, fin, os.urandom(4))


def close(code, reason=b""):
    return masked(CLOSE, struct.pack(">H", code) + reason)


def read_frame(take):
    """One frame; take(n) gives the next n bytes."""
    first, second = take(2)
    n = second & 0x7f
    if n >= 126:
        n = int.from_bytes(take(2 if n == 126 else 8), "big")
    mask = take(4) if second & 0x80 else b"\0\0\0\0"
    payload = bytes(b ^ mask[i % 4] for i, b in enumerate(take(n)))
    return Frame(first & 15, payload, bool(first & 0x80))


def code_of(got):
    assert got.opcode == CLOSE, got
    return struct.unpack(">H", got.payload[:2])[0] if got.payload else None


def request(path="/echo", host="localhost", *more):
    return "\r\n".join([
        f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13", *more]) + "\r\n\r\n"


class Client(http1.Client):
    """A client by hand over HTTP/1.1."""

    def ask(self, path="/echo", *more):
        """The response to the upgrade, whatever it is."""
        self.send(request(path, self.name, *more))
        return self.read_response()

    def upgrade(self, path="/echo", *more):
        response = self.ask(path, *more)
        assert response.status == 101, response
        return response

    def take(self, n):
        pieces = []
        self.read_exactly(n, pieces.append)
        return b"".join(pieces)

    def read_frame(self):
        return read_frame(self.take)

    def echo(self, payload):
        self.send(masked(BINARY, payload))
        got = self.read_frame()
        assert (got.opcode, got.payload) == (BINARY, payload)


def by_hand(sluice, tls=False, **options):
    if tls:
        return Client(sluice.web.address, sluice.ca, **options)
    return Client(sluice.plain.address, **options)


class _Loop:
    """An asyncio loop in a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine, timeout=20):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout * PATIENCE)

    def stop(self):
        async def end():
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            if others:
                await asyncio.wait(others, timeout=5)

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()


class Server(_Loop):
    """One server of a pool: it echoes, and is healthy.

    /echo       every message back         /close/N    close with N at the first message
    /flood      messages of 64 KiB without end           /name       says its name, then echoes
    /refuse/N   that status, no tunnel     .breaks     every tunnel ends without a close"""

    def __init__(self, name="legacy"):
        super().__init__()
        self.name = name
        self.breaks = False
        self.open = set()
        self.accepted = 0
        self.closes = []  # the codes seen
        self.server = self.run(self._serve())
        self.port = self.server.sockets[0].getsockname()[1]

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    async def _serve(self):
        return await websockets.serve(
            self._talk, "127.0.0.1", 0, process_request=self._plain, max_size=None,
            ping_interval=None, compression=None, extra_headers=[("X-Server", self.name)],
            close_timeout=5, max_queue=4)

    async def _plain(self, path, headers):
        if path == "/api/health":
            return http.HTTPStatus.OK, [], b"ok"
        if path.startswith("/refuse/"):
            return http.HTTPStatus(int(path.rsplit("/", 1)[1])), [], b"no tunnel here"
        return None

    async def _talk(self, socket, path):
        self.open.add(socket)
        self.accepted += 1
        try:
            await self._script(socket, path)
        except websockets.exceptions.ConnectionClosed:
            pass
        finally:
            self.open.discard(socket)
            self.closes.append(socket.close_code)

    async def _script(self, socket, path):
        if self.breaks:
            socket.transport.abort()
            return
        if path == "/name":
            await socket.send(self.name)
        if path == "/flood":
            while True:
                await socket.send(b"x" * 65536)
        async for message in socket:
            if path.startswith("/close/"):
                await socket.close(int(path.rsplit("/", 1)[1]), "as asked")
                return
            await socket.send(message)

    def count(self):
        return len(self.open)

    def stop(self):
        self.server.close()
        super().stop()


class Crowd(_Loop):
    """Clients that hold a tunnel each, ask through it now and then, and come back when it
    ends. What happened is in .events."""

    def __init__(self, url, n, ssl=None, talk_every=0.2, returns=True, spread=0.0):
        super().__init__()
        self.url, self.ssl, self.talk_every, self.returns = url, ssl, talk_every, returns
        self.events = []
        self.wrong = []
        self.now_at = {}
        for i in range(n):
            asyncio.run_coroutine_threadsafe(self._live(i, i * spread), self.loop)
        wait_for(lambda: len(self.now_at) == n, 20, f"{n} tunnels")

    def _note(self, what, client, server=None, code=None):
        self.events.append(Event(time.monotonic(), what, client, server, code))

    async def _live(self, i, pause):
        await asyncio.sleep(pause)
        while True:
            try:
                await self._once(i)
            except asyncio.CancelledError:
                raise
            except Exception as problem:
                self._note("failed", i, code=getattr(problem, "status_code", repr(problem)))
                await asyncio.sleep(0.05)
            self.now_at.pop(i, None)
            if not self.returns:
                return

    async def _once(self, i):
        async with websockets.connect(self.url, ssl=self.ssl, ping_interval=None, max_size=None,
                                      compression=None, open_timeout=20,
                                      close_timeout=1) as socket:
            server = socket.response_headers.get("X-Server")
            self.now_at[i] = server
            self._note("open", i, server)
            try:
                while True:
                    await socket.send(f"hello {i}")
                    if await socket.recv() != f"hello {i}":
                        self.wrong.append(i)
                    with contextlib.suppress(asyncio.TimeoutError):
                        await asyncio.wait_for(socket.wait_closed(), self.talk_every)
            except websockets.exceptions.ConnectionClosed:
                pass
            self._note("close", i, server, socket.close_code)

    def at(self, server):
        return sum(1 for name in list(self.now_at.values()) if name == server)

    def seen(self, what, after=0.0):
        return [e for e in list(self.events) if e.what == what and e.at >= after]

    def busiest(self, what, seconds, after=0.0):
        """The most of these events within any so many seconds."""
        times = [e.at for e in self.seen(what, after)]
        return max((sum(1 for t in times if start <= t < start + seconds) for start in times),
                   default=0)

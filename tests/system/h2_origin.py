"""An HTTP/2 origin on python3-h2, by prior knowledge or over TLS, that does what the path
and the test tell it to. It takes nothing that breaks RFC 9113.

    /               the name of the server      /bytes/N    so many bytes of origin.pattern
    /status/N       that status                 /delay/MS    the name, so much later
    /upload         how many bytes came         /echo       the body, as it comes
    /trailers       a body with trailers        /early      103, then 200
    /hang           no answer                   /deaf       never opens its windows
    /reset          RST_STREAM after the head   /refused    REFUSED_STREAM, always
    /cut            the connection ends in the middle of a body
    /seen           the request's head as JSON  /events     text/event-stream, see say()
    /api/health     .health
"""

import contextlib
import heapq
import itertools
import json
import select
import socket
import ssl
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from origin import pattern
from waiting import wait_for

REFUSED = h2.errors.ErrorCodes.REFUSED_STREAM
INTERNAL = h2.errors.ErrorCodes.INTERNAL_ERROR
BROKEN = (ConnectionError, ssl.SSLError, OSError, h2.exceptions.ProtocolError)


def server_context(certs, alpn=("h2",), name="demo"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / f"{name}.pem", certs / f"{name}.key")
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class Exchange:
    """One stream, seen from the origin."""

    def __init__(self, connection, event):
        self.connection = connection
        self.id = event.stream_id
        self.headers = list(event.headers)
        self.method = self.header(":method")
        self.path = self.header(":path")
        self.received = 0
        self.trailers = None
        self.is_whole = False
        self.is_reset = None
        self.out = bytearray()
        self.out_ends = False
        self.out_trailers = None

    def header(self, name):
        values = self.all(name)
        return values[0] if values else None

    def all(self, name):
        return [v for k, v in self.headers if k == name]

    def respond(self, status=200, *more, end=False):
        fields = [(":status", str(status)), ("x-server", self.connection.origin.name), *more]
        self.connection.h2.send_headers(self.id, fields, end_stream=end)

    def say(self, content=b"", end=True, trailers=None):
        self.out += content
        self.out_ends, self.out_trailers = end, trailers
        self.push()

    def answer(self, content=None, status=200, *more):
        content = f"{self.connection.origin.name}\n".encode() if content is None else content
        length = ("content-length", str(len(content)))
        if self.method == "HEAD":
            self.respond(status, length, *more, end=True)
        else:
            self.respond(status, length, *more)
            self.say(content)

    def push(self):
        h = self.connection.h2
        while self.out and not self.is_reset:
            n = min(len(self.out), h.local_flow_control_window(self.id),
                    h.max_outbound_frame_size)
            if n <= 0:
                return
            h.send_data(self.id, bytes(self.out[:n]))
            del self.out[:n]
        if self.out_ends and not self.is_reset:
            self.out_ends = False
            if self.out_trailers is None:
                h.end_stream(self.id)
            else:
                h.send_headers(self.id, self.out_trailers, end_stream=True)
            self.connection.forget(self)


class Connection:
    """One connection of sluice's, with a thread of its own."""

    def __init__(self, origin, sock):
        self.origin, self.socket = origin, sock
        self.wake, self.waker = socket.socketpair()
        self.orders = []
        self.timers = []
        self.order = itertools.count()
        self.exchanges = {}
        self.trouble = None
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="latin-1"))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def do(self, what):
        """Runs what() on the connection's own thread."""
        self.orders.append(what)
        with contextlib.suppress(OSError):
            self.waker.send(b"x")

    def later(self, seconds, what):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), what))

    def forget(self, exchange):
        self.exchanges.pop(exchange.id, None)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def _run(self):
        try:
            self._serve()
        except BROKEN as problem:
            self.trouble = problem
        finally:
            with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
                self._flush()
            self.socket.close()
            for exchange in self.exchanges.values():
                exchange.is_reset = True
            self.origin.gone(self)

    def _serve(self):
        if self.origin.tls is not None:
            self.socket = self.origin.tls.wrap_socket(self.socket, server_side=True)
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values={
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.origin.streams,
            **self.origin.settings})
        self.h2.initiate_connection()
        while True:
            self._flush()
            if self._wait() and not self._receive():
                return
            while self.timers and self.timers[0][0] <= time.monotonic():
                heapq.heappop(self.timers)[2]()
            while self.orders:
                self.orders.pop(0)()

    def _flush(self):
        pending = self.h2.data_to_send()
        if pending:
            self.socket.sendall(pending)

    def _wait(self):
        """True when there is something to read."""
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        timeout = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else None
        ready = select.select([self.socket, self.wake], [], [], timeout)[0]
        if self.wake in ready:
            self.wake.recv(4096)
        return self.socket in ready

    def _receive(self):
        piece = self.socket.recv(1 << 17)
        if not piece:
            return False
        for event in self.h2.receive_data(piece):
            self._on(event)
        for exchange in list(self.exchanges.values()):
            exchange.push()
        return True

    def _on(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self._on_request(event)
            return
        exchange = self.exchanges.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.DataReceived):
            self._on_data(exchange, event)
        elif exchange is None:
            pass
        elif isinstance(event, h2.events.TrailersReceived):
            exchange.trailers = list(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            exchange.is_whole = True
            self.origin.on_end(exchange)
        elif isinstance(event, h2.events.StreamReset):
            exchange.is_reset = int(event.error_code) or True
            self.forget(exchange)

    def _on_request(self, event):
        exchange = Exchange(self, event)
        self.exchanges[exchange.id] = exchange
        self.origin.on_request(exchange)

    def _on_data(self, exchange, event):
        if exchange is not None:
            exchange.received += len(event.data)
            self.origin.on_data(exchange, event.data)
            if exchange.path == "/deaf":
                return
        if event.flow_controlled_length and (exchange is None or not exchange.is_whole):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)


class H2Origin:
    """One listening port. `tls` is server_context(certs)."""

    def __init__(self, name="new", tls=None, streams=100, settings=None):
        self.name, self.tls, self.streams = name, tls, streams
        self.settings = settings or {}
        self.health = 200
        self.to_refuse = 0
        self.requests, self.checks = [], 0
        self.connections = []
        self.accepted = 0
        self.most_streams = 0
        self.troubles = []
        self.lock = threading.Lock()
        self.listener = None
        self.port = None
        self.up()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def up(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port or 0))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self.lock:
                    self.accepted += 1
                    self.connections.append(Connection(self, sock))

    def down(self):
        """As if killed: the listening socket and all connections are gone."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.connections):
            connection.close()

    def stop(self):
        self.down()
        for connection in list(self.connections):
            connection.thread.join(5)

    def gone(self, connection):
        with self.lock:
            if connection in self.connections:
                self.connections.remove(connection)
            if isinstance(connection.trouble, h2.exceptions.ProtocolError):
                self.troubles.append(connection.trouble)

    # What the test tells it.

    def refuse(self, n):
        """The next n requests are answered with REFUSED_STREAM."""
        self.to_refuse = n

    def goaway(self):
        """Every connection says that it takes no more; what is there is answered."""
        for connection in list(self.connections):
            said = threading.Event()
            connection.do(lambda c=connection, e=said: self._send_goaway(c, e))
            said.wait(1)

    @staticmethod
    def _send_goaway(connection, said):
        # By hand: python3-h2 would take the connection for closed.
        last = connection.h2.highest_inbound_stream_id
        connection.socket.sendall(
            b"\0\0\x08\7\0\0\0\0\0" + last.to_bytes(4, "big") + bytes(4))
        said.set()

    def say(self, content, end=False, path="/events"):
        """To every open exchange of this path."""
        for exchange in self.open(path):
            exchange.connection.do(lambda e=exchange: e.say(content, end=end))

    def open(self, path=None):
        return [e for c in list(self.connections) for e in list(c.exchanges.values())
                if path in (None, e.path)]

    def wait_requests(self, n, path=None, deadline=10):
        def there():
            found = [e for e in list(self.requests) if path in (None, e.path)]
            return found if len(found) >= n else None
        return wait_for(there, deadline, f"{n} requests at {self.name}")

    # What it does.

    def on_request(self, exchange):
        if exchange.path == "/api/health":
            self.checks += 1
            exchange.answer(status=self.health)
            return
        with self.lock:
            self.requests.append(exchange)
            self.most_streams = max(self.most_streams, len(exchange.connection.exchanges))
        if self.to_refuse > 0 or exchange.path == "/refused":
            self.to_refuse -= 1
            self._reset(exchange, REFUSED)
            return
        word, _, rest = exchange.path.partition("?")[0].strip("/").partition("/")
        getattr(self, f"_begin_{word}", self._begin)(exchange, rest)

    def on_data(self, exchange, content):
        if exchange.path == "/echo":
            exchange.say(content, end=False)

    def on_end(self, exchange):
        word = exchange.path.partition("?")[0].strip("/").partition("/")[0]
        getattr(self, f"_end_{word}", self._end)(exchange)

    @staticmethod
    def _reset(exchange, code):
        exchange.connection.h2.reset_stream(exchange.id, code)
        exchange.connection.forget(exchange)
        exchange.is_reset = int(code)

    def _begin(self, exchange, rest):
        pass

    def _end(self, exchange):
        exchange.answer()

    def _begin_reset(self, exchange, rest):
        self._reset(exchange, INTERNAL)

    def _begin_hang(self, exchange, rest):
        pass

    _begin_deaf = _begin_hang

    def _end_hang(self, exchange):
        pass

    def _begin_echo(self, exchange, rest):
        kind = exchange.header("content-type")
        exchange.respond(200, *([("content-type", kind)] if kind else []))

    def _end_echo(self, exchange):
        exchange.say(b"", end=True, trailers=exchange.trailers)

    def _begin_early(self, exchange, rest):
        exchange.connection.h2.send_headers(
            exchange.id, [(":status", "103"), ("link", "</style.css>; rel=preload")])

    def _begin_events(self, exchange, rest):
        exchange.respond(200, ("content-type", "text/event-stream"))

    def _end_events(self, exchange):
        pass

    def _end_status(self, exchange):
        status = int(exchange.path.rsplit("/", 1)[1])
        if status in (204, 304):
            exchange.respond(status, end=True)
        else:
            exchange.answer(status=status)

    def _end_upload(self, exchange):
        exchange.answer(f"{exchange.received}\n".encode())

    def _end_bytes(self, exchange):
        exchange.answer(pattern(int(exchange.path.rsplit("/", 1)[1])))

    def _end_delay(self, exchange):
        seconds = int(exchange.path.rsplit("/", 1)[1]) / 1000
        exchange.connection.later(seconds, lambda: exchange.is_reset or exchange.answer())

    def _end_trailers(self, exchange):
        exchange.respond(200, ("trailer", "x-sum"))
        exchange.say(b"body", trailers=[("x-sum", "4")])

    def _end_seen(self, exchange):
        exchange.answer(json.dumps(exchange.headers).encode())

    def _end_cut(self, exchange):
        exchange.respond(200, ("content-length", "1000"))
        exchange.say(b"x" * 100, end=False)
        exchange.connection.later(0.05, exchange.connection.close)

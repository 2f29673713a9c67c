"""HTTP/2 frame by frame: a peer that sends what it is told, right or wrong, and shows what
came back. Nothing is answered by itself but SETTINGS and PING.

    raw = Raw(address)
    raw.send(headers(1, get("/")))
    assert raw.outcome(1) == Answer(200)
"""

import collections
import socket
import ssl
import struct
import time

import hpack

from http1 import client_context
from waiting import PATIENCE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
 CONTINUATION) = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 32
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED,
 FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR,
 ENHANCE_YOUR_CALM) = range(12)
(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE,
 MAX_HEADER_LIST_SIZE) = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8

Frame = collections.namedtuple("Frame", "kind flags stream payload")

# How a stream, or all of them, ended.
Answer = collections.namedtuple("Answer", "status")
StreamError = collections.namedtuple("StreamError", "code")
ConnectionEnd = collections.namedtuple("ConnectionEnd", "code")
Closed = collections.namedtuple("Closed", "")


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    length = len(payload) if length is None else length
    return (struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) +
            payload)


def get(path="/", method="GET", authority="localhost", scheme="http", *more):
    return [(":method", method), (":scheme", scheme), (":path", path),
            (":authority", authority), *more]


def block(fields):
    """A header block that leaves the peer's table as it is."""
    encoder = hpack.Encoder()
    return encoder.encode([(name, value, True) for name, value in fields], huffman=False)


def headers(stream, fields, flags=END_STREAM | END_HEADERS, pad=None):
    payload = fields if isinstance(fields, bytes) else block(fields)
    if pad is not None:
        return frame(HEADERS, flags | PADDED, stream, bytes([pad]) + payload + bytes(pad))
    return frame(HEADERS, flags, stream, payload)


def data(stream, content=b"", end=True):
    return frame(DATA, END_STREAM if end else 0, stream, content)


def continuation(stream, payload, end=True):
    return frame(CONTINUATION, END_HEADERS if end else 0, stream, payload)


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", k, v) for k, v in pairs))


def window_update(stream, n):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", n))


def rst_stream(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def priority(stream, depends_on=0, weight=15, exclusive=False):
    return frame(PRIORITY, 0, stream,
                 struct.pack(">IB", depends_on | (exclusive << 31), weight))


def ping(payload=b"sluicegt", flags=0, stream=0):
    return frame(PING, flags, stream, payload)


def goaway(last=0, code=NO_ERROR, stream=0, debug=b""):
    return frame(GOAWAY, 0, stream, struct.pack(">II", last, code) + debug)


class Raw:
    """One connection. `tls` is the CA's file, None for prior knowledge on plain TCP."""

    def __init__(self, address, tls=None, greeting=None, timeout=10.0, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.timeout = timeout * PATIENCE
        self.socket.settimeout(self.timeout)
        self.socket.connect(tuple(address))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = client_context(tls, ("h2",)).wrap_socket(
                self.socket, server_hostname="localhost")
        self.buffer = bytearray()
        self.decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self.seen = []
        self.statuses, self.ends = {}, {}  # by stream
        self.send(PREFACE + settings() if greeting is None else greeting)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def send_anyhow(self, *frames):
        """True if all was sent: the other side may have had enough before the end."""
        try:
            self.send(*frames)
        except (ConnectionError, ssl.SSLError, TimeoutError):
            return False
        return True

    def _fill(self):
        try:
            piece = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLEOFError):
            piece = b""
        self.buffer += piece
        return bool(piece)

    def _take(self, n):
        while len(self.buffer) < n:
            if not self._fill():
                return None
        taken = bytes(self.buffer[:n])
        del self.buffer[:n]
        return taken

    def next(self):
        """The next frame; None at the end of the connection."""
        head = self._take(9)
        if head is None:
            return None
        payload = self._take(int.from_bytes(head[:3], "big"))
        if payload is None:
            return None
        got = Frame(head[3], head[4], int.from_bytes(head[5:9], "big"), payload)
        self.seen.append(got)
        self._acknowledge(got)
        self._remember(got)
        return got

    def _acknowledge(self, got):
        if got.kind == SETTINGS and not got.flags & ACK:
            self.send_anyhow(frame(SETTINGS, ACK))
        if got.kind == PING and not got.flags & ACK:
            self.send_anyhow(frame(PING, ACK, 0, got.payload))

    def wait(self, kind, stream=None, flags=0):
        """The next frame of this kind."""
        while (got := self.next()) is not None:
            if got.kind == kind and stream in (None, got.stream) and got.flags & flags == flags:
                return got
        raise AssertionError(f"closed before a frame of kind {kind}; there were {self.seen[-9:]}")

    def greeting(self):
        """The other side's SETTINGS as a dict."""
        first = self.next()
        assert first is not None and first.kind == SETTINGS and not first.flags & ACK, first
        return dict(struct.unpack_from(">HI", first.payload, at)
                    for at in range(0, len(first.payload), 6))

    def is_alive(self):
        """It answers a PING."""
        if not self.send_anyhow(ping(b"stillon?")):
            return False
        while (got := self.next()) is not None:
            if got.kind == PING and got.flags & ACK and got.payload == b"stillon?":
                return True
            if got.kind == GOAWAY:
                return False
        return False

    def _remember(self, got):
        if got.kind == HEADERS:
            assert got.flags & END_HEADERS, "long heads are not read here"
            at = 5 if got.flags & HAS_PRIORITY else 0
            status = dict(self.decoder.decode(got.payload[at:])).get(":status")
            if status is not None:
                self.statuses[got.stream] = int(status)
        if got.kind == RST_STREAM:
            self.ends[got.stream] = StreamError(struct.unpack(">I", got.payload)[0])
        elif got.kind in (DATA, HEADERS) and got.flags & END_STREAM:
            self.ends.setdefault(got.stream, Answer(self.statuses[got.stream]))

    def outcome(self, stream=1):
        """How this stream ends, or the connection before it."""
        end = time.monotonic() + self.timeout
        while stream not in self.ends:
            if time.monotonic() > end:
                raise TimeoutError
            got = self.next()
            if got is None:
                return Closed()
            if got.kind == GOAWAY and (code := struct.unpack(">II", got.payload[:8])[1]):
                return ConnectionEnd(code)
        return self.ends[stream]

    def ended(self):
        """How the connection ended: the code of its last GOAWAY, None without one."""
        while self.next() is not None:
            pass
        codes = [struct.unpack(">II", f.payload[:8])[1] for f in self.seen if f.kind == GOAWAY]
        return codes[-1] if codes else None

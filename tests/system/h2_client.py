"""An HTTP/2 client on python3-h2 that hides nothing: streams side by side, windows that open
when the test says so.

    with Client(sluice.web.address, sluice.ca) as client:
        a, b = client.get("/a"), client.get("/b")
        assert b.response().status == 200
"""

import select
import socket
import ssl
import struct
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from h2_frames import GOAWAY
from http1 import Response, client_context
from waiting import PATIENCE, DeadlinePassed

WEBSOCKET = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL


class Reset(Exception):
    """The stream ended by RST_STREAM, or with its connection (code None)."""

    def __init__(self, code, response):
        super().__init__(f"reset with {code} after {response}")
        self.code = code


class Stream:
    def __init__(self, client, number):
        self.client = client
        self.id = number
        self.result = Response(0, "", [])
        self.body = bytearray()
        self.at = []  # (when, how many bytes) of each DATA frame
        self.ended = False
        self.reset = None
        self.is_reset = False

    # What we say.

    def send(self, content, end=False):
        """All of it, as the windows allow."""
        rest = memoryview(content)
        while len(rest):
            self.client.wait(lambda: self.room() > 0 or self.is_over(), f"a window for {self.id}")
            if self.is_reset:
                raise Reset(self.reset, self.result)
            piece = rest[:self.room()]
            self.client.h2.send_data(self.id, bytes(piece))
            self.client.flush()
            rest = rest[len(piece):]
        if end:
            self.end()

    def send_some(self):
        """As many bytes as the windows and the socket take now; how many that were."""
        sent = 0
        while (n := self.room()) > 0:
            self.client.h2.send_data(self.id, bytes(n))
            self.client.flush()
            sent += n
        return sent

    def room(self):
        if self.is_reset:
            return 0
        h = self.client.h2
        return min(h.local_flow_control_window(self.id), h.max_outbound_frame_size)

    def end(self, trailers=None):
        if trailers is None:
            self.client.h2.end_stream(self.id)
        else:
            self.client.h2.send_headers(self.id, trailers, end_stream=True)
        self.client.flush()

    def cancel(self, code=h2.errors.ErrorCodes.CANCEL):
        self.client.h2.reset_stream(self.id, code)
        self.client.flush()
        self.is_reset = True

    # What we hear.

    def is_over(self):
        return self.ended or self.is_reset

    def head(self):
        """The final response's head; the body may still come."""
        self.client.wait(lambda: self.result.status or self.is_over(), f"a head on {self.id}")
        if not self.result.status:
            raise Reset(self.reset, self.result)
        return self.result

    def bytes(self, n):
        """The next n bytes of the body."""
        self.client.wait(lambda: len(self.body) >= n or self.is_over(), f"{n} bytes")
        if len(self.body) < n:
            raise Reset(self.reset, self.result)
        got = bytes(self.body[:n])
        del self.body[:n]
        return got

    def response(self):
        """The whole response."""
        self.client.wait(self.is_over, f"the end of stream {self.id}")
        if self.is_reset:
            raise Reset(self.reset, self.result)
        self.result.body = bytes(self.body)
        return self.result


class Client:
    """One connection. `tls` is the CA's file, None for prior knowledge."""

    def __init__(self, address, tls=None, name="localhost", timeout=10.0, window=None,
                 hold=False, source=None, receive_buffer=None, huge=False):
        self.name, self.timeout = name, timeout
        self.scheme = "https" if tls is not None else "http"
        self.hold = hold  # windows stay as they are
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source is not None:
            self.socket.bind((source, 0))
        self.socket.settimeout(timeout * PATIENCE)
        self.socket.connect(tuple(address))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = client_context(tls, ("h2",)).wrap_socket(self.socket,
                                                                  server_hostname=name)
            assert self.socket.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="latin-1", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        self.streams = {}
        self.goaways = []  # (code, last stream)
        self.unread = bytearray()
        self.is_closed = False
        self.pings = 0
        first = {h2.settings.SettingCodes.ENABLE_PUSH: 0}
        if window is not None:
            first[h2.settings.SettingCodes.INITIAL_WINDOW_SIZE] = window
        self.h2.local_settings = h2.settings.Settings(client=True, initial_values=first)
        self.h2.initiate_connection()
        if huge:
            self.h2.increment_flow_control_window((1 << 30) - 1)
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def flush(self):
        pending = self.h2.data_to_send()
        if pending:
            try:
                self.socket.sendall(pending)
            except (ConnectionError, ssl.SSLError):
                self._lose()

    def _lose(self):
        self.is_closed = True
        for stream in self.streams.values():
            stream.is_reset = stream.is_reset or not stream.ended

    # Time passes only here.

    def turn(self, seconds):
        """Takes what comes within so many seconds; False when nothing came."""
        pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
        if self.is_closed or not pending and not select.select([self.socket], [], [],
                                                               seconds)[0]:
            return False
        try:
            piece = self.socket.recv(1 << 17)
        except (ConnectionError, ssl.SSLEOFError):
            piece = b""
        if not piece:
            self._lose()
            return False
        self.unread += piece
        for event in self.h2.receive_data(self._without_goaway()):
            self._on(event)
        self.flush()
        return True

    def _without_goaway(self):
        """The whole frames that have come. python3-h2 would take a GOAWAY for the end of
        everything, when what was begun is still answered."""
        kept = bytearray()
        while len(self.unread) >= 9:
            n = 9 + int.from_bytes(self.unread[:3], "big")
            if len(self.unread) < n:
                break
            if self.unread[3] == GOAWAY:
                last, code = struct.unpack(">II", self.unread[9:17])
                self.goaways.append((code, last))
            else:
                kept += self.unread[:n]
            del self.unread[:n]
        return bytes(kept)

    @property
    def goaway(self):
        """(code, last stream) of the last GOAWAY."""
        return self.goaways[-1] if self.goaways else None

    def wait(self, condition, what="a condition"):
        end = time.monotonic() + self.timeout * PATIENCE
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                raise DeadlinePassed(f"not within {self.timeout * PATIENCE:g} s: {what}")
            if not self.turn(left) and self.is_closed and not condition():
                raise ConnectionResetError(f"closed (GOAWAY {self.goaway}) before {what}")

    def settle(self):
        """All that was on its way has come: a PING was answered."""
        seen = self.pings
        self.h2.ping(b"settled?")
        self.flush()
        self.wait(lambda: self.pings > seen, "the answer to a PING")

    def wait_closed(self):
        while not self.is_closed:
            if not self.turn(self.timeout * PATIENCE) and not self.is_closed:
                raise DeadlinePassed("not closed by the other side")

    def _on(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.PingAckReceived):
            self.pings += 1
        elif stream is not None:
            self._on_stream(stream, event)

    def _on_stream(self, stream, event):
        if isinstance(event, h2.events.ResponseReceived):
            self._on_head(stream.result, event.headers)
        elif isinstance(event, h2.events.InformationalResponseReceived):
            interim = Response(0, "", [])
            self._on_head(interim, event.headers)
            stream.result.interim.append(interim)
        elif isinstance(event, h2.events.TrailersReceived):
            stream.result.trailers = list(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            stream.result.body_bytes += len(event.data)
            stream.at.append((time.monotonic(), len(event.data)))
            if not self.hold and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream.id)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.is_reset, stream.reset = True, int(event.error_code)

    @staticmethod
    def _on_head(response, fields):
        fields = list(fields)
        response.status = int(dict(fields)[":status"])
        response.headers = [(k, v) for k, v in fields if k != ":status"]

    # Requests.

    def open(self, path="/", method="GET", headers=(), end=False, fields=None):
        """A request whose body is still to be sent; `fields` replaces the whole head."""
        stream = Stream(self, self.h2.get_next_available_stream_id())
        self.streams[stream.id] = stream
        if fields is None:
            fields = [(":method", method), (":scheme", self.scheme), (":path", path),
                      (":authority", self.name), *headers]
        self.h2.send_headers(stream.id, fields, end_stream=end)
        self.flush()
        return stream

    def get(self, path="/", method="GET", headers=(), fields=None):
        return self.open(path, method, headers, end=True, fields=fields)

    def request(self, path="/", method="GET", headers=(), body=None, trailers=None):
        """The whole response to one request."""
        if body is None and trailers is None:
            return self.get(path, method, headers).response()
        stream = self.open(path, method, headers)
        try:
            stream.send(body or b"", end=trailers is None)
            if trailers is not None:
                stream.end(trailers)
        except (Reset, h2.exceptions.StreamClosedError):
            pass  # the answer may stand before the body's end
        return stream.response()

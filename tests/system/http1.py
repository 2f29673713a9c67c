"""A byte-exact HTTP/1.1 client: it sends what it is told and hides nothing."""

import hashlib
import socket
import ssl
import time

from waiting import PATIENCE


class Closed(Exception):
    """The other side closed before the answer was whole; what came is in .got."""

    def __init__(self, got):
        super().__init__(f"closed after {len(got)} bytes: {got[:200]!r}")
        self.got = got


class Response:
    def __init__(self, status, reason, headers):
        self.status = status
        self.reason = reason
        self.headers = headers
        self.interim = []
        self.body = b""
        self.body_bytes = 0
        self.sha256 = None
        self.trailers = []

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    @property
    def server(self):
        """The pool that answered: X-Server of the origin, or 'sluice' itself."""
        return self.get("x-server", "sluice")

    def __repr__(self):
        return f"<{self.status} {self.reason} by {self.server}, {self.body_bytes} bytes>"


def client_context(ca, alpn=("http/1.1",)):
    context = ssl.create_default_context(cafile=str(ca))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class Client:
    """One connection. `tls` is the CA's file, None for plain HTTP."""

    def __init__(self, address, tls=None, name="localhost", timeout=10.0, alpn=("http/1.1",),
                 receive_buffer=None, source=None):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source is not None:
            self.socket.bind((source, 0))
        self.socket.settimeout(timeout * PATIENCE)
        self.socket.connect(tuple(address))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            context = tls if isinstance(tls, ssl.SSLContext) else client_context(tls, alpn)
            self.socket = context.wrap_socket(self.socket, server_hostname=name)
        self.buffer = bytearray()
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def half_close(self):
        """Says that no more will be sent, and still reads (plain HTTP only)."""
        self.socket.shutdown(socket.SHUT_WR)

    def _fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed(bytes(self.buffer))
        self.buffer += data

    def is_closed(self):
        """True when the other side closes within the timeout without a byte."""
        try:
            return self.socket.recv(1) == b""
        except (ConnectionResetError, ssl.SSLEOFError):
            return True

    def read_until(self, mark):
        while True:
            at = self.buffer.find(mark)
            if at >= 0:
                got = bytes(self.buffer[:at])
                del self.buffer[:at + len(mark)]
                return got
            self._fill()

    def read_exactly(self, n, sink):
        while n > 0:
            if not self.buffer:
                self._fill()
            piece = bytes(self.buffer[:n])
            del self.buffer[:len(piece)]
            n -= len(piece)
            sink(piece)

    def read_head(self):
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        lines = head.split("\r\n")
        version, status, *reason = lines[0].split(" ", 2)
        assert version.startswith("HTTP/1."), f"not a status line: {lines[0]!r}"
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        return Response(int(status), reason[0] if reason else "", headers)

    def _read_chunks(self, response, sink):
        while True:
            size = int(self.read_until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            self.read_exactly(size, sink)
            assert self.read_until(b"\r\n") == b"", "a chunk ends with CRLF"
        while (line := self.read_until(b"\r\n")) != b"":
            name, value = line.decode("latin-1").split(":", 1)
            response.trailers.append((name.strip(), value.strip()))

    def _read_to_close(self, sink):
        try:
            while True:
                if self.buffer:
                    sink(bytes(self.buffer))
                    self.buffer.clear()
                self._fill()
        except Closed:
            pass

    def read_response(self, method="GET", keep_body=True):
        """The whole final response; interim ones are in .interim."""
        interim = []
        response = self.read_head()
        while response.status < 200 and response.status != 101:
            interim.append(response)
            response = self.read_head()
        response.interim = interim
        digest = hashlib.sha256()
        pieces = []

        def sink(piece):
            digest.update(piece)
            response.body_bytes += len(piece)
            if keep_body:
                pieces.append(piece)

        if method != "HEAD" and response.status not in (101, 204, 304):
            if "chunked" in response.get("transfer-encoding", "").lower():
                self._read_chunks(response, sink)
            elif (length := response.get("content-length")) is not None:
                self.read_exactly(int(length), sink)
            else:
                self._read_to_close(sink)
        response.body = b"".join(pieces)
        response.sha256 = digest.hexdigest()
        return response

    def request(self, path="/", method="GET", headers=(), body=None, keep_body=True):
        head = [f"{method} {path} HTTP/1.1", f"Host: {self.name}"]
        head += [f"{k}: {v}" for k, v in headers]
        if body is not None:
            head.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + (body or b""))
        return self.read_response(method, keep_body)


def get(address, path="/", tls=None, **options):
    """One request on a connection of its own."""
    with Client(address, tls, **options) as client:
        return client.request(path)


def timed(call):
    start = time.monotonic()
    return call(), time.monotonic() - start

"""A byte-exact origin: it says only what the test tells it to, and hides nothing it got.

    up = origin.next()          # the connection that sluice says something on
    assert up.read_head() == b"GET / HTTP/1.1\r\n..."
    up.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
"""

import contextlib
import re
import pathlib
import select
import signal
import socket
import ssl
import struct
import time

import settings
from http1 import Closed
from sluice import Sluice
from waiting import PATIENCE, DeadlinePassed, wait_for

OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LISTENS = "0A"  # in /proc/net/tcp, where the queue of a listener is one of connections
RESET = struct.pack("ii", 1, 0)
ID = re.compile(rb"(?im)^(X-Request-Id: )[0-9a-f]{32}\r$")


def added(host="a", proto="http", client="127.0.0.1"):
    """What sluice adds to each request, with its random id replaced."""
    return (f"X-Forwarded-For: {client}\r\nX-Forwarded-Proto: {proto}\r\n"
            f"X-Forwarded-Host: {host}\r\nX-Request-Id: <id>\r\n")


def encoded(data):
    return data.encode("latin-1") if isinstance(data, str) else data


def reset(peer):
    """Ends a connection, a client's or an origin's, the rude way."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    peer.socket.close()


class Upstream:
    """One connection that sluice has opened."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(10 * PATIENCE)
        self.buffer = bytearray()

    def fill(self):
        """False at the end of what sluice sends."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)

    def read_until(self, mark):
        """All up to and with mark; ids are replaced."""
        while (at := self.buffer.find(mark)) < 0:
            if not self.fill():
                raise Closed(bytes(self.buffer))
        got = bytes(self.buffer[:at + len(mark)])
        del self.buffer[:len(got)]
        return ID.sub(rb"\1<id>\r", got)

    def read_head(self):
        return self.read_until(b"\r\n\r\n").decode("latin-1")

    def read(self, n):
        while len(self.buffer) < n:
            if not self.fill():
                raise Closed(bytes(self.buffer))
        got = bytes(self.buffer[:n])
        del self.buffer[:n]
        return got

    def read_rest(self):
        """Everything until sluice closes."""
        while self.fill():
            pass
        got = bytes(self.buffer)
        self.buffer.clear()
        return got

    def send(self, data):
        self.socket.sendall(encoded(data))

    def answer(self, data=OK):
        """Reads a head, answers, and returns the head."""
        head = self.read_head()
        self.send(data)
        return head

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset(self):
        reset(self)


class Origin:
    """One listening port. `tls` is a server's SSLContext."""

    def __init__(self, tls=None, receive_buffer=None, backlog=128):
        self.listener = socket.socket()
        if receive_buffer is not None:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(backlog)
        self.listener.settimeout(10 * PATIENCE)
        self.tls = tls
        self.open = []

    @property
    def port(self):
        return self.listener.getsockname()[1]

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def accept(self):
        connection, _ = self.listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is not None:
            connection.settimeout(10 * PATIENCE)
            connection = self.tls.wrap_socket(connection, server_side=True)
        self.open.append(Upstream(connection))
        return self.open[-1]

    def _forget_closed(self):
        self.open = [up for up in self.open if up.socket.fileno() >= 0]

    def _readable(self, timeout):
        self._forget_closed()
        return select.select([self.listener] + [up.socket for up in self.open], [], [],
                             timeout)[0]

    def next(self, deadline=10):
        """The connection, new or kept, on which sluice says something now."""
        end = time.monotonic() + deadline * PATIENCE
        while (left := end - time.monotonic()) > 0:
            ready = self._readable(left)
            if self.listener in ready:
                self.accept()
            for up in [up for up in self.open if up.socket in ready]:
                if up.fill():
                    return up
                up.close()
        raise DeadlinePassed("sluice did not ask the origin")

    def next_unless(self, client):
        """As next(), or None if the client is answered without the origin."""
        while True:
            self._forget_closed()
            ready = select.select([self.listener, client.socket] +
                                  [up.socket for up in self.open], [], [], 10 * PATIENCE)[0]
            if client.socket in ready:
                return None
            with contextlib.suppress(DeadlinePassed):
                return self.next(0.05)

    def is_untouched(self):
        """Nothing came since the last call of next()."""
        for ready in self._readable(0):
            if ready is self.listener:
                return False
            up = next(up for up in self.open if up.socket is ready)
            if up.fill():
                return False
            up.close()
        return True

    def is_uncalled(self):
        """No connection waits to be accepted."""
        return not select.select([self.listener], [], [], 0)[0]

    def hang_up(self):
        """Closes all connections, and waits until sluice has done so too."""
        while not self.is_uncalled():
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                self.accept()
        self._forget_closed()
        for up in self.open:
            with contextlib.suppress(ConnectionError, OSError):
                socket.socket.shutdown(up.socket, socket.SHUT_WR)
                self._see_end_of(up)
            up.close()
        self.open = []

    @staticmethod
    def _see_end_of(up):
        with socket.socket(fileno=socket.dup(up.socket.fileno())) as raw:
            raw.settimeout(10 * PATIENCE)
            try:
                while raw.recv(65536):
                    pass
            except TimeoutError:
                raise AssertionError("sluice keeps what its origin has closed") from None

    def stop(self):
        self.listener.close()
        for up in self.open:
            up.close()


def asked(*some, deadline=10):
    """The connection on which sluice asks any of these origins, and the others."""
    end = time.monotonic() + deadline * PATIENCE
    while time.monotonic() < end:
        select.select([one.listener for one in some] +
                      [up.socket for one in some for up in one.open if up.socket.fileno() >= 0],
                      [], [], max(0.0, end - time.monotonic()))
        for one in some:
            if one._readable(0):
                with contextlib.suppress(DeadlinePassed):
                    return one.next(0.05), [other for other in some if other is not one]
    raise DeadlinePassed("sluice asked no origin")


class Deaf:
    """A port that refuses every connection, or (mute) one that answers no SYN."""

    def __init__(self, mute=False):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.callers = []
        if mute:
            self.socket.listen(0)
            for _ in range(3):
                caller = socket.socket()
                caller.setblocking(False)
                caller.connect_ex(self.socket.getsockname())
                self.callers.append(caller)

    @property
    def address(self):
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

    def stop(self):
        for one in [self.socket, *self.callers]:
            one.close()


def pool(*origins, **more):
    """A pool of scripted origins, which nobody checks: they are up."""
    return settings.pool(origins, **{"health": None, **more})


@contextlib.contextmanager
def running(certs, pools, migrations=None, **changes):
    """A sluice for several tests, with one thread: what happens, happens in order."""
    instance = Sluice(certs, pools, migrations, **{"workers": 1, **changes})
    try:
        yield instance.start()
    finally:
        instance.finish()


@contextlib.contextmanager
def origins(n=1, **options):
    started = [Origin(**options) for _ in range(n)]
    try:
        yield started if n > 1 else started[0]
    finally:
        for one in started:
            one.stop()


def unread_bytes(port, of_clients=False):
    """What was sent to the listener at this port (or by it, to its clients), and was not
    read yet: it is in one of the two sockets."""
    total = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        sending, receiving = (int(n, 16) for n in queues.split(":"))
        sender, receiver = (local, remote) if of_clients else (remote, local)
        if state != LISTENS and sender.endswith(f":{port:04X}"):
            total += sending
        if state != LISTENS and receiver.endswith(f":{port:04X}"):
            total += receiving
    return total


def state_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


@contextlib.contextmanager
def frozen(instance):
    """sluice stands still: what happens meanwhile, it meets all at once."""
    instance.signal(signal.SIGSTOP)
    wait_for(lambda: state_of(instance.pid) == "T", 5, "sluice stands still", every=0.001)
    try:
        yield
    finally:
        instance.signal(signal.SIGCONT)


class Counts:
    """Metrics as they were, and how they differ now."""

    def __init__(self, instance):
        self.instance = instance
        self.before = instance.metrics()

    def rises(self, names):
        now = self.instance.metrics()
        return {name: now.get(name, 0) - self.before.get(name, 0) for name in names}

    def rise(self, *names):
        """Of these metrics together."""
        return sum(self.rises(names).values())

    def wait(self, name, n=1):
        self.wait_sum([name], n)

    def wait_sum(self, names, n=1):
        wait_for(lambda: self.rise(*names) >= n, 10, f"{names} rise by {n}")
        assert self.rise(*names) == n, f"{names} rose by {self.rise(*names)}"


def side(what, which="new"):
    return f'sluice_migration_{what}{{migration="api",side="{which}"}}'


def outcome(how, which="new"):
    return f'sluice_migration_outcomes_total{{migration="api",side="{which}",outcome="{how}"}}'

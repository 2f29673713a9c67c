"""A WebSocket to a server of HTTP/2 is an extended CONNECT (RFC 8441) on the connection that
all requests share, whatever its client speaks, where the server has said that it takes it."""

import contextlib
import struct

import pytest
from h2.exceptions import StreamClosedError

import h2_scene
import settings
import ws
from h2_client import WEBSOCKET, Reset
from h2_origin import H2Origin
from scripted import Counts, side
from settings import migration
from test_websocket_over_h2 import connect, echo, tunnel
from waiting import wait_for

TAKES = {WEBSOCKET: 1}
both = pytest.mark.parametrize("version", ["h1", "h2"])


class Server(H2Origin):
    """/echo sends everything back; /flood says a lot; /deaf takes nothing; /no says 403;
    /protocol agrees to one; /end closes its half at once."""

    def _begin_flood(self, exchange, _):
        exchange.respond()
        exchange.say(ws.frame(ws.BINARY, bytes(8 << 20)), end=False)

    def _begin_deaf(self, exchange, _):
        exchange.respond()

    def _begin_no(self, exchange, _):
        exchange.answer(b"no", 403)

    def _begin_end(self, exchange, _):
        exchange.respond(end=True)

    def _begin_protocol(self, exchange, _):
        exchange.respond(201, ("sec-websocket-protocol", "chat"),
                         ("sec-websocket-accept", "nonsense"))

    def _end_flood(self, exchange):
        exchange.say(b"", end=True)

    _end_deaf = _end_protocol = _end_flood

    def _end_end(self, exchange):
        pass

    _end_no = _end_end

    def tunnels(self):
        return [e for e in self.open() if e.method == "CONNECT"]


def pool(*servers, **more):
    return settings.pool(servers, **{"protocol": "h2", "health": None, **more})


@pytest.fixture(scope="module")
def scene(certs):
    server = Server("legacy", settings=TAKES)
    with h2_scene.running(certs, {"legacy": pool(server, retry={"attempts": 1})}) as sluice:
        sluice.server = server
        yield sluice
        # Of streams that their client has left, in the middle of an echo.
        assert [t for t in server.troubles if not isinstance(t, StreamClosedError)] == []
    server.stop()


@contextlib.contextmanager
def migrating(certs, **tunnels):
    servers = [Server(name, settings=TAKES) for name in ("legacy", "new")]
    api = migration(100, tunnels=tunnels)
    with h2_scene.running(certs, dict(zip(("legacy", "new"), map(pool, servers))),
                          {"api": api}) as sluice:
        sluice.legacy, sluice.new = servers
        yield sluice
    for server in servers:
        server.stop()


class Peer:
    """A tunnel over either version, and how its end looks."""

    def __init__(self, sluice, version, path="/echo"):
        self.version = version
        if version == "h2":
            self.client = h2_scene.client(sluice)
            self.stream = tunnel(self.client, path)
            self.server = self.stream.result.get("x-server")
        else:
            self.client = ws.by_hand(sluice)
            self.server = self.client.upgrade(path).get("x-server")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def echo(self, payload):
        if self.version == "h2":
            echo(self.stream, payload)
        else:
            self.client.echo(payload)

    def send(self, content):
        (self.stream if self.version == "h2" else self.client).send(content)

    def read_frame(self):
        return ws.read_frame(self.stream.bytes) if self.version == "h2" else \
            self.client.read_frame()

    def end(self):
        if self.version == "h2":
            self.stream.end()
        else:
            self.client.half_close()

    def is_told_the_end(self):
        if self.version == "h2":
            self.client.wait(self.stream.is_over, "the end")
            return True
        return self.client.is_closed()


# --- the handshake --------------------------------------------------------------------------------

@both
def test_the_server_sees_an_extended_connect(scene, version):
    del scene.server.requests[:]
    with Peer(scene, version, "/protocol?x=1"):
        seen = scene.server.requests[-1]

        assert (seen.method, seen.header(":protocol"), seen.path) == \
            ("CONNECT", "websocket", "/protocol?x=1")
        assert seen.header(":scheme") == "http" and seen.header(":authority") == "localhost"
        assert seen.header("sec-websocket-version") == "13"
        for name in ("sec-websocket-key", "upgrade", "connection", "content-length", "host"):
            assert seen.all(name) == []
        assert seen.header("x-forwarded-for") == "127.0.0.1"


def test_a_client_of_http1_sees_an_upgrade(scene):
    with ws.by_hand(scene) as client:
        response = client.upgrade("/protocol", "Sec-WebSocket-Protocol: chat, other")

        assert response.all("sec-websocket-accept") == [ws.ACCEPT]
        assert response.get("upgrade") == "websocket"
        assert response.get("connection").lower() == "upgrade"
        assert response.get("sec-websocket-protocol") == "chat"
        assert response.get("transfer-encoding") is None


def test_a_client_of_http2_sees_200(scene):
    with h2_scene.client(scene) as client:
        head = connect(client, "/protocol").head()

        assert head.status == 200 and head.get("sec-websocket-protocol") == "chat"
        assert head.get("sec-websocket-accept") is None


def test_a_refusal_passes(scene):
    with ws.by_hand(scene) as one, h2_scene.client(scene) as other:
        assert one.ask("/no").status == 403
        assert one.ask("/no").status == 403, "on the same connection"
        assert connect(other, "/no").response().status == 403
    wait_for(lambda: not scene.server.tunnels(), 5, "no stream is left open")


@both
def test_a_server_that_does_not_take_them(certs, version):
    origin = H2Origin("legacy")
    with h2_scene.running(certs, {"legacy": pool(origin)}) as sluice:
        if version == "h1":
            with ws.by_hand(sluice) as client:
                assert client.ask().status == 501
        else:
            with h2_scene.client(sluice) as client:
                assert connect(client).head().status == 501
                assert client.request("/").status == 200, "other requests are served"
        assert [r for r in origin.requests if r.method == "CONNECT"] == []
    origin.stop()


@both
def test_tunnels_and_requests_share_a_connection(certs, version):
    server = Server("legacy", settings=TAKES)
    with h2_scene.running(certs, {"legacy": pool(server)}) as sluice, \
            contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Peer(sluice, version)) for _ in range(10)]
        for turn in range(5):
            for n, peer in enumerate(peers):
                peer.echo(f"{n} {turn}".encode() * 100)
            assert h2_scene.get(sluice).status == 200
        assert server.accepted == 1
    server.stop()


# --- what passes ----------------------------------------------------------------------------------

@both
@pytest.mark.parametrize("size", [0, 125, 65_536, 1 << 20])
def test_messages_of_any_size(scene, version, size):
    with Peer(scene, version) as peer:
        peer.echo(bytes(i & 255 for i in range(size)))


@both
def test_a_frame_that_comes_with_the_handshake(scene, version):
    hello = ws.masked(ws.TEXT, b"early")
    if version == "h1":
        with ws.by_hand(scene) as client:
            client.send(ws.request().encode() + hello)
            assert client.read_head().status == 101
            assert client.read_frame().payload == b"early"
    else:
        with h2_scene.client(scene) as client:
            stream = connect(client)
            stream.send(hello)
            assert ws.read_frame(stream.bytes).payload == b"early"


@both
def test_a_server_that_reads_nothing_stops_its_client(certs, version):
    with migrating(certs) as sluice, Peer(sluice, version, "/deaf") as peer:
        if version == "h2":
            sent = 0
            while (n := peer.stream.send_some()) or peer.client.turn(0.5):
                sent += n
        else:
            sent = send_until_stopped(peer.client.socket)
        assert 65_535 <= sent < 16 << 20, "what is not taken is not read"
        assert h2_scene.get(sluice).status == 200, "its neighbours are served"


def test_a_client_that_reads_nothing_stops_its_server(scene):
    with ws.by_hand(scene, receive_buffer=4096) as client:
        client.upgrade("/flood")
        flood = wait_for(lambda: scene.server.open("/flood"), 5, "it has begun")[0]
        seen = []
        wait_for(lambda: stands_still(len(flood.out), seen), 5, "its window is shut", every=0.2)
        assert len(flood.out) > 1 << 20
        assert h2_scene.get(scene).status == 200, "its neighbours are served"
        assert len(client.read_frame().payload) == 8 << 20


def send_until_stopped(sock):
    sent = 0
    sock.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while sent < 64 << 20:
            sent += sock.send(bytes(65_536))
    return sent


def stands_still(n, seen):
    seen.append(n)
    return seen[-3:] == [n] * 3


# --- how it ends ----------------------------------------------------------------------------------

@both
@pytest.mark.parametrize("how", ["closes", "ends", "leaves"])
def test_the_client_ends_it(scene, version, how):
    wait_for(lambda: not scene.server.tunnels(), 5, "those of before are gone")
    with Peer(scene, version) as peer:
        peer.echo(b"hello")
        if how == "closes":
            peer.send(ws.close(1000))
            assert ws.code_of(peer.read_frame()) == 1000
        elif how == "ends":
            peer.end()
            assert peer.is_told_the_end()
        else:
            peer.client.close()
        if how == "closes":
            peer.end()
        wait_for(lambda: not scene.server.tunnels(), 5, "the server is rid of it")


@both
@pytest.mark.parametrize("how", ["resets", "dies"])
def test_the_server_ends_it(certs, version, how):
    with migrating(certs) as sluice, Peer(sluice, version) as peer:
        counts = Counts(sluice)
        peer.echo(b"hello")
        exchange = sluice.new.tunnels()[0]
        if how == "resets":
            exchange.connection.do(lambda: sluice.new._reset(exchange, 2))
        else:
            sluice.new.down()

        assert peer.is_told_the_end()
        counts.wait(side("tunnels_broken_total"), 1)
        counts.wait(side("attempt_errors_total"), 1)


@both
def test_a_server_that_closes_well_is_no_error(certs, version):
    with migrating(certs) as sluice, Peer(sluice, version) as peer:
        counts = Counts(sluice)
        peer.echo(b"hello")
        sluice.new.say(ws.frame(ws.CLOSE, struct.pack(">H", 4001)), end=True, path="/echo")
        assert ws.code_of(peer.read_frame()) == 4001
        peer.send(ws.close(4001))

        assert peer.is_told_the_end()
        wait_for(lambda: sluice.metrics()[side("tunnels_open")] == 0, 5, "it is gone")
        assert counts.rise(side("tunnels_broken_total")) == 0


def test_one_that_ends_at_once(scene):
    with Peer(scene, "h1", "/end") as peer:
        assert peer.client.is_closed()


@both
def test_silence_ends_it(certs, version):
    server = Server("legacy", settings=TAKES)
    with h2_scene.running(certs, {"legacy": pool(server)},
                          timeouts={"tunnel_idle": "300ms"}) as sluice:
        counts = Counts(sluice)
        with Peer(sluice, version) as peer:
            peer.echo(b"hello")
            assert peer.is_told_the_end()
        counts.wait("sluice_timeout_tunnel_idle_total", 1)
        wait_for(lambda: not server.tunnels(), 5, "the server is rid of it")
    server.stop()


@both
def test_it_drains_at_a_cutback(certs, version):
    with migrating(certs, on_revert="drain") as sluice, Peer(sluice, version) as peer:
        peer.echo(b"hello")
        sluice.ctl("cutback", "api")

        assert ws.code_of(peer.read_frame()) in (ws.RESTART, ws.GOING_AWAY)
        peer.send(ws.close(ws.RESTART))
        assert peer.is_told_the_end()
        wait_for(lambda: not sluice.new.tunnels(), 5, "new has none left")
        with Peer(sluice, version) as again:
            assert again.server == "legacy"


@both
def test_it_is_cut_at_a_cutback(certs, version):
    with migrating(certs, on_revert="cut") as sluice, Peer(sluice, version) as peer:
        counts = Counts(sluice)
        peer.echo(b"hello")
        sluice.ctl("cutback", "api")

        assert peer.is_told_the_end()
        wait_for(lambda: not sluice.new.tunnels(), 5, "new has none left")
        counts.wait(side("tunnels_cut_total"), 1)


@both
def test_it_outlives_a_reload_and_is_counted(certs, version):
    with migrating(certs) as sluice, Peer(sluice, version) as peer:
        counts = Counts(sluice)
        sluice.reload(timeouts={"client_idle": "55s"})
        for n in range(3):
            peer.echo(bytes(10 + n))
        counts.wait(side("tunnel_received_messages_total"), 3)
        counts.wait(side("tunnel_sent_messages_total"), 3)


def test_the_end_of_sluice_is_told(certs):
    with migrating(certs) as sluice:
        peers = [Peer(sluice, version) for version in ("h1", "h2")]
        for peer in peers:
            peer.echo(b"hello")
        sluice.signal(15)
        for peer in peers:
            assert ws.code_of(peer.read_frame()) in (ws.RESTART, ws.GOING_AWAY)
            with contextlib.suppress(Reset):
                peer.send(ws.close(ws.GOING_AWAY))
        wait_for(lambda: not sluice.is_alive(), 10, "sluice has ended")
        for peer in peers:
            peer.client.close()

"""After a reload that changes how a pool is spoken to, no request travels on a connection that
was made in the old way: idle ones are closed, busy ones end with their request."""

import pytest

import h2_scene
from h2_origin import H2Origin, server_context as h2_context
from scripted import OK, Origin, pool, running
from test_upstream_tls import server_context
from waiting import wait_for

GET = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


def tls(certs, **more):
    return {"ca_file": str(certs / "ca.pem"), "server_name": "localhost", **more}


@pytest.fixture
def origin(certs):
    one = Origin()
    yield one
    one.stop()


def ask(client, origin):
    """The connection that it travels on."""
    client.send(GET)
    up = origin.next()
    up.answer()
    assert client.read_response().status == 200
    return up


def test_idle_connections_are_closed_when_tls_comes(certs, origin):
    with running(certs, {"legacy": pool(origin)}) as sluice, sluice.client() as client:
        plain = ask(client, origin)
        assert ask(client, origin) is plain

        origin.tls = server_context(certs)
        sluice.reload(pools={"legacy": {"tls": tls(certs)}})

        assert plain.read_rest() == b""
        plain.close()
        assert origin.tls is not None and ask(client, origin).socket.version() == "TLSv1.3"


def test_a_stricter_check_holds_for_the_next_request(certs, origin):
    origin.tls = server_context(certs)
    loose = tls(certs, server_name="elsewhere.test", verify=False)
    legacy = pool(origin, tls=loose, retry={"attempts": 1})
    with running(certs, {"legacy": legacy}) as sluice, sluice.client(tls=False) as client:
        ask(client, origin)

        sluice.reload(pools={"legacy": {"tls": {"verify": True}}})
        client.send(GET)
        with pytest.raises(OSError):
            origin.accept()

        assert client.read_response().status == 502


def test_busy_connections_end_with_their_request(certs, origin):
    with running(certs, {"legacy": pool(origin)}) as sluice, \
            sluice.client() as busy, sluice.client() as other:
        busy.send(GET)
        up = origin.next()
        up.read_head()
        origin.tls = server_context(certs)
        sluice.reload(pools={"legacy": {"tls": tls(certs)}})
        assert ask(other, origin) is not up

        up.send(OK)
        assert busy.read_response().status == 200
        assert up.read_rest() == b"", "it is not kept"


def test_a_reload_of_something_else_keeps_them(certs, origin):
    with running(certs, {"legacy": pool(origin)}) as sluice, sluice.client() as client:
        up = ask(client, origin)

        sluice.reload(pools={"legacy": {"retry": {"attempts": 1}}})

        assert ask(client, origin) is up


def test_busy_sessions_of_http2_take_no_more(certs):
    origin = H2Origin("legacy", tls=h2_context(certs))
    loose = tls(certs, server_name="elsewhere.test", verify=False)
    with h2_scene.running(certs, {"legacy": pool(origin, protocol="h2", tls=loose)}) as sluice, \
            h2_scene.client(sluice) as client:
        hanging = client.get("/hang")
        origin.wait_requests(1)
        assert client.request("/").status == 200
        assert sluice.metrics()["sluice_upstream_connects_total"] == 1

        sluice.reload(pools={"legacy": {"tls": {"server_name": "localhost"}}})
        assert client.request("/").status == 200
        assert sluice.metrics()["sluice_upstream_connects_total"] == 2

        sluice.reload(pools={"legacy": {"tls": {"server_name": "elsewhere.test",
                                                "verify": True}}})
        assert client.request("/").status == 502
        assert not hanging.is_over(), "what is under way goes on"
        hanging.cancel()
        wait_for(lambda: sluice.metrics()["sluice_requests_open"] == 0, 5, "nothing is left")
    origin.stop()

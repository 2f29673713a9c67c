"""Operators change what messages say: by route, by pool, over HTTP/1.1 and HTTP/2, in answers of
servers and in sluice's own."""

import pytest

import h2_scene
import settings
from h2_origin import H2Origin
from scripted import Origin, pool, running
from sluice import Sluice

HSTS = "Strict-Transport-Security: max-age=31536000"
OF_ROUTE = {
    "request": {"set": ["X-Edge: route"], "add": ["X-Hop: one"], "remove": "X-Secret"},
    "response": {"set": ["X-Frame-Options: DENY", HSTS], "remove": "Server X-Powered-By"},
}
OF_POOL = {
    "request": {"set": ["X-Edge: pool", "X-Pool: legacy"]},
    "response": {"set": ["X-Frame-Options: SAMEORIGIN"], "add": ["X-From: legacy"]},
}
ANSWER = ("HTTP/1.1 200 OK\r\nServer: apache\r\nX-Powered-By: PHP\r\nX-Frame-Options: ALLOW\r\n"
          "Content-Length: 2\r\n\r\nok")


def routes(rules):
    return [{"host": "*", "path": "/", "pool": "legacy", "headers": rules}]


@pytest.fixture(scope="module")
def ruled(certs):
    """Rules of the route and of the pool, before a server of HTTP/1.1."""
    origin = Origin()
    with running(certs, {"legacy": pool(origin, headers=OF_POOL)}, routes=routes(OF_ROUTE)) as sluice:
        sluice.origin = origin
        yield sluice
    origin.stop()


def ask(sluice, version, *fields):
    """What the server got, and the answer that came."""
    if version == "h2":
        with h2_scene.client(sluice) as client:
            stream = client.get("/x", headers=[tuple(f.lower().split(": ")) for f in fields])
            up = sluice.origin.next()
            head = up.answer(ANSWER)
            return head, stream.response()
    with sluice.client(tls=False) as client:
        client.send("\r\n".join(["GET /x HTTP/1.1", "Host: a", *fields]) + "\r\n\r\n")
        up = sluice.origin.next()
        head = up.answer(ANSWER)
        return head, client.read_response()


both = pytest.mark.parametrize("version", ["http/1.1", "h2"])


def values(head, name):
    lines = [line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line]
    return [value for key, value in lines if key.lower() == name.lower()]


@both
def test_a_request_gets_and_loses_fields(ruled, version):
    head, _ = ask(ruled, version, "X-Secret: 1", "X-Edge: client", "X-Hop: zero", "x_edge: twin")

    assert values(head, "X-Secret") == []
    assert values(head, "X-Hop") == ["zero", "one"], "add leaves what is there"
    assert values(head, "X-Edge") == ["pool"], "the pool has the last word on requests"
    assert values(head, "x_edge") == []
    assert values(head, "X-Pool") == ["legacy"]
    assert values(head, "X-Forwarded-For") == ["127.0.0.1"]


@both
def test_a_response_gets_and_loses_fields(ruled, version):
    _, response = ask(ruled, version)

    assert response.status == 200 and response.body == b"ok"
    assert response.all("x-frame-options") == ["DENY"], "the route has the last word on responses"
    assert response.get("strict-transport-security") == "max-age=31536000"
    assert response.get("x-from") == "legacy"
    assert response.get("server") is None and response.get("x-powered-by") is None


@both
def test_an_answer_of_sluice_s_own_has_the_route_s_fields(certs, version):
    with running(certs, {"legacy": {"servers": [{"address": "127.0.0.1:1"}]}},
                 routes=routes(OF_ROUTE)) as sluice:
        response = h2_scene.get(sluice) if version == "h2" else sluice.get()

        assert response.status in (502, 503)
        assert response.all("x-frame-options") == ["DENY"]
        assert response.get("strict-transport-security") == "max-age=31536000"
        assert len(response.body) == int(response.get("content-length"))


def test_a_server_of_http2_gets_them_too(certs):
    server = H2Origin()
    rules = {"request": {"set": ["X-Pool: two"], "remove": "X-Secret"}}
    with running(certs, {"legacy": pool(server, protocol="h2", headers=rules)}) as sluice:
        with sluice.client(tls=False) as client:
            client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Secret: 1\r\nX-Pool: forged\r\n\r\n")
            assert client.read_response().status == 200
        seen = server.requests[-1]
        assert seen.all("x-pool") == ["two"] and seen.header("x-secret") is None
    server.stop()


def test_a_rescued_request_has_the_rules_of_its_new_pool_alone(certs):
    new, legacy = Origin(), Origin()
    pools = {
        "new": pool(new, headers={"request": {"set": ["X-Pool: new"], "remove": "X-Old"}}),
        "legacy": pool(legacy),
    }
    api = settings.migration(100, rescue={"max_body": "8k", "budget": 100.0})
    with running(certs, pools, {"api": api}) as sluice, sluice.client(tls=False) as client:
        client.send("PUT /x HTTP/1.1\r\nHost: a\r\nX-Old: 1\r\nIdempotency-Key: 1\r\n"
                    "Content-Length: 4\r\n\r\nbody")
        first = new.next()
        head = first.answer("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
        assert values(head, "X-Pool") == ["new"] and values(head, "X-Old") == []

        second = legacy.next()
        head = second.read_head()
        assert values(head, "X-Pool") == [] and values(head, "X-Old") == ["1"]
        assert second.read(4) == b"body"
        second.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert client.read_response().status == 200
    new.stop()
    legacy.stop()


WRONG = {
    "no colon": ({"set": ["X-A"]}, "Name: value"),
    "a name that is none": ({"add": ["X A: b"]}, "Name: value"),
    "the frame": ({"set": ["Content-Length: 4"]}, "Content-Length is not for rules"),
    "what sluice says": ({"add": ["X-Forwarded-For: 1.2.3.4"]}, "X-Forwarded-For is not for rules"),
    "a removed Host": ({"remove": "X-A Host"}, 'got "Host"'),
    "no list": ({"set": "X-A: b"}, "array"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_would_break_messages_is_refused_with_its_line(certs, what):
    rules, told = WRONG[what]
    servers = {"servers": [{"address": "127.0.0.1:1"}]}
    sluice = Sluice(certs, {"legacy": servers}, routes=routes({"request": rules}))

    sluice.start(ready=False)

    assert sluice.process.wait(20) == 1
    sluice.process = None
    assert told in sluice.log() and "routes[0].headers.request" in sluice.log()


def test_rules_change_with_a_reload(certs):
    origin = Origin()
    with running(certs, {"legacy": pool(origin)}, routes=routes({})) as sluice:
        sluice.origin = origin
        assert ask(sluice, "http/1.1")[1].get("x-frame-options") == "ALLOW"

        sluice.reload(routes=routes(OF_ROUTE))

        assert ask(sluice, "http/1.1")[1].get("x-frame-options") == "DENY"
    origin.stop()

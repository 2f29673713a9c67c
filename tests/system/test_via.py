"""With `headers = { via; forwarded }` both sides are told that sluice stands between, and which
version each of them spoke; without it nobody is."""

import pytest

import h2_scene
from scripted import Origin, pool

ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVia: 1.0 before\r\n\r\nok"


@pytest.fixture(scope="module")
def origin():
    with_origin = Origin()
    yield with_origin
    with_origin.stop()


@pytest.fixture(scope="module")
def scene(certs, origin):
    with h2_scene.running(certs, {"scripted": pool(origin)},
                          routes=[{"host": "*", "path": "/", "pool": "scripted"}],
                          headers={"via": "gate", "forwarded": True}) as sluice:
        yield sluice


def lines(head, name):
    return [line for line in head.split("\r\n") if line.lower().startswith(name.lower() + ":")]


def test_a_client_of_http2(scene, origin):
    with h2_scene.client(scene) as client:
        stream = client.get("/x", headers=[("via", "1.1 earlier")])
        head = origin.next().answer(ANSWER)
        response = stream.response()

    assert lines(head, "Via") == ["via: 1.1 earlier", "Via: 2 gate"]
    assert len(lines(head, "Forwarded")) == 1
    assert lines(head, "Forwarded")[0].startswith("Forwarded: for=127.0.0.1;")
    assert [value for name, value in response.headers if name == "via"] == ["1.0 before", "1.1 gate"]
    origin.hang_up()


def test_a_client_of_http1(scene, origin):
    with scene.client(tls=False) as client:
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        head = origin.next().answer(ANSWER)
        response = client.read_response()

    assert lines(head, "Via") == ["Via: 1.1 gate"]
    assert len(lines(head, "Forwarded")) == 1
    assert response.status == 200
    assert [v for n, v in response.headers if n.lower() == "via"] == ["1.0 before", "1.1 gate"]
    origin.hang_up()

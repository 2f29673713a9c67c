"""A client that has said its last word still gets its answer."""

import pytest

from http1 import Closed
from origin import pattern


@pytest.mark.parametrize("path", ["/", "/?delay_ms=200", "/bytes/3000000", "/chunked/100000"])
def test_the_answer_comes_after_the_client_s_fin(site, path):
    sluice = site()

    with sluice.client(tls=False) as client:
        client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
        client.half_close()
        response = client.read_response()

        assert response.status == 200
        assert client.is_closed()
    if "bytes" in path:
        assert response.body == pattern(3_000_000)


def test_a_body_before_the_fin_arrives_whole(site):
    sluice = site()
    body = pattern(500_000)

    with sluice.client(tls=False) as client:
        client.send(f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n")
        client.send(body)
        client.half_close()

        assert client.read_response().body == body


def test_a_fin_in_the_middle_of_a_body_is_the_end_of_the_request(site):
    sluice = site()

    with sluice.client(tls=False) as client:
        client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
        client.half_close()
        try:
            assert client.read_response().status != 200
        except (Closed, ConnectionResetError):
            pass

    assert sluice.get().status == 200

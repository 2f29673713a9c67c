"""The origin does what it is told, so that the scenarios may rely on it."""

import hashlib

import pytest

from http1 import Client, Closed, get
from load import send
from origin import pattern
from waiting import wait_for


@pytest.fixture
def servers(origins):
    return origins(legacy=2, new=1)


def address(server):
    host, port = server.address.rsplit(":", 1)
    return host, int(port)


@pytest.mark.parametrize("path", ["/bytes/300000", "/chunked/300000", "/bytes/0", "/chunked/0"])
def test_a_body_has_the_pattern_and_the_length_asked_for(servers, path):
    response = get(address(servers["legacy"][0]), path)

    assert response.status == 200
    assert response.body == pattern(int(path.rsplit("/", 1)[1]))


def test_a_streamed_echo_begins_before_the_body_is_whole(servers):
    with Client(address(servers["legacy"][0])) as client:
        client.send("POST /stream-echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        head = client.read_head()
        client.send("def")

        assert head.status == 200
        assert client.read_until(b"0\r\n\r\n") == b"3\r\nabc\r\n3\r\ndef\r\n"


def test_an_echo_is_the_body_that_was_sent(servers):
    body = pattern(3_000_000)

    with Client(address(servers["legacy"][0])) as client:
        response = client.request("/echo", "POST", body=body)

    assert response.body == body
    assert response.get("x-body-sha256") == hashlib.sha256(body).hexdigest()


def test_trailers_of_a_chunked_request_are_told(servers):
    with Client(address(servers["legacy"][0])) as client:
        client.send("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nabc\r\n0\r\nX-One: 1\r\n\r\n")
        response = client.read_response()

    assert response.get("x-body-bytes") == "3"
    assert response.get("x-body-trailers") == "X-One: 1"


def test_trailers_of_a_response_are_sent(servers):
    response = get(address(servers["legacy"][0]), "/trailers")

    assert response.trailers == [("X-Trailer", "done")]


def test_requests_in_one_packet_are_answered_in_order(servers):
    with Client(address(servers["legacy"][0])) as client:
        client.send("GET /status/404 HTTP/1.1\r\n\r\nGET /bytes/5 HTTP/1.1\r\n\r\n")
        first, second = client.read_response(), client.read_response()

    assert (first.status, second.status, second.body_bytes) == (404, 200, 5)


@pytest.mark.parametrize("how", ["truncate=close", "truncate=reset", "garbage_percent=100",
                                 "reset_percent=100"])
def test_it_breaks_its_answers_when_told(servers, how):
    with pytest.raises((Closed, ConnectionResetError, ValueError)):
        get(address(servers["legacy"][0]), f"/bytes/100000?{how}")

    assert servers.total("failed", "legacy") == 1


@pytest.mark.parametrize("where", ["head", "body"])
def test_it_stalls_when_told(servers, where):
    with pytest.raises(TimeoutError):
        get(address(servers["legacy"][0]), f"/bytes/100000?stall={where}", timeout=0.3)


def test_it_fails_at_the_rate_that_one_pool_is_told(servers):
    servers.tell(name="new", fail_percent=30, status=500)

    bad = send(1000, address(servers["new"][0]))
    good = send(1000, address(servers["legacy"][0]))

    assert 220 < bad.by_status[500] < 380
    assert good.by_status == {200: 1000}


def test_health_is_told_apart_from_traffic(servers):
    servers.tell(name="new", health="down")

    assert get(address(servers["new"][0]), "/api/health").status == 503
    assert get(address(servers["new"][0]), "/").status == 200
    assert get(address(servers["legacy"][0]), "/api/health").status == 200
    assert servers.total("requests") == 1


def test_a_server_that_refuses_is_gone_and_comes_back(servers):
    server = servers["legacy"][0]
    with Client(address(server)) as client:
        assert client.request("/").status == 200

        server.refuse()

        assert client.is_closed()
    with pytest.raises(ConnectionRefusedError):
        get(address(server))
    server.accept()
    assert get(address(server)).status == 200


def test_an_idle_connection_is_closed_when_told(servers):
    servers.tell(close_idle_ms=50)
    with Client(address(servers["legacy"][0])) as client:
        assert client.request("/").status == 200
        assert client.is_closed()


def test_a_client_that_goes_away_is_counted(servers):
    client = Client(address(servers["legacy"][0]))
    client.send("GET /?stall=head HTTP/1.1\r\n\r\n")
    servers.wait_requests(1)

    client.close()

    wait_for(lambda: servers.total("gone") == 1, 5, "the origin sees the client go")


def test_the_raw_head_comes_back(servers):
    with Client(address(servers["legacy"][0])) as client:
        client.send("GET /headers HTTP/1.1\r\nHoSt:  odd\r\n\r\n")
        response = client.read_response()

    assert response.body == b"GET /headers HTTP/1.1\r\nHoSt:  odd\r\n\r\n"

"""A slow origin is waited for as long as the file says, and then told apart."""

import pytest

from http1 import Closed, timed
from origin import pattern

NO_RETRY = {"retry": {"attempts": 1}}


def test_a_head_that_does_not_come_is_504(site):
    sluice = site(timeouts={"response_head": "500ms"}, pools=NO_RETRY)

    response, seconds = timed(lambda: sluice.get("/?stall=head"))

    assert response.status == 504
    assert 0.4 < seconds < 5
    assert response.get("x-request-id", "").encode() in response.body


def test_a_body_in_small_pieces_arrives_whole(site):
    sluice = site(timeouts={"stream_idle": "2s"})

    response = sluice.get("/bytes/2000?trickle_ms=10&trickle_bytes=100")

    assert response.body == pattern(2000)


def test_a_body_that_stops_is_cut_off_and_never_looks_whole(site):
    sluice = site(timeouts={"stream_idle": "500ms"}, pools=NO_RETRY)

    with pytest.raises((Closed, ConnectionResetError)):
        sluice.get("/bytes/100000?stall=body")
    with pytest.raises((Closed, ConnectionResetError)):
        sluice.get("/chunked/100000?stall=body")


def test_a_slow_answer_of_new_is_not_made_twice(site):
    sluice = site(new_percent=100, timeouts={"response_head": "10s"})

    response = sluice.get("/?delay_ms=700")

    assert response.status == 200
    assert sluice.origins.total("requests") == 1


def test_an_origin_that_does_not_accept_is_503_or_502_and_not_a_hang(site):
    sluice = site(pools={"health": {"type": "tcp", "interval": "60s"}}, legacy=1)
    sluice.origins["legacy"][0].refuse()

    response, seconds = timed(lambda: sluice.get("/"))

    assert response.status in (502, 503)
    assert seconds < 5


def test_kept_connections_that_the_origin_closes_are_no_failure(site, send_requests):
    sluice = site()
    sluice.origins.tell(close_idle_ms=1)

    result = send_requests(sluice, 1_000, connections=4, rate=500)

    assert result.failures == []

"""Slow clients cost sluice little memory, and new is not blamed for them."""

import threading

from http1 import Closed
from origin import pattern
from settings import GUARD
from waiting import holds_for, wait_for


def test_clients_that_do_not_read_hold_only_bounded_buffers(site, is_sanitized):
    sluice = site(new_percent=100)
    before = sluice.rss_bytes()
    size = 16 << 20
    clients = [sluice.client(receive_buffer=4096) for _ in range(20)]
    for client in clients:
        client.send(f"GET /bytes/{size} HTTP/1.1\r\nHost: a\r\n\r\n")
    sluice.origins.wait_requests(20)

    patient = clients[0].read_response()

    assert patient.body == pattern(size)
    if not is_sanitized:
        assert sluice.rss_bytes() - before < 20 * 512 * 1024
    for client in clients:
        client.close()


def test_downloads_that_wait_hold_one_write_each_and_then_nothing(site, is_sanitized):
    sluice = site(new_percent=100)
    before = sluice.rss_bytes()
    size = 12 << 20
    clients = [sluice.client(receive_buffer=4096, timeout=60) for _ in range(64)]
    for client in clients:
        client.send(f"GET /bytes/{size} HTTP/1.1\r\nHost: a\r\n\r\n")
    sluice.origins.wait_requests(64)

    if not is_sanitized:
        holds_for(lambda: sluice.rss_bytes() - before < 64 * 128 * 1024, 2, "one write each")
    for client in clients:
        client.close()

    if not is_sanitized:
        wait_for(lambda: sluice.rss_bytes() - before < 3 << 20, 10, "memory goes back")


def test_a_head_that_takes_too_long_is_408(site):
    sluice = site(timeouts={"client_header": "500ms"})

    with sluice.client() as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        response = client.read_response()

        assert response.status == 408
        assert client.is_closed()


def test_a_body_that_stops_is_408_or_closed(site):
    sluice = site(timeouts={"client_body": "500ms"})

    with sluice.client() as client:
        client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
        try:
            assert client.read_response().status == 408
        except (Closed, ConnectionResetError):
            pass


def test_slow_uploads_are_no_latency_of_new(site, load):
    sluice = site(new_percent=100, guard={**GUARD, "p95_latency": "200ms"})
    pause = threading.Event()

    def upload():
        with sluice.client() as client:
            client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
            for _ in range(10):
                pause.wait(0.1)
                client.send("x")
            statuses.append(client.read_response().status)

    statuses = []
    threads = [threading.Thread(target=upload) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 60
    assert sluice.weight() == 100
    assert sluice.decisions("revert") == []


def test_idle_clients_are_closed_after_client_idle(site):
    sluice = site(timeouts={"client_idle": "300ms"})

    with sluice.client() as client:
        assert client.request("/").status == 200
        assert client.is_closed()

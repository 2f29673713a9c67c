"""Two thousand idle connections cost little and take nothing from the others."""

import resource
from concurrent.futures import ThreadPoolExecutor

import pytest

COUNT = 2_000


@pytest.fixture(autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_they_are_kept_cheaply_and_still_work(site, send_requests, is_sanitized):
    sluice = site(timeouts={"client_idle": "120s"})
    before = sluice.rss_bytes()

    def open_one(_):
        client = sluice.client(timeout=30)
        assert client.request("/").status == 200
        return client

    with ThreadPoolExecutor(16) as pool:
        clients = list(pool.map(open_one, range(COUNT)))
        per_connection = (sluice.rss_bytes() - before) / COUNT
        result = send_requests(sluice, 500)
        again = list(pool.map(lambda c: c.request("/").status, clients))

    assert result.failures == []
    assert again == [200] * COUNT
    if not is_sanitized:
        assert per_connection < 24 * 1024, f"{per_connection:.0f} bytes a connection"
    for client in clients:
        client.close()

"""What an origin cuts short never looks whole to the client, and counts against its pool."""

import pytest

from http1 import Closed
from settings import GUARD


@pytest.mark.parametrize("path", ["/bytes/100000", "/chunked/100000"])
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("tls", [True, False])
def test_the_client_can_tell(site, path, how, tls):
    sluice = site()

    with pytest.raises((Closed, ConnectionResetError)):
        sluice.get(f"{path}?truncate={how}", tls=tls)

    assert sluice.get().status == 200


def test_truncation_by_new_reverts(site, load):
    sluice = site(new_percent=50, guard=GUARD)
    load(sluice, connections=8, rate=300, path="/bytes/50000")
    sluice.origins.wait_requests(100, "new")

    sluice.origins.tell(name="new", truncate="close")

    sluice.wait_phase("reverted", deadline=15)


def test_a_reset_before_the_head_is_answered_by_another_try(site, send_requests):
    sluice = site(new_percent=0)
    sluice.origins["legacy"][0].tell(reset_percent=5)

    result = send_requests(sluice, 500)

    assert result.failures == []

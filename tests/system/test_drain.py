"""A signal to end lets what runs end well, takes nothing new, and exits 0."""

import signal
import threading

import pytest

from waiting import wait_for


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_request_in_flight_is_answered(site, by):
    sluice = site()
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(sluice.get("/?delay_ms=1500")))
    thread.start()
    sluice.origins.wait_requests(1)

    status = sluice.terminate(by=by)

    thread.join()
    assert status == 0
    assert [a.status for a in answers] == [200]
    with pytest.raises(OSError):
        sluice.get()


def test_under_load_no_answer_is_cut_short(site, load):
    sluice = site(new_percent=50)
    traffic = load(sluice, connections=8, path="/bytes/20000")
    wait_for(lambda: traffic.count() > 200, 10, "traffic")

    assert sluice.terminate() == 0

    broken = [s for s in traffic.stop().failures if "closed after" in (s.error or "")
              and "closed after 0" not in s.error]
    assert broken == []


def test_with_a_delay_it_says_that_it_leaves_before_it_refuses(site):
    sluice = site(start=False)
    sluice.config["timeouts"] = {"drain_delay": "3s"}
    sluice.start()

    sluice.signal(signal.SIGTERM)
    wait_for(lambda: sluice.admin("/readyz")[0] == 503, 2, "not ready")
    served = sluice.get().status

    assert served == 200
    wait_for(lambda: not sluice.is_alive(), 20, "the end")
    assert "not ready any more" in sluice.log()

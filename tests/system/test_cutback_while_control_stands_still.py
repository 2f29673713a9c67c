"""A cutback by signal takes effect on the data threads even while control does nothing."""

import signal
import time

import pytest

import standstill
from waiting import wait_for


@pytest.mark.skipif(not standstill.is_possible(), reason="needs x86-64's registers")
def test_the_data_threads_need_no_control_thread(site, load):
    sluice = site(new_percent=50)
    traffic = load(sluice, connections=8)
    sluice.origins.wait_requests(200, "new")

    with standstill.main_thread_stands_still(sluice.pid):
        with pytest.raises(TimeoutError):
            sluice.admin("/healthz", timeout=1)
        before = traffic.result().by_server["new"]
        wait_for(lambda: traffic.result().by_server["new"] > before + 50, 10, "new has traffic")
        moment = time.monotonic()
        sluice.signal(signal.SIGUSR1)
        wait_for(lambda: len(traffic.result().after(moment)) > 500, 20, "traffic goes on")
        late = [s for s in traffic.result().after(moment + 0.1).samples if s.server == "new"]

    assert late == []
    sluice.wait_phase("cutback", deadline=5)
    assert traffic.stop().failures == []

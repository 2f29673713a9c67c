"""A process that has no descriptor or memory left for clients still obeys its operator."""

import contextlib
import socket
import subprocess
import threading
import time

import pytest

import settings
from sluice import SLUICE_BIN
from waiting import wait_for


@pytest.fixture
def full(origins, sluice):
    """full(prlimit's option): a sluice with so much and no more."""
    servers = origins(legacy=1, new=1)

    def make(*limits, **changes):
        instance = sluice({"legacy": servers["legacy"], "new": servers["new"]},
                          {"api": settings.migration(50)}, **changes)
        instance.wrapper = ["prlimit", *limits]
        instance.origins = servers
        return instance

    return make


@contextlib.contextmanager
def idle_clients(sluice, n):
    """n connections that have asked for nothing."""
    host, port = str(sluice.plain).rsplit(":", 1)
    with contextlib.ExitStack() as stack:
        def one():
            s = stack.enter_context(socket.socket())
            s.settimeout(10)
            s.connect((host, int(port)))
            return s

        yield [one() for _ in range(n)]


def new_served_after_cutback(sluice):
    """Cuts back; how many requests new then got, while others go on."""
    begin = time.monotonic()
    sluice.ctl("cutback", "api")
    took = time.monotonic() - begin
    before = sluice.origins.total("requests", "new")
    wait_for(lambda: sluice.get(tls=False).status == 200, 10, "traffic goes on")
    for _ in range(20):
        assert sluice.get(tls=False).status == 200
    print(f"cutback took {took * 1000:.0f} ms")
    return sluice.origins.total("requests", "new") - before


def test_three_hundred_clients_and_so_few_descriptors(full):
    sluice = full("--nofile=120").start()
    sluice.origins.calm()

    with idle_clients(sluice, 300):
        assert "api" in sluice.ctl("status")
        assert sluice.get(tls=False).status == 200, "an idle one makes room"
        assert new_served_after_cutback(sluice) == 0
        metrics = sluice.metrics()
        assert metrics["sluice_limit_idle_closed_total"] > 0
        assert metrics["sluice_limit_accept_paused_total"] > 0
        assert sluice.fds() < 120

    assert "cannot accept" not in sluice.log(), "the system never had to say no"


def test_busy_clients_are_not_closed_for_others(full):
    sluice = full("--nofile=120").start()
    sluice.origins.tell(delay_ms=1000)
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(sluice.client(tls=False)) for _ in range(8)]
        for client in busy:
            client.send("GET /busy HTTP/1.1\r\nHost: x\r\n\r\n")

        with idle_clients(sluice, 200):
            assert [client.read_response().status for client in busy] == [200] * 8


def test_too_few_are_refused_in_a_sentence(full):
    sluice = full("--nofile=19")

    sluice.start(ready=False)

    assert sluice.process.wait(20) == 1
    sluice.process = None
    assert "19 descriptors" in sluice.log()
    assert "LimitNOFILE=" in sluice.log()


def test_who_may_have_how_many_is_logged(full):
    sluice = full("--nofile=120").start()

    assert "descriptors limit=120 clients=" in sluice.log()


# --- memory -------------------------------------------------------------------

MIB = 1 << 20


@contextlib.contextmanager
def h2_load(sluice, path="/bytes/100000"):
    """Many connections over TLS with many streams, again and again until the end."""
    stop = threading.Event()

    def run():
        while not stop.is_set():
            subprocess.run(["h2load", "-c", "300", "-m", "100", "-n", "6000", "-T", "3",
                            "-N", "3", f"https://{sluice.web}{path}"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("bytes_of_addresses", range(26 * MIB, 40 * MIB, 2 * MIB))
def test_a_start_with_too_few_addresses_ends_in_a_sentence(full, bytes_of_addresses, is_sanitized):
    if is_sanitized:
        pytest.skip("a sanitizer needs terabytes of addresses")
    sluice = full(f"--as={bytes_of_addresses}")

    sluice.start(ready=False)
    wait_for(lambda: "msg=ready" in sluice.log() or sluice.process.poll() is not None, 20,
             "it serves, or says why not")

    if sluice.process.poll() is not None:
        assert sluice.process.returncode in (1, 127), "an exit, the loader's is 127; no signal"
        assert sluice.log().splitlines()[-1].startswith(("sluice: ", str(SLUICE_BIN)))
        sluice.process = None


@pytest.mark.parametrize("bytes_of_addresses", [120 * MIB, 200 * MIB])
def test_a_load_that_takes_all_memory_leaves_the_operator_what_he_needs(
        full, bytes_of_addresses, is_sanitized, send_requests):
    if is_sanitized:
        pytest.skip("a sanitizer needs terabytes of addresses")
    sluice = full(f"--as={bytes_of_addresses}").start()
    sluice.origins.calm()

    with h2_load(sluice):
        wait_for(lambda: "memory is short" in sluice.log(), 30, "all memory is taken")
        for _ in range(20):
            assert "api" in sluice.ctl("status")
        sluice.ctl("cutback", "api")
        sluice.reload()

    wait_for(lambda: sluice.get(tls=False).status == 200, 10, "it serves again")
    result = send_requests(sluice, 50)
    assert dict(result.by_server) == {"legacy": 50}, result
    assert sluice.process.poll() is None

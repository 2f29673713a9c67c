"""Streams of gRPC live through every move of the weight; when new is given up, they leave it as
the migration's `on_revert` says, and their clients find legacy by themselves."""

import contextlib
import threading
import time

import pytest

import h2_scene
import settings
from grpc_peers import Client, Code, Crowd, Server, server_of
from scripted import Counts, outcome, side
from settings import migration
from waiting import PATIENCE, holds_for, wait_for

CROWD, RATE = 20, 20
UNCHECKED = {"health": None, "eject": {"failures": 1000}}


@contextlib.contextmanager
def shifting(certs, percent, policy, **more):
    """New's streams leave at RATE a second, where they must, within a second."""
    servers = {name: Server(name) for name in ("legacy", "new")}
    pools = {name: settings.pool([server], protocol="h2", **UNCHECKED)
             for name, server in servers.items()}
    api = migration(percent, tunnels={"on_revert": policy, "drain_rate": RATE}, **more)
    with h2_scene.running(certs, pools, {"api": api}, timeouts={"drain": "1s"}) as sluice:
        sluice.legacy, sluice.new = servers["legacy"], servers["new"]
        yield sluice
    for server in servers.values():
        server.stop()


@contextlib.contextmanager
def talking(sluice, n=CROWD, server="new"):
    people = Crowd(sluice.web.address, sluice.ca, n)
    try:
        wait_for(lambda: len(people.now_at) == n, 20, f"{n} streams")
        assert server is None or people.at(server) == n
        yield people
    finally:
        people.stop()
    assert people.wrong == []


def call_goes_to(sluice):
    with Client(sluice.web.address, sluice.ca) as one:
        return server_of(one.call()[1])


def test_cutback_with_stay(certs):
    with shifting(certs, 100, "stay") as sluice, talking(sluice) as people:
        sluice.ctl("cutback", "api")

        holds_for(lambda: people.at("new") == CROWD, 2, "they stay, whatever timeouts.drain is")
        assert people.ends == [] and call_goes_to(sluice) == "legacy"


def test_cutback_with_drain(certs, record_property):
    """Each connection gets a GOAWAY in its turn; what does not end by itself within
    timeouts.drain is ended so that its client may repeat it."""
    with shifting(certs, 100, "drain") as sluice, talking(sluice) as people:
        counts = Counts(sluice)
        start = time.monotonic()
        sluice.ctl("cutback", "api")

        wait_for(lambda: not sluice.new.talking, 20, "new has none left", every=0.01)
        took = time.monotonic() - start
        wait_for(lambda: people.at("legacy") == CROWD, 20, "all have come back")
        record_property("seconds until new has none", round(took, 3))
        record_property("seconds between the first and the last end",
                        round(people.ends[-1][0] - people.ends[0][0], 3))
        assert people.codes() == {Code.UNAVAILABLE} and len(people.ends) == CROWD
        assert 1 + 0.5 * CROWD / RATE < took < (1 + 2 * CROWD / RATE + 1) * PATIENCE
        assert people.ends[0][0] - start > 0.9, "they had timeouts.drain to end by themselves"
        assert counts.rise(side("attempt_errors_total"), outcome("grpc")) == 0, "no pool's fault"


def test_what_ends_by_itself_within_the_drain_ends_well(certs):
    with shifting(certs, 100, "drain") as sluice, \
            Client(sluice.web.address, sluice.ca) as client:
        talk = client.talk()
        assert talk.ask(b"hello") == b"hello"
        sluice.ctl("cutback", "api")
        assert server_of(client.call()[1]) == "legacy", "another connection, another pool"

        assert talk.ask(b"on") == b"on"
        assert talk.end() == ([], Code.OK)


def test_a_resume_in_time_lets_them_stay(certs):
    with shifting(certs, 100, "drain") as sluice, talking(sluice, 5) as people:
        sluice.ctl("cutback", "api")
        sluice.ctl("resume", "api")

        holds_for(lambda: people.at("new") == 5, 2, "they stay")
        assert people.ends == []


def test_cutback_with_cut(certs, record_property):
    with shifting(certs, 100, "cut") as sluice, talking(sluice) as people:
        counts = Counts(sluice)
        start = time.monotonic()
        sluice.ctl("cutback", "api")

        wait_for(lambda: not sluice.new.talking, 5, "new has none left", every=0.005)
        record_property("seconds until new has none", round(time.monotonic() - start, 3))
        wait_for(lambda: people.at("legacy") == CROWD, 20, "all have come back")
        assert people.codes() == {Code.UNAVAILABLE} and len(people.ends) == CROWD
        assert counts.rise(side("attempt_errors_total")) == 0, "no pool's fault"


def test_a_hard_cutback_ends_what_stays(certs):
    with shifting(certs, 100, "stay") as sluice, talking(sluice) as people:
        sluice.ctl("cutback", "api")
        sluice.ctl("cutback", "api", "--hard")

        wait_for(lambda: not sluice.new.talking, 5, "new has none left")
        wait_for(lambda: people.at("legacy") == CROWD, 20, "all have come back")
        assert people.codes() == {Code.UNAVAILABLE}


def call_more_than_its_window(client):
    """A call whose answer waits for the client, which holds its window."""
    stream = client.open("/test/Count", "POST", [("content-type", "application/grpc"),
                                                 ("te", "trailers")])
    stream.send(b"\0\0\0\0\x06100000", end=True)
    client.wait(lambda: len(stream.body) == 65_535, "a full window")
    return stream


def test_what_is_on_its_way_when_a_call_is_cut_arrives_with_its_end(certs):
    with shifting(certs, 100, "cut") as sluice, h2_scene.client(sluice, hold=True) as client:
        stream = call_more_than_its_window(client)
        sluice.ctl("cutback", "api")
        holds_for(lambda: not stream.is_reset, 0.3, "it may still take what is its")

        client.hold = False
        for one in (None, stream.id):
            client.h2.increment_flow_control_window(1 << 20, one)
        client.flush()

        client.wait(lambda: stream.ended, "its end")
        assert ("grpc-status", "14") in stream.result.trailers


def test_a_client_that_reads_nothing_is_cut_all_the_same(certs):
    with shifting(certs, 100, "cut") as sluice, h2_scene.client(sluice, hold=True) as client:
        stream = call_more_than_its_window(client)
        sluice.ctl("cutback", "api")

        client.wait(lambda: stream.is_reset, "its end")


@pytest.mark.parametrize("policy", ["stay", "drain", "cut"])
def test_a_revert_does_the_same(certs, policy):
    """Calls of new begin to fail; its streams go on until they are told to leave."""
    guard = {"error_rate": 5.0}
    with shifting(certs, 50, policy, guard=guard) as sluice, talking(sluice, server=None) as people:
        before = people.at("new")
        assert before == CROWD // 2
        sluice.new.status = Code.UNAVAILABLE
        stop = threading.Event()
        thread = threading.Thread(target=call_until, args=(sluice, stop))
        thread.start()
        try:
            sluice.wait_phase("reverted", deadline=20)
        finally:
            stop.set()
            thread.join()
        if policy == "stay":
            holds_for(lambda: people.at("new") == before, 1.5, "they stay")
            return
        wait_for(lambda: not sluice.new.talking, 10, "new has none left")
        wait_for(lambda: people.at("legacy") == CROWD, 20, "all are at legacy")
        assert people.codes() == {Code.UNAVAILABLE}


def call_until(sluice, stop):
    with Client(sluice.web.address, sluice.ca) as one:
        while not stop.is_set():
            one.status()

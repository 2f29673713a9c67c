"""Tunnels live through every move of the weight; when new is given up, they leave it as the
migration's `on_revert` says: not at all, one after the other, or at once."""

import signal
import struct
import time

import pytest

import ws
import ws_scene
from http1 import client_context
from scripted import Origin, side
from waiting import PATIENCE, holds_for, wait_for

CROWD, RATE = 40, 20
POLITE = {ws.RESTART, ws.GOING_AWAY}


@pytest.fixture
def crowd():
    """crowd(sluice, n): clients on TLS that come back."""
    started = []

    def gather(sluice, n=CROWD, **options):
        context = client_context(sluice.ca)
        url = f"wss://localhost:{sluice.web.number}/echo"
        started.append(ws.Crowd(url, n, context, **options))
        return started[-1]

    yield gather
    for one in started:
        one.stop()


def tunnels(policy, rate=RATE):
    return {"tunnels": {"on_revert": policy, "drain_rate": rate}}


def numbers(sluice, pool="new"):
    return sluice.status()["pools"][pool]["tunnels"]


def test_tunnels_and_what_passes_are_counted(certs):
    fragments = (ws.masked(ws.TEXT, b"on", fin=False) + ws.masked(ws.CONTINUE, b"e ", fin=False) +
                 ws.masked(ws.CONTINUE, b"message"))
    with ws_scene.migrating(certs, 100) as sluice:
        clients = [ws.by_hand(sluice, tls) for tls in (True, False, True)]
        for client in clients:
            client.upgrade()
            client.echo(b"hello")
        clients[0].send(fragments)
        assert clients[0].read_frame().payload == b"one message"

        wait_for(lambda: numbers(sluice)["messages_out"] == 4, 5, "all are counted")
        seen = numbers(sluice)
        assert (seen["open"], seen["opened"], seen["messages_in"]) == (3, 3, 4)
        assert seen["bytes_in"] >= 3 * 5 + 11
        assert numbers(sluice, "legacy")["opened"] == 0
        metrics = sluice.metrics()
        assert metrics[side("tunnels_open")] == 3
        assert metrics[side("tunnel_received_messages_total")] == 4
        assert metrics[side("tunnel_sent_bytes_total")] == seen["bytes_out"]
        for client in clients:
            client.close()
        wait_for(lambda: numbers(sluice)["open"] == 0, 5, "none is left")
        assert numbers(sluice)["broken"] == 0


def test_no_weight_breaks_a_tunnel(certs, crowd):
    with ws_scene.migrating(certs, 0, workers=2) as sluice:
        early = crowd(sluice, 20, talk_every=0.02)
        assert early.at("legacy") == 20
        for percent in (50, 100):
            sluice.ctl("weight", "api", percent)
        late = crowd(sluice, 20, talk_every=0.02)
        assert late.at("new") == 20
        for percent in (30, 0):
            sluice.ctl("weight", "api", percent)

        holds_for(lambda: not early.seen("close") + late.seen("close"), 1.0, "all go on")
        assert (early.at("legacy"), late.at("new")) == (20, 20)
        assert early.wrong + late.wrong + early.seen("failed") + late.seen("failed") == []


def test_cutback_with_stay(certs, crowd):
    with ws_scene.migrating(certs, 100, api=tunnels("stay")) as sluice:
        people = crowd(sluice)
        sluice.ctl("cutback", "api")

        holds_for(lambda: people.at("new") == CROWD, 1.5, "they stay")
        with ws.by_hand(sluice) as newcomer:
            assert newcomer.upgrade().server == "legacy"

        sluice.ctl("cutback", "api", "--hard")
        wait_for(lambda: people.at("legacy") == CROWD, 10, "all have come back")
        assert "hard" in sluice.decisions("cutback")[-1]["reason"], "the journal tells"
        assert sluice.status()["hard"]
        sluice.ctl("resume", "api")
        assert not sluice.status()["hard"]
        assert sluice.new.count() == 0
        assert numbers(sluice)["cut"] == CROWD


def test_cutback_with_cut(certs, crowd, record_property):
    with ws_scene.migrating(certs, 100, api=tunnels("cut")) as sluice:
        people = crowd(sluice)
        start = time.monotonic()
        sluice.ctl("cutback", "api")

        wait_for(lambda: sluice.new.count() == 0, 2, "new has none left", every=0.005)
        record_property("seconds until new has none", round(time.monotonic() - start, 3))
        wait_for(lambda: people.at("legacy") == CROWD, 10, "all have come back")
        assert len(people.seen("close")) == CROWD
        assert numbers(sluice)["cut"] == CROWD


def test_cutback_with_drain(certs, crowd, record_property):
    with ws_scene.migrating(certs, 100, api=tunnels("drain")) as sluice:
        people = crowd(sluice)
        start = time.monotonic()
        sluice.ctl("cutback", "api")

        wait_for(lambda: sluice.new.count() == 0, 10, "new has none left", every=0.005)
        took = time.monotonic() - start
        wait_for(lambda: people.at("legacy") == CROWD, 10, "all have come back")
        busiest = people.busiest("open", 1.0, after=start)
        record_property("seconds until new has none", round(took, 3))
        record_property("most that came back within a second", busiest)
        assert {e.code for e in people.seen("close")} <= POLITE
        assert len(people.seen("close")) == CROWD, "nobody was told twice"
        assert numbers(sluice)["drained"] == CROWD
        assert 0.5 * CROWD / RATE < took < (2 * CROWD / RATE + 1) * PATIENCE
        assert busiest <= 1.5 * RATE + 3
        assert people.seen("failed") == [] and people.wrong == []


def test_a_revert_drains_too(certs, crowd):
    """Tunnels to new begin to break; those that work leave it as well."""
    api = {**tunnels("drain", 100), "guard": {"error_rate": 5.0}}
    with ws_scene.migrating(certs, 50, api=api) as sluice:
        people = crowd(sluice)
        assert people.at("new") == CROWD // 2
        sluice.new.breaks = True

        with ws_scene.coming_and_going(sluice):
            sluice.wait_phase("reverted", deadline=15)
        wait_for(lambda: sluice.new.count() == 0, 5, "new has none left")
        wait_for(lambda: people.at("legacy") == CROWD, 10, "all have come back")
        assert {e.code for e in people.seen("close")} <= POLITE


def test_a_close_waits_for_the_end_of_the_frame(certs):
    new = Origin()
    with ws_scene.migrating(certs, 100, new=new, api=tunnels("drain")) as sluice, \
            ws.by_hand(sluice) as client:
        client.send(ws.request())
        up = new.next()
        up.read_head()
        up.send(ws.SWITCHING)
        assert client.read_head().status == 101
        message = ws.frame(ws.BINARY, bytes(1000))
        up.send(message[:500])
        assert client.take(500) == message[:500]

        sluice.ctl("cutback", "api")
        client.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.take(1)
        client.socket.settimeout(10 * PATIENCE)
        up.send(message[500:])
        assert client.take(504) == message[500:]
        assert ws.code_of(client.read_frame()) in POLITE


def test_who_does_not_answer_a_close_is_closed(certs):
    with ws_scene.migrating(certs, 100, api=tunnels("drain")) as sluice, \
            ws.by_hand(sluice) as client:
        client.upgrade()
        sluice.ctl("cutback", "api")

        assert ws.code_of(client.read_frame()) in POLITE
        wait_for(lambda: sluice.new.count() == 0, 10, "the server is rid of it")


def test_the_end_of_sluice_is_told(certs):
    with ws_scene.migrating(certs, 50, timeouts={"drain": "5s"}) as sluice:
        clients = [ws.by_hand(sluice, tls) for tls in (True, False) * 3]
        for client in clients:
            client.upgrade()
        sluice.signal(signal.SIGTERM)

        for client in clients:
            got = client.read_frame()
            assert ws.code_of(got) in POLITE
            client.send(ws.masked(ws.CLOSE, struct.pack(">H", ws.code_of(got))))
        wait_for(lambda: not sluice.is_alive(), 5, "sluice has ended")
        for client in clients:
            client.close()

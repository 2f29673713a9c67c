"""The HTTP/2 connections to a pool outlive reloads, drain with their servers, and are shared
without one request holding up another."""

import pathlib
import socket

import grpc

import h2_scene
from grpc_peers import Client, Server
from h2_origin import H2Origin
from origin import pattern
from test_h2_upstream import behind, pool
from waiting import wait_for

CHUNKED = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_reloads_keep_the_connection(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin) as sluice, h2_scene.client(sluice) as client:
        for seconds in range(60, 65):
            assert client.request("/").status == 200
            sluice.reload(timeouts={"client_idle": f"{seconds}s"})
        assert client.request("/").status == 200
        assert origin.accepted == 1


def test_a_server_that_leaves_answers_what_it_has_and_gets_no_more(certs):
    leaves, stays = H2Origin("legacy"), H2Origin("legacy")
    with behind(certs, leaves, stays) as sluice, h2_scene.client(sluice) as client:
        slow = [client.get("/slow/1500") for _ in range(6)]
        wait_for(lambda: len(leaves.requests) + len(stays.requests) == 6, 5, "all are asked")
        asked = len(leaves.requests)
        assert asked > 0

        sluice.reload(pools={"legacy": pool(stays)})

        assert all(client.request("/").status == 200 for _ in range(5))
        assert all(stream.response().status == 200 for stream in slow)
        wait_for(lambda: not leaves.connections, 5, "its connection is closed")
        assert len(leaves.requests) == asked


def more_than_a_socket_takes():
    """Bytes: twice what this kernel ever keeps for a peer that reads nothing."""
    return 2 * int(pathlib.Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])


def test_clients_that_read_nothing_hold_up_nobody(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin) as sluice:
        stalled = []
        for _ in range(20):
            stalled.append(socket.create_connection(sluice.plain.address))
            stalled[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled[-1].sendall(
                f"GET /bytes/{more_than_a_socket_takes()} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        origin.wait_requests(20)

        for _ in range(5):
            assert h2_scene.get(sluice, "/bytes/300000").body == pattern(300_000)

        for one in stalled:
            one.close()
        wait_for(lambda: sluice.metrics()["sluice_requests_open"] == 0, 10, "they are gone")
        assert h2_scene.get(sluice).status == 200
        assert origin.accepted == 1


def test_many_clients_share_what_streams_there_are(certs):
    origin = H2Origin("legacy", streams=10)
    with behind(certs, origin) as sluice:
        load = h2_scene.H2load(sluice, "--h1", connections=300, streams=1, requests=3_000)
        assert load.wait() == (3_000, 0)
        assert origin.accepted <= 16


def test_trailers_of_a_request(certs):
    origin = H2Origin("legacy")
    with behind(certs, origin) as sluice:
        for body, length in (("5\r\nhello\r\n", b"5\n"), ("", b"0\n")):
            with sluice.client(tls=False) as client:
                client.send(CHUNKED + body + "0\r\nX-Sum: 7\r\n\r\n")
                assert client.read_response().body == length
            assert origin.requests[-1].trailers == [("x-sum", "7")]


def test_a_stream_of_small_messages_at_full_speed_both_ways(certs):
    """Peers answer each message with two window updates: that is no flood, on either side."""
    server = Server("legacy")
    with h2_scene.running(certs, {"legacy": pool(server)}) as sluice, \
            Client(sluice.plain.address) as client:
        talk = client.channel.stream_stream("/test/Talk")
        said = [b"%d" % n for n in range(20_000)]
        try:
            heard = list(talk(iter(said), timeout=60))
        except grpc.RpcError as problem:
            raise AssertionError(f"{problem.code()}: {problem.details()}") from problem
        assert heard == said
    server.stop()

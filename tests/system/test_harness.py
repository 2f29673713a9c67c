"""The harness itself: a cluster that can be stopped, ports kept, configurations written."""

import socket

import pytest

import settings
from ports import ReservedPort
from waiting import DeadlinePassed, wait_for


def test_a_cluster_stops_and_starts_with_its_rows(postgres):
    postgres.query("select 1 as one")
    postgres.stop()
    with pytest.raises(AssertionError):
        postgres.query("select 1 as one")

    postgres.start()

    assert postgres.query("select 1 as one") == [{"one": 1}]


def test_a_reserved_port_can_be_listened_on():
    port = ReservedPort()
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(port.address)
        server.listen()
        with socket.create_connection(port.address, 2):
            server.accept()[0].close()
    port.close()


def test_a_wait_ends_at_its_deadline():
    with pytest.raises(DeadlinePassed, match="the moon"):
        wait_for(lambda: False, 0.05, "the moon")


def test_a_configuration_is_written_in_libconfig_syntax():
    text = settings.render({"workers": 2, "a": {"b": ["x", "y"], "c": [{"d": 1.5}], "e": True}})

    assert text == ('workers = 2;\na = {\n  b = [ "x", "y" ];\n  c = (\n    {\n      d = 1.5;\n'
                    '    }\n  );\n  e = true;\n};\n')


def test_changes_are_laid_over_group_by_group():
    base = {"a": {"b": 1, "c": 2}, "d": [1]}

    assert settings.merged(base, {"a": {"b": 3}, "d": [2]}) == {"a": {"b": 3, "c": 2}, "d": [2]}
    assert base["a"]["b"] == 1

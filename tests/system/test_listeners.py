"""TLS with several certificates, plain HTTP, and the redirect to HTTPS."""

import contextlib
import socket
import ssl
import subprocess

import pytest

import process
import scripted
from http1 import Client
from ports import ReservedPort


@pytest.fixture
def more_certs(certs):
    for name, options in (("other", []), ("old", ["--rsa"])):
        subprocess.run([str(process.REPO / "certs/make.sh"), str(certs), "--cert", name,
                        "--name", f"{name}.test", *options], check=True)
    return certs


def names_of(client):
    return {value for _, value in client.socket.getpeercert()["subjectAltName"]}


@pytest.mark.parametrize("asked, given", [
    ("other.test", "other.test"), ("old.test", "old.test"), ("localhost", "localhost")])
def test_the_name_chooses_the_certificate(site, more_certs, asked, given):
    sluice = site(start=False)
    sluice.config["listeners"][0]["tls"]["certificates"] += [
        {"cert": str(more_certs / f"{n}.pem"), "key": str(more_certs / f"{n}.key")}
        for n in ("other", "old")]
    sluice.start()

    with sluice.client(name=asked) as client:
        assert given in names_of(client)
        assert client.request("/").status == 200


def test_tls_1_2_and_1_3_are_spoken_and_1_1_is_not(site):
    sluice = site()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=str(sluice.ca))
        context.minimum_version = context.maximum_version = version
        with Client(sluice.web.address, context) as client:
            assert client.request("/").status == 200
    context = ssl.create_default_context(cafile=str(sluice.ca))
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        Client(sluice.web.address, context)


def test_on_a_unix_socket_a_missing_host_has_a_name_too(sluice):
    with scripted.origins() as origin, contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        server = sluice({"legacy": scripted.pool(origin)})
        path = f"{server.folder}/web.sock"
        server.config["listeners"].append({"name": "local", "address": f"unix:{path}"})
        server.start()
        client.settimeout(10)
        client.connect(path)
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")

        assert "\r\nHost: localhost\r\n" in origin.next().answer()
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_plain_text_on_the_tls_port_is_closed_and_harms_nobody(site):
    sluice = site()

    with Client(sluice.web.address) as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            client.socket.recv(65536)
        except ConnectionResetError:
            pass

    assert sluice.get().status == 200


def test_a_new_certificate_is_served_after_a_reload(site, more_certs):
    sluice = site()
    listeners = [dict(entry) for entry in sluice.config["listeners"]]
    listeners[0]["tls"] = {"certificates": [{"cert": str(more_certs / "other.pem"),
                                             "key": str(more_certs / "other.key")}]}

    sluice.reload(listeners=listeners)

    with sluice.client(name="other.test") as client:
        assert "other.test" in names_of(client)


def test_a_listener_that_was_taken_out_may_come_back_at_once(site):
    """Though its old sockets still empty their queues."""
    sluice = site()
    both = [dict(entry) for entry in sluice.config["listeners"]]

    assert sluice.reload(listeners=both[:1])["action"] == "reload"
    assert sluice.reload(listeners=both)["action"] == "reload"

    assert sluice.get(tls=False).status == 200


def test_the_redirect_goes_to_https(site):
    port = ReservedPort()
    sluice = site(start=False)
    sluice.config["listeners"].append(
        {"name": "redirect", "address": str(port), "redirect": f"https:{sluice.web.number}"})
    sluice.start()

    with Client(port.address, name="demo.sluice.test") as client:
        response = client.request("/a/b?c=d")

    assert response.status in (301, 308)
    assert response.get("location") == f"https://demo.sluice.test:{sluice.web.number}/a/b?c=d"
    port.close()

"""What TLS refuses, which certificate of a pair is shown, staples, clients with
certificates, and TLS to servers that ask for one."""

import contextlib
import re
import ssl
import subprocess
import threading

import pytest

import process
from http1 import Client
from waiting import wait_for


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run([str(process.REPO / "tests/support/tls_files.sh"), str(folder)], check=True)
    return folder


def pair(files, **more):
    return {"certificates": [
        {"cert": str(files / "demo.pem"), "key": str(files / "demo.key")},
        {"cert": str(files / "pair.pem"), "key": str(files / "pair.key"), **more},
        {"cert": str(files / "pair-rsa.pem"), "key": str(files / "pair-rsa.key")}]}


@pytest.fixture
def tls_site(site, files):
    """A site whose TLS listener is as given, with the certificates of files."""

    def make(**tls):
        sluice = site(start=False)
        sluice.ca = files / "ca.pem"
        sluice.config["listeners"][0]["tls"] = {**pair(files), **tls}
        return sluice.start()

    return make


def s_client(sluice, *options, send=b""):
    """What openssl s_client says of the listener."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", str(sluice.web), "-CAfile",
         str(sluice.ca), *options], input=send, capture_output=True, timeout=20, check=False)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def agreed(sluice, *options):
    status, text = s_client(sluice, *options)
    return status == 0 and "Cipher is (NONE)" not in text


# What is refused.

@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PRI"])
def test_http_without_tls_is_told_so(tls_site, method):
    sluice = tls_site()
    failures = sluice.metrics()["sluice_handshake_failures_total"]

    with Client(sluice.web.address) as client:
        client.send(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n")
        response = client.read_response()

        assert (response.status, response.get("connection")) == (400, "close")
        assert b"https://" in response.body
        assert client.is_closed()
    assert sluice.metrics()["sluice_handshake_failures_total"] == failures + 1


@pytest.mark.parametrize("options", [
    ["-tls1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
    ["-tls1_2", "-cipher", "AES128-SHA:AES256-GCM-SHA384"],
    ["-tls1_2", "-cipher", "ECDHE+SHA:ECDHE+SHA384"],
    ["-tls1_2", "-cipher", "DHE:ADH:AECDH:@SECLEVEL=0"],
    ["-tls1_2", "-cipher", "NULL:eNULL:@SECLEVEL=0"],
    ["-tls1_2", "-cipher", "3DES:RC4:CAMELLIA:ARIA:@SECLEVEL=0"],
    ["-tls1_2", "-cipher", "PSK:SRP"],
    ["-groups", "secp521r1"], ["-groups", "ffdhe2048"],
], ids=" ".join)
def test_the_old_and_the_weak_is_refused(tls_site, options):
    assert not agreed(tls_site(), *options)


@pytest.mark.parametrize("options", [
    ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
    ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
    ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
    ["-groups", "X25519"], ["-groups", "P-256"],
], ids=" ".join)
def test_the_modern_is_spoken(tls_site, options):
    assert agreed(tls_site(), *options)


def test_nothing_is_compressed_and_nothing_negotiated_again(tls_site):
    sluice = tls_site()

    _, text = s_client(sluice, "-tls1_2", "-comp", send=b"R\n")

    assert "Compression: NONE" in text
    assert "Secure Renegotiation IS supported" in text
    assert "RENEGOTIATING" in text and re.search("no renegotiation|handshake failure", text)
    assert sluice.get().status == 200


def test_the_order_of_suites_is_ours(tls_site):
    _, text = s_client(tls_site(), "-tls1_2", "-cipher",
                       "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384")

    assert "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384" in text


@pytest.mark.parametrize("options, suite", [
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"],
     "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"],
     "TLS_AES_128_GCM_SHA256"),
], ids=["1.2", "1.3"])
def test_the_suite_that_costs_least_comes_first(tls_site, options, suite):
    _, text = s_client(tls_site(), *options)

    assert f"Cipher is {suite}" in text


# Certificates.

@pytest.mark.parametrize("algorithms, subject", [
    ("ECDSA+SHA256:RSA-PSS+SHA256", "pair"), ("RSA-PSS+SHA256", "pair-rsa")])
def test_the_client_gets_the_certificate_that_it_can_verify(tls_site, algorithms, subject):
    _, text = s_client(tls_site(), "-servername", "pair.test", "-sigalgs", algorithms)

    assert f"subject=CN = {subject}.sluice.test" in text
    assert "Verification: OK" in text


def staple(sluice):
    _, text = s_client(sluice, "-servername", "pair.test", "-status")
    return "Cert Status: good" in text


def test_a_staple_comes_and_goes_with_a_reload(site, files, tmp_path):
    place = tmp_path / "word.ocsp"
    sluice = site(start=False)
    sluice.ca = files / "ca.pem"
    sluice.config["listeners"][0]["tls"] = pair(files, ocsp=str(place))
    sluice.start()
    assert not staple(sluice)
    assert "OCSP staple is not served" in sluice.log()

    place.write_bytes((files / "pair.ocsp").read_bytes())
    assert sluice.hup()["action"] == "reload"
    assert staple(sluice)

    place.write_bytes(b"nonsense")
    assert sluice.hup()["action"] == "reload"
    assert not staple(sluice)
    assert sluice.get().status == 200


# Clients with certificates.

def context_of(sluice, files, name=None):
    context = ssl.create_default_context(cafile=str(sluice.ca))
    context.set_alpn_protocols(["http/1.1"])
    if name:
        context.load_cert_chain(str(files / f"{name}.pem"), str(files / f"{name}.key"))
    return context


def is_served(sluice, files, name=None):
    """With TLS 1.3 a client learns of its refusal when it reads."""
    try:
        with Client(sluice.web.address, context_of(sluice, files, name)) as client:
            return client.request("/").status == 200
    except (OSError, EOFError, AssertionError):
        return False


def failed_handshakes(sluice):
    return sum(v for k, v in sluice.metrics().items() if "handshake_failures" in str(k))


def test_only_clients_of_the_authority_are_served(tls_site, files):
    sluice = tls_site(client_ca=str(files / "ca.pem"), crl=str(files / "revoked.crl"))
    before = failed_handshakes(sluice)

    served = [name for name in ("client", "revoked", "stranger", None)
              if is_served(sluice, files, name)]

    assert served == ["client"]
    wait_for(lambda: failed_handshakes(sluice) == before + 3, 5, "three failed handshakes")


def test_a_certificate_may_be_optional(tls_site, files):
    sluice = tls_site(client_ca=str(files / "ca.pem"), client_verify="optional")

    assert is_served(sluice, files, "client")
    assert is_served(sluice, files)
    assert not is_served(sluice, files, "stranger")


def test_a_new_crl_is_in_force_after_a_reload(tls_site, files, tmp_path):
    crl = tmp_path / "now.crl"
    crl.write_bytes((files / "empty.crl").read_bytes())
    sluice = tls_site(client_ca=str(files / "ca.pem"), crl=str(crl))
    assert is_served(sluice, files, "revoked")

    crl.write_bytes((files / "revoked.crl").read_bytes())
    assert sluice.hup()["action"] == "reload"

    assert not is_served(sluice, files, "revoked")
    assert is_served(sluice, files, "client")


def test_tickets_are_good_at_all_threads_and_after_a_reload(tls_site, files, tmp_path):
    sluice = tls_site()
    kept = tmp_path / "session"
    ask = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    s_client(sluice, "-ign_eof", "-sess_out", str(kept), send=ask)

    assert sluice.hup()["action"] == "reload"

    for _ in range(6):
        _, text = s_client(sluice, "-ign_eof", "-sess_in", str(kept), send=ask)
        assert "Reused, TLSv1.3" in text


# Servers that ask.

class TlsOrigin:
    """Answers one request a connection, and tells what it saw of the handshakes."""

    def __init__(self, files):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(str(files / "demo.pem"), str(files / "demo.key"))
        self.context.load_verify_locations(str(files / "ca.pem"))
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.socket = __import__("socket").create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.seen = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                raw, _ = self.socket.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), self.context.wrap_socket(
                    raw, server_side=True) as peer:
                if b"/seen" in peer.recv(65536):
                    name = dict(part[0] for part in peer.getpeercert()["subject"])["commonName"]
                    self.seen.append((name, peer.session_reused))
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                             b"Connection: close\r\n\r\nhi")


@pytest.fixture
def tls_origin(files):
    origin = TlsOrigin(files)
    yield origin
    origin.socket.close()


def test_a_server_is_shown_our_certificate_and_sessions_are_resumed(
        sluice, files, tls_origin):
    tls = {"ca_file": str(files / "ca.pem"), "server_name": "localhost",
           "cert": str(files / "client.pem"), "key": str(files / "client.key")}
    instance = sluice({"only": {"servers": [{"address": tls_origin.address}], "tls": tls}},
                      workers=1).start()

    for _ in range(4):
        assert instance.get("/seen").status == 200

    assert tls_origin.seen == [("client", False)] + 3 * [("client", True)]


@pytest.mark.parametrize("change", [
    {"server_name": "another.test"}, {"ca_file": "strange/ca.pem"},
    {"cert": "stranger.pem", "key": "stranger.key"}, {"cert": None, "key": None}], ids=str)
def test_what_does_not_verify_is_not_served(sluice, files, tls_origin, change):
    tls = {"ca_file": "ca.pem", "server_name": "localhost", "cert": "client.pem",
           "key": "client.key", **change}
    for key in ("ca_file", "cert", "key"):
        tls[key] = tls[key] and str(files / tls[key])
    instance = sluice({"only": {"servers": [{"address": tls_origin.address}], "tls": tls}},
                      workers=1).start()

    assert instance.get("/seen").status in (502, 503)
    assert not tls_origin.seen

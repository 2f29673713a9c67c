"""A listener that says nothing about TLS but its certificate gets no bad marks from
testssl.sh: no finding above LOW."""

import json
import shutil
import subprocess

import pytest

GOOD = {"OK", "INFO", "LOW"}
NOT_OURS = {"engine_problem"}  # what the openssl of this machine cannot do

# What a public certificate has and one of certs/make.sh lacks: where its CRL is.
EXTENSIONS = """
subjectAltName=DNS:localhost,IP:127.0.0.1
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
crlDistributionPoints=URI:http://localhost/ca.crl
"""

# All but the header check, which judges what the origin says (HSTS and the like), and
# the simulation of clients, which gives no marks.
CHECKS = ["--protocols", "--std", "--fs", "--server-preference", "--server-defaults",
          "--vulnerable", "--grease"]


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make_certificate(certs, folder):
    key, request, cert = (folder / f"grade.{end}" for end in ("key", "csr", "pem"))
    (folder / "extensions").write_text(EXTENSIONS)
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    openssl("req", "-new", "-key", key, "-subj", "/CN=localhost", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", certs / "ca.pem", "-CAkey",
            certs / "ca.key", "-days", "90", "-extfile", folder / "extensions", "-out", cert)
    return {"cert": str(cert), "key": str(key)}


def findings_of(address, ca, folder):
    """What testssl.sh says, each finding with its severity. It asks no name server."""
    program = shutil.which("testssl") or shutil.which("testssl.sh")
    assert program, "testssl.sh is missing: tests/install.sh all"
    out = folder / "findings.json"
    said = subprocess.run(
        [program, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none",
         "--add-ca", str(ca), "--jsonfile", str(out), *CHECKS, address],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
    assert out.exists(), said.stdout + said.stderr
    return json.loads(out.read_text())


@pytest.mark.slow
def test_the_default_has_no_finding_above_low(sluice, origins, certs, tmp_path):
    tls = {"certificates": [make_certificate(certs, tmp_path)]}
    instance = sluice({"legacy": origins(legacy=1)["legacy"]})
    instance.config["listeners"][0]["tls"] = tls
    instance.start()

    findings = findings_of(str(instance.web), certs / "ca.pem", tmp_path)

    assert [f for f in findings
            if f["severity"] not in GOOD and f["id"] not in NOT_OURS] == []
    marks = {f["id"]: f["finding"] for f in findings}
    assert "not vulnerable" in marks["heartbleed"]
    assert marks["TLS1_3"].startswith("offered") and marks["TLS1"] == "not offered"
    assert marks["cert_chain_of_trust"] == "passed."
    assert instance.get().status == 200

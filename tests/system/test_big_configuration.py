"""A big configuration is checked within a second and fits into its memory."""

import subprocess

import settings
from http1 import timed
from sluice import SLUICE_BIN


def enlarge(sluice, migrations, routes):
    names = [f"m{i}" for i in range(migrations)]
    guard = {"error_rate": 1.0, "p95_latency": "300ms", "error_ratio": 1.5, "p95_ratio": 1.25}
    plan = {"steps": [{"weight": w, "hold": "10m"} for w in (1, 5, 25, 50, 100)]}
    sluice.config["migrations"] = {
        name: settings.migration(10, guard=guard, plan=plan) for name in names}
    sluice.config["routes"] = [
        {"host": f"h{i % 50}.test", "path": f"/p{i}", "migration": names[i % migrations]}
        for i in range(routes)] + [{"host": "*", "path": "/", "migration": names[0]}]
    sluice.write_config()


def test_1000_routes_and_100_migrations_are_checked_in_a_second(site, is_sanitized):
    sluice = site(start=False)
    enlarge(sluice, 100, 1_000)

    done, seconds = timed(lambda: subprocess.run(
        [SLUICE_BIN, "--check", str(sluice.config_path)], capture_output=True, text=True,
        timeout=60))

    assert done.returncode == 0, done.stderr
    assert is_sanitized or seconds < 1


def test_500_migrations_fit_and_serve(site, send_requests, is_sanitized):
    sluice = site(start=False)
    enlarge(sluice, 500, 1_000)

    sluice.start()

    result = send_requests(sluice, 500, path="/p777", headers=[("X-Any", "1")])
    assert result.failures == []
    assert is_sanitized or sluice.rss_bytes() < 256 * 1024 * 1024


def test_a_big_reload_under_load_fails_nothing(site, load):
    sluice = site(new_percent=10)
    traffic = load(sluice, connections=4)
    small = dict(sluice.config)

    enlarge(sluice, 100, 1_000)
    assert sluice.hup()["action"] == "reload"
    sluice.config = small
    sluice.write_config()
    assert sluice.hup()["action"] == "reload"

    assert traffic.stop().failures == []

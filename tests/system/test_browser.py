"""A page in Chromium that talks by fetch, WebSocket and EventSource, all over HTTP/2, comes
back to legacy by itself when its migration is cut back."""

import contextlib
import time

import pytest

import h2_scene
import settings
import ws
from h2_origin import H2Origin
from scripted import pool
from settings import migration
from waiting import PATIENCE, wait_for

selenium = pytest.importorskip("selenium")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402

PAGE = b"""<!doctype html><title>page</title><script>
const seen = { sockets: [], closes: [], echoes: 0, wrong: 0, events: [], answers: [], errors: 0 };

function talk() {
  const socket = new WebSocket(`wss://${location.host}/name`);
  let name;
  socket.onmessage = ({ data }) => {
    if (name === undefined) { name = data; seen.sockets.push(name); }
    else { seen.echoes++; if (data !== "hello") seen.wrong++; }
    setTimeout(() => { if (socket.readyState === 1) socket.send("hello"); }, 20);
  };
  socket.onclose = ({ code, wasClean }) => {
    seen.closes.push({ code, wasClean, name });
    setTimeout(talk, 50);
  };
}

async function ask() {
  const answer = await fetch("/who").catch(() => null);
  if (answer && answer.ok) seen.answers.push((await answer.text()).trim());
  else seen.errors++;
  setTimeout(ask, 50);
}

const source = new EventSource("/greetings");
source.onmessage = ({ data }) => seen.events.push(data);
talk();
ask();
</script>"""
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--ignore-certificate-errors", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"]


class Site(H2Origin):
    """An origin with a page, and a stream of events that begins with its name."""

    def _end_page(self, exchange):
        exchange.answer(PAGE, 200, ("content-type", "text/html"))

    def _end_greetings(self, exchange):
        exchange.respond(200, ("content-type", "text/event-stream"))
        exchange.say(f"retry: 100\ndata: {self.name}\n\n".encode(), end=False)


@contextlib.contextmanager
def chromium(folder):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in [*FLAGS, f"--user-data-dir={folder}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    try:
        yield driver
    finally:
        driver.quit()


@contextlib.contextmanager
def two_migrations(certs, **tunnels):
    sites = {name: Site(name) for name in ("legacy", "new")}
    servers = {name: ws.Server(name) for name in ("legacy", "new")}
    pools = {name: settings.pool([site], protocol="h2", health=None)
             for name, site in sites.items()}
    pools |= {f"ws-{name}": pool(server) for name, server in servers.items()}
    sockets = migration(100, legacy="ws-legacy", new="ws-new", tunnels=tunnels)
    routes = [{"host": "*", "path": "/name", "migration": "sockets"},
              {"host": "*", "path": "/", "migration": "api"}]
    with h2_scene.running(certs, pools, {"api": migration(100, tunnels=tunnels),
                                         "sockets": sockets}, routes=routes) as sluice:
        yield sluice
    for one in [*sites.values(), *servers.values()]:
        one.stop()


@pytest.mark.slow
def test_a_cutback_brings_the_page_back_to_legacy(certs, tmp_path, record_property):
    with two_migrations(certs, on_revert="drain") as sluice, chromium(tmp_path) as browser:
        def seen():
            return browser.execute_script("return seen")

        browser.get(f"https://localhost:{sluice.web.number}/page")
        wait_for(lambda: seen()["echoes"] > 5 and seen()["answers"] and seen()["events"], 10,
                 "the page talks")
        before = seen()
        assert set(before["sockets"] + before["events"] + before["answers"]) == {"new"}
        protocols = browser.execute_script(
            "return performance.getEntriesByType('resource').map(e => e.nextHopProtocol)")
        assert "h2" in protocols

        start = time.monotonic()
        for name in ("api", "sockets"):
            sluice.ctl("cutback", name)

        def is_back():
            now = seen()
            return all(now[what][-1] == "legacy" for what in ("sockets", "events", "answers"))

        wait_for(is_back, 10, "all three talk to legacy")
        record_property("seconds until the page is back", round(time.monotonic() - start, 2))
        after = seen()
        assert [close["code"] for close in after["closes"]] in ([1012], [1001])
        assert after["closes"][0]["wasClean"]
        assert after["errors"] == 0 and after["wrong"] == 0
        assert after["events"] == ["new", "legacy"]
        assert time.monotonic() - start < 10 * PATIENCE

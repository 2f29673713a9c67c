"""The proxies of the bench, each set up to do the same: end TLS with the same key on
one thread, speak HTTP/1.1 with keep-alive to the same origin, stream bodies, add
X-Forwarded-For, log nothing."""

import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time

REPO = pathlib.Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, deadline, what):
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"bench: not within {deadline} s: {what}")
        time.sleep(0.02)


def pinned(core, command):
    """The command on one core, if there is more than one."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[min(core, len(cores) - 1)]), *map(str, command)]


class Origin:
    """The one origin, on the core of the load generator."""

    def __init__(self, bin_folder):
        self.process = subprocess.Popen(
            pinned(1, [bin_folder / "origin", "--until-eof", "--listen", "127.0.0.1:0",
                       "--control", "127.0.0.1:0"]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lines = [self.process.stdout.readline() for _ in range(3)]
        if "ready" not in lines[2]:
            raise SystemExit("bench: the origin did not start")
        self.port = int(lines[0].rsplit(":", 1)[1])
        control = lines[1].split("address=")[1].strip()
        subprocess.run(["curl", "-fsS", "-o", "/dev/null", "-X", "POST",
                        f"http://{control}/set?body_bytes=1024"], check=True)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(5)


class Proxy:
    """A proxy that runs in a folder of its own and answers on self.port."""

    name = None
    core = 0

    def __init__(self, folder, certs, origin_port, bin_folder):
        self.folder = folder / self.name
        self.folder.mkdir()
        self.certs, self.origin_port, self.bin = certs, origin_port, bin_folder
        self.port = free_port()
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL, cwd=self.folder)
        try:
            wait_for(self._answers, self.patience(), f"{self.name} answers, see {self.log.name}")
        except BaseException:
            self.process.kill()
            raise

    def patience(self):
        return 20

    def version(self):
        return ""

    def _answers(self):
        if self.process.poll() is not None:
            tail = (self.folder / "log").read_text(errors="replace")[-1500:]
            raise SystemExit(f"bench: {self.name} ended at start:\n{tail}")
        context = ssl._create_unverified_context()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as raw, \
                    context.wrap_socket(raw) as tls:
                tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return tls.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def pids(self):
        """The process and its children (nginx's worker, valgrind has none)."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, children.read_text().split())]

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def rss_bytes(self):
        total = 0
        for pid in self.pids():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            total += int(status.split("VmRSS:")[1].split()[0]) * 1024
        return total

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path


class Sluice(Proxy):
    name = "sluice"
    wrapper = ()

    def command(self):
        self.folder.chmod(0o755)
        config = self.write("sluice.conf", f"""
workers = 1;
log = {{ level = "warn"; }};
listeners = ( {{ name = "web"; address = "127.0.0.1:{self.port}";
  tls = {{ certificates = ( {{ cert = "{self.certs}/demo.pem"; key = "{self.certs}/demo.key"; }} );
          alpn = [ "http/1.1" ]; }}; }} );
pools = {{
  legacy = {{ servers = ( {{ address = "127.0.0.1:{self.origin_port}"; }} ); keepalive = 128;
             health = {{ path = "/api/health"; }}; }};
  new = {{ servers = ( {{ address = "127.0.0.1:{self.origin_port}"; }} ); keepalive = 128;
          health = {{ path = "/api/health"; }}; }};
}};
migrations = {{ api = {{ legacy = "legacy"; new = "new"; weights = {{ legacy = 90; new = 10; }};
  guard = {{ error_rate = 5.0; p95_latency = "5s"; }}; }}; }};
routes = ( {{ host = "*"; path = "/"; migration = "api"; }} );
admin = {{ socket = "{self.folder}/admin.sock"; }};
journal = {{ path = "{self.folder}/journal.db"; }};
""")
        return pinned(self.core, [*self.wrapper, self.bin / "sluice", "--config", config])

    def version(self):
        done = subprocess.run(["git", "-C", str(REPO), "rev-parse", "--short", "HEAD"],
                              capture_output=True, text=True)
        return done.stdout.strip() or "this tree"


class Haproxy(Proxy):
    name = "haproxy"

    def command(self):
        pem = self.write("both.pem", (self.certs / "demo.pem").read_text()
                         + (self.certs / "demo.key").read_text())
        config = self.write("haproxy.cfg", f"""
global
  nbthread 1
  maxconn 8000
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend web
  bind 127.0.0.1:{self.port} ssl crt {pem} alpn http/1.1
  default_backend origin
backend origin
  server one 127.0.0.1:{self.origin_port} check inter 2s pool-max-conn 128
""")
        return pinned(self.core, ["haproxy", "-db", "-f", config])

    def version(self):
        done = subprocess.run(["haproxy", "-v"], capture_output=True, text=True)
        return done.stdout.split("version ")[1].split()[0]


class Nginx(Proxy):
    name = "nginx"

    def command(self):
        config = self.write("nginx.conf", f"""
{"user root;" if os.getuid() == 0 else ""}
worker_processes 1;
daemon off;
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_max_body_size 0;
  proxy_max_temp_file_size 0;
  keepalive_requests 100000000;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
  scgi_temp_path {self.folder}/s;
  upstream origin {{ server 127.0.0.1:{self.origin_port}; keepalive 128;
                    keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{self.port} ssl;
    ssl_certificate {self.certs}/demo.pem;
    ssl_certificate_key {self.certs}/demo.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
""")
        return pinned(self.core, ["nginx", "-c", config, "-p", self.folder, "-e",
                                  self.folder / "error.log"])

    def version(self):
        done = subprocess.run(["nginx", "-v"], capture_output=True, text=True)
        return done.stderr.strip().rsplit("/", 1)[1]


class Floor(Proxy):
    name = "floor"

    def command(self):
        return pinned(self.core, [self.bin / "floor", self.port, self.origin_port,
                                  self.certs / "demo.pem", self.certs / "demo.key"])

    def version(self):
        return "relays without understanding HTTP"


def available(names):
    """The classes of the proxies asked for; a missing program is an error that says so."""
    known = {c.name: c for c in (Sluice, Haproxy, Nginx, Floor)}
    for name in names:
        if name not in known:
            raise SystemExit(f"bench: no such proxy: {name}; there are {', '.join(known)}")
        if name in ("haproxy", "nginx") and shutil.which(name) is None:
            raise SystemExit(f"bench: {name} is missing: tests/install.sh bench")
    return [known[name] for name in names]


def make_certificates(folder):
    subprocess.run([str(REPO / "certs/make.sh"), str(folder)], check=True,
                   stdout=subprocess.DEVNULL)
    return folder

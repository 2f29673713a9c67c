"""The proxies of the bench, each set up to do the same: end TLS with the same key on
one thread, speak HTTP/1.1 with keep-alive to the same origin, stream bodies, add
X-Forwarded-For, log nothing. A Setup says what more a row of the table wants."""

import dataclasses
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


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a proxy is made ready for."""

    connections: int = 4000  # clients at a time
    keepalive: int = 1024    # unused connections to the origin: more than requests at a time
    routes: int = 0          # 0: one for all, which sluice splits under a guard
    tunnels: bool = False    # WebSocket
    reloads: bool = False    # told to reload while it serves
    plain_port: int = 0      # a door without TLS too
    crumbs_port: int = 0     # below /crumbs: a server of HTTP/2, for who can talk to one


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


class Echo(Origin):
    """The same for WebSocket: it sends back what it gets."""

    def __init__(self, bin_folder):
        self.process = subprocess.Popen(
            pinned(1, [bin_folder / "echo", "0"]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])


class Proxy:
    """A proxy that runs in a folder of its own and answers on self.port."""

    name = None
    core = 0

    def __init__(self, folder, certs, origin_port, bin_folder, setup=Setup()):
        self.folder = folder / self.name
        self.folder.mkdir(parents=True)
        self.certs, self.origin_port, self.bin = certs, origin_port, bin_folder
        self.setup, self.generation = setup, 0
        self.port = free_port()
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL, cwd=self.folder)
        try:
            wait_for(self._answers, self.patience(), f"{self.name} answers, see {self.log.name}")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.idle_rss = self.rss_bytes()

    def patience(self):
        return 20

    def version(self):
        return ""

    def idle_timeout(self):
        """Differs from reload to reload, so that there is something to load."""
        return 60 + self.generation % 2

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
        """To the nanosecond where the scheduler tells it, else to the tick."""
        total = sum(_on_cpu_ns(pid) for pid in self.pids())
        return total / 1e9 if total > 0 else sum(map(_ticks, self.pids())) / TICKS

    def rss_bytes(self):
        return self._memory("VmRSS:")

    def peak_bytes(self):
        """Since forget_peak()."""
        return self._memory("VmHWM:")

    def forget_peak(self):
        for pid in self.pids():
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")

    def _memory(self, field):
        status = (pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.pids())
        return sum(int(text.split(field)[1].split()[0]) * 1024 for text in status)

    def reload(self):
        """Tells it to read its changed configuration, and waits until it did."""
        before = self.loaded()
        self.generation += 1
        self.configure()
        self.process.send_signal(self.reload_signal)
        wait_for(lambda: self.loaded() - before, 20, f"{self.name} loads its configuration")

    def loaded(self):
        """A set that gains something with every reload: the workers."""
        return set(self.pids())

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


def _on_cpu_ns(pid):
    """Of all its threads; 0 where the kernel does not tell."""
    total = 0
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        total += int(stat.read_text().split()[0])
    return total


def _ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


class Sluice(Proxy):
    name = "sluice"
    title = "sluice"
    wrapper = ()
    reload_signal = signal.SIGHUP

    def configure(self):
        self.folder.chmod(0o755)
        plain = self.setup.routes == 0
        return self.write("sluice.conf", f"""
workers = 1;
log = {{ level = "{'info' if self.setup.reloads else 'warn'}"; }};
timeouts = {{ client_idle = "{self.idle_timeout()}s"; }};
listeners = ( {{ name = "web"; address = "127.0.0.1:{self.port}";
  tls = {{ certificates = ( {{ cert = "{self.certs}/demo.pem"; key = "{self.certs}/demo.key"; }} );
          alpn = [ "h2", "http/1.1" ]; }}; }}{self._plain()} );
{self._split() if plain else self._routes()}
admin = {{ socket = "{self.folder}/admin.sock"; }};
journal = {{ path = "{self.folder}/journal.db"; }};
""")

    def _plain(self):
        port = self.setup.plain_port
        return f', {{ name = "plain"; address = "127.0.0.1:{port}"; }}' if port else ""

    def _server(self):
        return (f'servers = ( {{ address = "127.0.0.1:{self.origin_port}"; }} ); '
                f"keepalive = {self.setup.keepalive};")

    def _split(self):
        pool = f'{{ {self._server()} health = {{ path = "/api/health"; }}; }}'
        port = self.setup.crumbs_port
        crumbs = (f'crumbs = {{ protocol = "h2"; '
                  f'servers = ( {{ address = "127.0.0.1:{port}"; }} ); }};' if port else "")
        route = '{ host = "*"; path = "/crumbs"; pool = "crumbs"; }, ' if port else ""
        return f"""
pools = {{ legacy = {pool}; new = {pool}; {crumbs} }};
migrations = {{ api = {{ legacy = "legacy"; new = "new"; weights = {{ legacy = 90; new = 10; }};
  guard = {{ error_rate = 5.0; p95_latency = "5s"; }}; }}; }};
routes = ( {route}{{ host = "*"; path = "/"; migration = "api"; }} );"""

    def _routes(self):
        n = self.setup.routes
        pools = "\n".join(f"  p{i} = {{ {self._server()} }};" for i in range(n))
        routes = ['{ host = "*"; path = "/"; pool = "p0"; }']
        if n > 1:
            routes += [f'{{ host = "*"; path = "/r{i}/"; pool = "p{i}"; }}' for i in range(n)]
        return f"pools = {{\n{pools}\n}};\nroutes = (\n" + ",\n".join(routes) + "\n);"

    def command(self):
        return pinned(self.core, [*self.wrapper, self.bin / "sluice", "--config",
                                  self.configure()])

    def loaded(self):
        text = (self.folder / "log").read_text(errors="replace")
        return set(range(text.count("configuration reloaded")))

    def version(self):
        done = subprocess.run(["git", "-C", str(REPO), "rev-parse", "--short", "HEAD"],
                              capture_output=True, text=True)
        return done.stdout.strip() or "this tree"


class Haproxy(Proxy):
    name = "haproxy"
    title = "HAProxy"
    reload_signal = signal.SIGUSR2  # to the master

    def configure(self):
        self.write("both.pem", (self.certs / "demo.pem").read_text()
                   + (self.certs / "demo.key").read_text())
        self.write("routes.map", "".join(f"r{i} b{i}\n" for i in range(self.setup.routes)))
        socket_line = (f"stats socket {self.folder}/stats.sock level admin expose-fd listeners"
                       if self.setup.reloads else "")
        check = "" if self.setup.routes else "check inter 2s"
        server = (f"server one 127.0.0.1:{self.origin_port} {check} "
                  f"pool-max-conn {self.setup.keepalive}")
        backends = "".join(f"backend b{i}\n  {server}\n"
                           for i in range(max(1, self.setup.routes)))
        use = (f"use_backend %[path,field(2,/),map({self.folder}/routes.map,b0)]"
               if self.setup.routes > 1 else "default_backend b0")
        plain = f"bind 127.0.0.1:{self.setup.plain_port}" if self.setup.plain_port else ""
        if self.setup.crumbs_port:
            backends += (f"backend crumbs\n  server one 127.0.0.1:{self.setup.crumbs_port} "
                         "proto h2\n")
            use = "use_backend crumbs if { path_beg /crumbs }\n  " + use
        return self.write("haproxy.cfg", f"""
global
  nbthread 1
  maxconn {self.setup.connections}
  ssl-default-bind-options ssl-min-ver TLSv1.2
  {socket_line}
defaults
  mode http
  timeout connect 2s
  timeout client {self.idle_timeout()}s
  timeout server 60s
  timeout tunnel 1h
  option forwardfor
  http-reuse always
frontend web
  bind 127.0.0.1:{self.port} ssl crt {self.folder}/both.pem alpn h2,http/1.1
  {plain}
  {use}
{backends}""")

    def command(self):
        """Master and worker, and sockets handed on, where it is to reload (management.txt)."""
        mode = "-W" if self.setup.reloads else "-db"
        return pinned(self.core, ["haproxy", mode, "-f", self.configure()])

    def version(self):
        done = subprocess.run(["haproxy", "-v"], capture_output=True, text=True)
        return done.stdout.split("version ")[1].split()[0]


class Nginx(Proxy):
    name = "nginx"
    title = "nginx"
    reload_signal = signal.SIGHUP

    def configure(self):
        upstreams = "\n".join(
            f"  upstream p{i} {{ server 127.0.0.1:{self.origin_port}; "
            f"keepalive {self.setup.keepalive}; keepalive_requests 100000000; }}"
            for i in range(max(1, self.setup.routes)))
        locations = "\n".join(
            f"    location /r{i}/ {{ proxy_pass http://p{i}; }}"
            for i in range(self.setup.routes if self.setup.routes > 1 else 0))
        connection = "$connection_upgrade" if self.setup.tunnels else '""'
        upgrade = "proxy_set_header Upgrade $http_upgrade;" if self.setup.tunnels else ""
        plain = f"listen 127.0.0.1:{self.setup.plain_port};" if self.setup.plain_port else ""
        return self.write("nginx.conf", f"""
{"user root;" if os.getuid() == 0 else ""}
worker_processes 1;
daemon off;
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log;
events {{ worker_connections {2 * self.setup.connections + 64}; }}
http {{
  access_log off;
  client_max_body_size 0;
  proxy_max_temp_file_size 0;
  keepalive_timeout {self.idle_timeout()}s;
  keepalive_requests 100000000;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
  scgi_temp_path {self.folder}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
{upstreams}
  server {{
    listen 127.0.0.1:{self.port} ssl http2;
    {plain}
    ssl_certificate {self.certs}/demo.pem;
    ssl_certificate_key {self.certs}/demo.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_read_timeout 1h;
    proxy_set_header Connection {connection};
    {upgrade}
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    location / {{ proxy_pass http://p0; }}
{locations}
  }}
}}
""")

    def command(self):
        return pinned(self.core, ["nginx", "-c", self.configure(), "-p", self.folder, "-e",
                                  self.folder / "error.log"])

    def version(self):
        done = subprocess.run(["nginx", "-v"], capture_output=True, text=True)
        return done.stderr.strip().rsplit("/", 1)[1]


class Floor(Proxy):
    name = "floor"
    title = "floor"

    def command(self):
        return pinned(self.core, [self.bin / "floor", self.port, self.origin_port,
                                  self.certs / "demo.pem", self.certs / "demo.key"])

    def version(self):
        return "relays without understanding HTTP"


KNOWN = {c.name: c for c in (Sluice, Haproxy, Nginx, Floor)}


def available(names):
    """The classes of the proxies asked for; a missing program is an error that says so."""
    for name in names:
        if name not in KNOWN:
            raise SystemExit(f"bench: no such proxy: {name}; there are {', '.join(KNOWN)}")
        if name in ("haproxy", "nginx") and shutil.which(name) is None:
            raise SystemExit(f"bench: {name} is missing: tests/install.sh bench")
    return [KNOWN[name] for name in names]


def make_certificates(folder):
    subprocess.run([str(REPO / "certs/make.sh"), str(folder)], check=True,
                   stdout=subprocess.DEVNULL)
    return folder

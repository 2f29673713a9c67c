"""Load: keep-alive clients in threads that count every answer and every failure."""

import collections
import random
import ssl
import threading
import time

from http1 import Client, Closed, client_context

Sample = collections.namedtuple("Sample", "at seconds status server error")


class Result:
    def __init__(self, samples):
        self.samples = sorted(samples)

    def __len__(self):
        return len(self.samples)

    @property
    def by_server(self):
        return collections.Counter(s.server for s in self.samples if s.status is not None)

    @property
    def by_status(self):
        return collections.Counter(s.status for s in self.samples)

    @property
    def failures(self):
        """What a user would call an error: no whole answer, or a 5xx."""
        return [s for s in self.samples if s.status is None or s.status >= 500]

    def after(self, moment):
        return Result([s for s in self.samples if s.at - s.seconds >= moment])

    def quantile(self, share):
        times = sorted(s.seconds for s in self.samples)
        return times[min(len(times) - 1, int(share * len(times)))] if times else 0.0

    def __repr__(self):
        errors = [s.error for s in self.failures][:5]
        return (f"<{len(self)} requests, {dict(self.by_server)}, {dict(self.by_status)}, "
                f"errors {errors}>")


class Load:
    """`connections` clients, together about `rate` requests a second (None: all they can)."""

    def __init__(self, address, tls=None, connections=8, rate=None, path="/", headers=(),
                 limit=None, timeout=10.0, new_connections=False):
        self.address = address
        self.context = client_context(tls) if tls is not None else None
        self.path = path
        self.headers = headers
        self.timeout = timeout
        self.pause = connections / rate if rate else 0.0
        self.new_connections = new_connections
        self.left = limit
        self.connects = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.samples = [[] for _ in range(connections)]
        self.threads = [threading.Thread(target=self._run, args=(s,), daemon=True)
                        for s in self.samples]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def _take(self):
        if self.left is None:
            return True
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def _run(self, samples):
        client = None
        due = time.monotonic() + random.uniform(0, self.pause)
        while not self.stopping.is_set() and self._take():
            if self.pause and self.stopping.wait(max(0.0, due - time.monotonic())):
                break
            due = max(due + self.pause, time.monotonic() - 1.0)
            client = self._once(client, samples)
        if client is not None:
            client.close()

    def _once(self, client, samples):
        start = time.monotonic()
        status = server = error = None
        try:
            if client is None:
                client = Client(self.address, self.context, timeout=self.timeout)
                with self.lock:
                    self.connects += 1
            response = client.request(self.path, headers=self.headers)
            status, server = response.status, response.server
            keep = response.get("connection", "").lower() != "close" and not self.new_connections
        except (OSError, Closed, ssl.SSLError, AssertionError, ValueError) as problem:
            error, keep = repr(problem), False
        samples.append(Sample(time.monotonic(), time.monotonic() - start, status, server, error))
        if not keep and client is not None:
            client.close()
        return client if keep else None

    def result(self):
        """What there is so far."""
        return Result([sample for samples in self.samples for sample in list(samples)])

    def count(self):
        return sum(len(samples) for samples in self.samples)

    def wait(self, deadline=120):
        """Until `limit` requests are done."""
        end = time.monotonic() + deadline
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
            assert not thread.is_alive(), f"load did not end in {deadline} s: {self.result()}"
        return self.result()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(self.timeout + 5)
        return self.result()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def send(n, address, tls=None, connections=8, **options):
    """n requests over some connections; returns the result."""
    return Load(address, tls, connections, limit=n, **options).start().wait()

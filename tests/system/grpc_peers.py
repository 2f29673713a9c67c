"""gRPC on python3-grpcio without generated code: messages are bytes, and what a server does
stands in the method's name."""

import concurrent.futures
import os
import threading
import time

# The origins and sluice are started by fork and exec; nothing of gRPC runs in between.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc  # noqa: E402

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
HEALTH = "/grpc.health.v1.Health/Check"
Code = grpc.StatusCode


class Server(grpc.GenericRpcHandler):
    """One server of a pool. /test/Echo, /test/Sum, /test/Count, /test/Talk, /test/Hang."""

    def __init__(self, name="new", credentials=None):
        self.name = name
        self.status = Code.OK  # of every call
        self.health = SERVING
        self.services = []  # whose health was asked
        self.calls = 0
        self.left = []  # seconds to the deadline, as each call saw it
        self.cancelled = threading.Event()
        self.talking = set()  # the streams that are open
        pool = concurrent.futures.ThreadPoolExecutor(64)
        self.server = grpc.server(pool, handlers=[self], options=[("grpc.so_reuseport", 0)])
        if credentials is None:
            self.port = self.server.add_insecure_port("127.0.0.1:0")
        else:
            self.port = self.server.add_secure_port("127.0.0.1:0", credentials)
        self.server.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def stop(self):
        self.server.stop(0).wait(5)

    def service(self, details):
        if details.method == HEALTH:
            return grpc.unary_unary_rpc_method_handler(self._check)
        kinds = {"Echo": grpc.unary_unary_rpc_method_handler,
                 "Hang": grpc.unary_unary_rpc_method_handler,
                 "Sum": grpc.stream_unary_rpc_method_handler,
                 "Count": grpc.unary_stream_rpc_method_handler,
                 "Talk": grpc.stream_stream_rpc_method_handler}
        name = details.method.rsplit("/", 1)[1]
        return kinds[name](getattr(self, "_" + name.lower())) if name in kinds else None

    def _check(self, request, context):
        self.services.append(request[2:].decode())
        return self.health

    def _begin(self, context):
        self.calls += 1
        self.left.append(context.time_remaining())
        context.send_initial_metadata([("x-server", self.name)])
        context.set_trailing_metadata([("x-calls", str(self.calls)), ("odd-bin", b"\0\xff")])
        if self.status != Code.OK:
            context.abort(self.status, "as told: 100 % \u00e4")

    def _echo(self, request, context):
        self._begin(context)
        return request

    def _hang(self, request, context):
        self._begin(context)
        if not context.add_callback(self.cancelled.set):
            self.cancelled.set()  # it was quicker
        self.cancelled.wait(20)
        return b""

    def _sum(self, requests, context):
        self._begin(context)
        return str(sum(int(r) for r in requests)).encode()

    def _count(self, request, context):
        self._begin(context)
        for n in range(int(request)):
            yield str(n).encode()

    def _talk(self, requests, context):
        self._begin(context)
        self.talking.add(context)
        context.add_callback(lambda: self.talking.discard(context))
        for request in requests:
            yield request


class Client:
    """One channel. `tls` is the CA's file."""

    def __init__(self, address, tls=None):
        target = "{}:{}".format(*address)
        if tls is None:
            self.channel = grpc.insecure_channel(target)
        else:
            self.channel = grpc.secure_channel(
                target, grpc.ssl_channel_credentials(tls.read_bytes()),
                [("grpc.ssl_target_name_override", "localhost"),
                 ("grpc.use_local_subchannel_pool", 1)])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def call(self, name="Echo", request=b"hello", timeout=20, **options):
        """(response, the call) of a call with one request and one response."""
        return self.channel.unary_unary(f"/test/{name}").with_call(
            request, timeout=timeout, **options)

    def status(self, name="Echo", request=b"hello", timeout=20):
        """The status of a call, and its details."""
        try:
            self.call(name, request, timeout)
            return Code.OK, ""
        except grpc.RpcError as error:
            return error.code(), error.details()

    def sum(self, numbers, timeout=20):
        return self.channel.stream_unary("/test/Sum")(
            (str(n).encode() for n in numbers), timeout=timeout)

    def count(self, n, timeout=20):
        return self.channel.unary_stream("/test/Count")(str(n).encode(), timeout=timeout)

    def talk(self, timeout=None):
        return Talk(self.channel, timeout)


class Talk:
    """A stream in both directions, a message at a time."""

    def __init__(self, channel, timeout):
        self.out = []
        self.changed = threading.Condition()
        self.call = channel.stream_stream("/test/Talk")(self._requests(), timeout=timeout)

    def _requests(self):
        while True:
            with self.changed:
                while not self.out:
                    self.changed.wait()
                message = self.out.pop(0)
            if message is None:
                return
            yield message

    def say(self, message):
        with self.changed:
            self.out.append(message)
            self.changed.notify()

    def ask(self, message):
        self.say(message)
        return next(self.call)

    def server(self):
        return dict(self.call.initial_metadata())["x-server"]

    def end(self):
        self.say(None)
        return list(self.call), self.call.code()


class Crowd:
    """Clients that hold a stream each, ask through it now and then, and open another one
    when it ends. How they ended is in .ends: (when, code)."""

    def __init__(self, address, tls, n, talk_every=0.1):
        self.talk_every = talk_every
        self.now_at = {}
        self.ends = []
        self.wrong = []
        self.stopped = threading.Event()
        self.clients = [Client(address, tls) for _ in range(n)]
        self.threads = [threading.Thread(target=self._live, args=(i,)) for i in range(n)]
        for thread in self.threads:
            thread.start()

    def _live(self, i):
        while not self.stopped.is_set():
            talk = self.clients[i].talk()
            try:
                self._talk(i, talk)
            except grpc.RpcError as error:
                self.ends.append((time.monotonic(), error.code()))
            self.now_at.pop(i, None)
            talk.say(None)

    def _talk(self, i, talk):
        while not self.stopped.is_set():
            if talk.ask(b"hello %d" % i) != b"hello %d" % i:
                self.wrong.append(i)
            self.now_at[i] = talk.server()
            self.stopped.wait(self.talk_every)

    def at(self, server):
        return sum(1 for name in list(self.now_at.values()) if name == server)

    def codes(self):
        return {code for _, code in self.ends}

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(10)
        for client in self.clients:
            client.channel.close()


def server_of(call):
    return dict(call.initial_metadata())["x-server"]


def seconds_of(action):
    start = time.monotonic()
    action()
    return time.monotonic() - start

"""An origin that closes idle connections after a second is seen to, and from then on sluice
gives them up before the origin does."""

import queue
import socket
import threading

ALLOWED = 1.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Impatient:
    """Answers, and closes what has been idle for ALLOWED seconds; notes who was first."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.closed_by = queue.Queue()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return "%s:%d" % self.listener.getsockname()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.settimeout(ALLOWED)
        with connection:
            try:
                while connection.recv(65536):
                    connection.sendall(ANSWER)
                self.closed_by.put("sluice")
            except socket.timeout:
                self.closed_by.put("origin")


def test_the_origin_closes_once(sluice):
    origin = Impatient()
    one = sluice({"only": {"servers": [{"address": origin.address}],
                           "health": {"type": "none"}}}, workers=1).start()

    assert one.get("/").status == 200
    assert origin.closed_by.get(timeout=20) == "origin"
    assert one.get("/").status == 200

    assert origin.closed_by.get(timeout=20) == "sluice"
    origin.listener.close()

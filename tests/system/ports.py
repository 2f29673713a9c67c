"""Ports chosen by the system and kept for one test."""

import socket


class ReservedPort:
    """A port that the system chose and nobody else is given while this object lives.

    It is bound and never listens, so a server that shares the options can listen on it
    and gets every connection."""

    def __init__(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        # Both: sluice also tries a bind without SO_REUSEPORT, to find a rival.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind((host, 0))
        self.host = host
        self.number = self.socket.getsockname()[1]

    @property
    def address(self):
        return (self.host, self.number)

    def __str__(self):
        return f"[{self.host}]:{self.number}" if ":" in self.host else f"{self.host}:{self.number}"

    def close(self):
        self.socket.close()

"""A listener that nobody may reach."""

from __future__ import annotations

import select
import socket


class Canary:
    """Listens on both loopback addresses at one port. Nothing accepts: what connects waits in the backlog."""

    def __init__(self) -> None:
        self._listeners = [socket.create_server(("127.0.0.1", 0), backlog=64)]
        self.port: int = self._listeners[0].getsockname()[1]
        self._listeners.append(socket.create_server(("::1", self.port), family=socket.AF_INET6, backlog=64))

    def hits(self) -> int:
        """How many connected since the last call."""
        found = 0
        while ready := select.select(self._listeners, [], [], 0)[0]:
            for listener in ready:
                listener.accept()[0].close()
                found += 1
        return found

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()

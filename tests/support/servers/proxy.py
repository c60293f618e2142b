"""A TCP proxy whose wire can be cut: what a network or a server does when it goes away for a while."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards to (host, port) from a loopback port of its own while `up`; a cut resets every connection. What goes
    there takes `delay_s` longer, what comes back does not: the worst way for whoever halves a round trip."""

    def __init__(self, host: str, port: int, delay_s: float = 0.0) -> None:
        self._to = (host, port)
        self._delay_s = delay_s
        self._up = threading.Event()
        self._up.set()
        self._over = threading.Event()
        self._pairs: set[socket.socket] = set()
        self.cuts = 0
        """Connections that a cut has reset, or refused."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.settimeout(0.1)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """Reset all connections and every new one, until `mend`."""
        self._up.clear()
        self.cuts += len(self._pairs) // 2
        for sock in list(self._pairs):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._up.set()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            if not self._up.is_set():
                self.cuts += 1
                near.close()
                continue
            far = socket.create_connection(self._to)
            thread = threading.Thread(target=self._forward, args=(near, far))
            self._threads.append(thread)
            thread.start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        self._pairs |= {near, far}
        with near, far, selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while not self._over.is_set():
                for key, _ in selector.select(0.1):
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        return
                    if self._delay_s and key.fileobj is near:
                        time.sleep(self._delay_s)
                    key.data.sendall(data)
        self._pairs -= {near, far}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

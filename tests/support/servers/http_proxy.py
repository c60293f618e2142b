"""An HTTP proxy on loopback: it passes plain requests on and makes tunnels, and keeps what it was asked for."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.hostile.server import HostileServer, Peer


class HttpProxy:
    """`asked`: the request line of each, `headers`: their heads. `refuse`: what is answered to all instead. `to`: where
    everything goes, whatever name it was asked for."""

    def __init__(self, to: int, refuse: bytes = b"") -> None:
        self._to = to
        self._refuse = refuse
        self.heads: list[str] = []

    @property
    def asked(self) -> list[str]:
        return [head.split("\r\n")[0] for head in self.heads]

    def __call__(self, peer: Peer) -> None:
        while True:
            head = peer.read_request().decode("latin-1")
            self.heads.append(head)
            if self._refuse:
                peer.send(self._refuse)
                continue
            with socket.create_connection(("127.0.0.1", self._to)) as far:
                if head.startswith("CONNECT "):
                    peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    join(peer, far)
                    return
                self._pass_on(peer, head, far)
                return

    def _pass_on(self, peer: Peer, head: str, far: socket.socket) -> None:
        """In origin form; what follows on this connection goes the same way."""
        data = peer.last
        while True:
            method, url, version = head.split("\r\n", maxsplit=1)[0].split(" ")
            parts = urlsplit(url)
            path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            far.sendall(data.replace(f"{method} {url} {version}".encode(), f"{method} {path} {version}".encode(), 1))
            join(peer, far, until_request=True)
            head = peer.read_request().decode("latin-1")
            self.heads.append(head)
            data = peer.last


def join(peer: Peer, far: socket.socket, *, until_request: bool = False) -> None:
    """Bytes both ways until one of the two ends; `until_request`: until the near one says something."""
    with selectors.DefaultSelector() as ready, contextlib.suppress(OSError):
        ready.register(peer.sock, selectors.EVENT_READ, (peer.sock, far))
        ready.register(far, selectors.EVENT_READ, (far, peer.sock))
        while True:
            for key, _ in ready.select():
                near, other = key.data
                if near is peer.sock and until_request:
                    return
                data = near.recv(65536)
                if not data:
                    with contextlib.suppress(OSError):
                        peer.sock.shutdown(socket.SHUT_RDWR)
                    return
                other.sendall(data)


@contextmanager
def http_proxy(to: int, refuse: bytes = b"", context: ssl.SSLContext | None = None) -> Iterator[tuple[HttpProxy, str]]:
    """The proxy and its URL. With `context`, it speaks TLS."""
    proxy = HttpProxy(to, refuse)
    with HostileServer(proxy, context) as server:
        yield proxy, server.url

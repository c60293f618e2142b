"""A SOCKS5 proxy on loopback: it makes tunnels, and keeps what it was asked for."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.hostile.server import HostileServer, Peer
from tests.support.servers.http_proxy import join

OPENED = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38"


class SocksProxy:
    """`asked`: host and port of each tunnel; `log_ins`: user and password. `log_in`: what it wants; None: nothing.
    `reply`: what it answers to CONNECT. `to`: where everything goes. `dripping`: a byte at a time."""

    def __init__(self, to: int, log_in: tuple[str, str] | None, reply: bytes, *, dripping: bool) -> None:
        self._to = to
        self._log_in = log_in
        self._reply = reply
        self._dripping = dripping
        self.asked: list[tuple[str, int]] = []
        self.log_ins: list[tuple[str, str]] = []

    def __call__(self, peer: Peer) -> None:
        peer_reads = _Exactly(peer)
        methods = peer_reads.read(peer_reads.read(2)[1])
        if self._log_in is None:
            self._say(peer, b"\x05\x00")
        elif 2 not in methods:
            self._say(peer, b"\x05\xff")
            return
        else:
            self._say(peer, b"\x05\x02")
            peer_reads.read(1)
            user, password = (peer_reads.read(peer_reads.read(1)[0]).decode() for _ in range(2))
            self.log_ins.append((user, password))
            fine = (user, password) == self._log_in
            self._say(peer, b"\x01\x00" if fine else b"\x01\x01")
            if not fine:
                return
        kind = peer_reads.read(4)[3]
        if kind == 3:
            host = peer_reads.read(peer_reads.read(1)[0]).decode()
        else:
            family = socket.AF_INET if kind == 1 else socket.AF_INET6
            host = socket.inet_ntop(family, peer_reads.read(4 if kind == 1 else 16))
        self.asked.append((host, *struct.unpack("!H", peer_reads.read(2))))
        with socket.create_connection(("127.0.0.1", self._to)) as far:
            self._say(peer, self._reply)
            join(peer, far)

    def _say(self, peer: Peer, data: bytes) -> None:
        for piece in [bytes((byte,)) for byte in data] if self._dripping else [data]:
            peer.send(piece)
            time.sleep(0.001)  # not `Peer.drip`, which reads what comes meanwhile


class _Exactly:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def read(self, size: int) -> bytes:
        """Not a byte more: what follows is for the target."""
        data = b""
        while len(data) < size:
            data += self._peer.sock.recv(size - len(data)) or self._peer.receive()
        return data


@contextmanager
def socks_proxy(
    to: int, log_in: tuple[str, str] | None = None, reply: bytes = OPENED, *, dripping: bool = False
) -> Iterator[tuple[SocksProxy, str]]:
    """The proxy, and its host and port."""
    proxy = SocksProxy(to, log_in, reply, dripping=dripping)
    with HostileServer(proxy) as server:
        yield proxy, f"{server.host}:{server.port}"

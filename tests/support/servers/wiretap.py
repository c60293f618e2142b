"""A server on loopback that passes everything on to another one and keeps what its clients sent."""

from __future__ import annotations

import base64
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.hostile.server import HostileServer, Peer, Script

BLOCK = 65536
HEADERS_FRAME = 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Wiretap:
    """`said`: what each client sent."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.said: list[bytearray] = []
        self.server = HostileServer(self._pass_on)

    @property
    def url(self) -> str:
        return self.server.url

    def _pass_on(self, peer: Peer) -> None:
        kept = bytearray()
        self.said.append(kept)
        with socket.create_connection(("127.0.0.1", self._port)) as other, suppress(OSError):
            while True:
                ready, _, _ = select.select([peer.sock, other], [], [])
                for sock in ready:
                    data = sock.recv(BLOCK)
                    if not data:
                        return
                    if sock is other:
                        peer.sock.sendall(data)
                    else:
                        kept += data
                        other.sendall(data)

    @property
    def plain(self) -> bytes:
        """All of it, WebSocket's messages unmasked."""
        return b"\n".join(bytes(part) + b"\n" + _unmasked(bytes(part)) for part in self.said)

    def holds(self, *secrets: str) -> bool:
        """Whether one of `secrets` was sent, as it is or in base64."""
        plain = self.plain
        return any(form in plain for secret in secrets for form in _forms(secret))

    def asked_by_http2(self) -> int:
        """Requests of HTTP/2, whose headers cannot be searched."""
        return sum(_headers_frames(bytes(part)) for part in self.said)


@contextmanager
def wiretap(script: Script) -> Iterator[Wiretap]:
    """In front of a server that does `script` with each connection."""
    with HostileServer(script) as behind:
        tap = Wiretap(behind.port)
        with tap.server:
            yield tap


def _forms(secret: str) -> Iterator[bytes]:
    data = secret.encode()
    yield data
    for before in range(3):
        text = base64.b64encode(bytes(before) + data)
        yield text[4 * (before > 0) : -4 * ((before + len(data)) % 3 > 0) or None]


def _unmasked(data: bytes) -> bytes:
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end or b"upgrade: websocket" not in head.lower():
        return b""
    found, at = b"", 0
    while at + 2 <= len(rest):
        size, at = rest[at + 1] & 0x7F, at + 2
        if size == 126:
            size, at = int.from_bytes(rest[at : at + 2], "big"), at + 2
        mask, at = rest[at : at + 4], at + 4
        found += bytes(byte ^ mask[i % 4] for i, byte in enumerate(rest[at : at + size])) + b"\n"
        at += size
    return found


def _headers_frames(data: bytes) -> int:
    if not data.startswith(PREFACE):
        return 0
    count, at = 0, len(PREFACE)
    while at + 9 <= len(data):
        count += data[at + 3] == HEADERS_FRAME
        at += 9 + int.from_bytes(data[at : at + 3], "big")
    return count

"""HTTP/2 frames by hand, for gRPC servers that misbehave: no library would send what they send."""

from __future__ import annotations

import struct
from typing import NamedTuple

from tests.hostile.server import Peer

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
INITIAL_WINDOW_SIZE = 4
END_STREAM, ACK, END_HEADERS = 1, 1, 4
FIRST_STREAM = 1


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def field(name: str, value: str) -> bytes:
    """A header as HPACK's literal without indexing, no Huffman code."""
    return b"\0" + _text(name) + _text(value)


def _text(text: str) -> bytes:
    data = text.encode("latin-1")
    return _integer(len(data)) + data


def _integer(number: int) -> bytes:
    """With a prefix of seven bits (RFC 7541, 5.1)."""
    if number < 127:
        return bytes((number,))
    out = bytearray((127,))
    number -= 127
    while number >= 128:
        out.append(number % 128 + 128)
        number //= 128
    return bytes((*out, number))


def headers(stream: int, *fields: tuple[str, str], end: bool = False) -> bytes:
    block = b"".join(field(name, value) for name, value in fields)
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)


class Http2Peer:
    """One accepted connection after its preface. `unframed` are bytes that are not a whole frame yet."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._unframed = b""
        self._stream_window = self._window = 65535

    def shake(self) -> None:
        """Read the preface, show our settings."""
        while len(self._unframed) < len(PREFACE):
            self._unframed += self.peer.receive()
        if not self._unframed.startswith(PREFACE):
            raise AssertionError(f"not an HTTP/2 preface: {self._unframed[:40]!r}")
        self._unframed = self._unframed[len(PREFACE) :]
        self.peer.send(frame(SETTINGS))

    def read_frame(self) -> Frame:
        """The next frame; settings, windows and pings are taken care of."""
        found = self._next()
        if found.kind == SETTINGS and not found.flags & ACK:
            self._set(found.payload)
            self.peer.send(frame(SETTINGS, ACK))
        elif found.kind == WINDOW_UPDATE and found.stream:
            self._stream_window += int.from_bytes(found.payload, "big")
        elif found.kind == WINDOW_UPDATE:
            self._window += int.from_bytes(found.payload, "big")
        elif found.kind == PING and not found.flags & ACK:
            self.peer.send(frame(PING, ACK, 0, found.payload))
        return found

    def _next(self) -> Frame:
        self._fill(9)
        size = int.from_bytes(self._unframed[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self._unframed[3:9])
        self._fill(9 + size)
        payload = self._unframed[9 : 9 + size]
        self._unframed = self._unframed[9 + size :]
        return Frame(kind, flags, stream, payload)

    def _fill(self, size: int) -> None:
        while len(self._unframed) < size:
            self._unframed += self.peer.receive()

    def read_request(self) -> int:
        """The next whole request, counted; returns its stream."""
        while True:
            found = self.read_frame()
            if found.kind == DATA and found.flags & END_STREAM:
                self.peer.count(found.payload)
                return found.stream

    def send_forever(self, stream: int, data: bytes) -> None:
        """The same frame again and again, as fast as the peer's windows let it."""
        while True:
            while min(self._stream_window, self._window) < len(data):
                self.read_frame()
            self.peer.send(frame(DATA, 0, stream, data))
            self._stream_window -= len(data)
            self._window -= len(data)

    def _set(self, settings: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", settings):
            if name == INITIAL_WINDOW_SIZE:
                self._stream_window += value - 65535

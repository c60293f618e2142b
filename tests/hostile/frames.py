"""The server's side of WebSocket in bytes: frames, the answer to an upgrade, reading what a client says."""

from __future__ import annotations

import base64
import hashlib
import time

from tests.hostile.server import Gone, Peer
from tests.hostile.table import head

CONT, TEXTUAL, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1 = 0x80, 0x40
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
END_OF_BLOCK = b"\x00\x00\xff\xff"
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


def frame(data: bytes, opcode: int = TEXTUAL, flags: int = FIN) -> bytes:
    """One frame as a server sends it: unmasked."""
    size = len(data)
    if size < 126:
        length = bytes([size])
    elif size < 1 << 16:
        length = b"\x7e" + size.to_bytes(2, "big")
    else:
        length = b"\x7f" + size.to_bytes(8, "big")
    return bytes([flags | opcode]) + length + data


def accepted(request: bytes, *headers: str) -> bytes:
    """The head of a 101 that fits `request`."""
    key = next(line.split(b":")[1].strip() for line in request.split(b"\r\n") if b"-websocket-key:" in line.lower())
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
    common = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}")
    return head(*common, *headers, status="101 Switching Protocols")


def upgrade(peer: Peer, *headers: str) -> None:
    peer.send(accepted(peer.read_request(), *headers))


def read_frame(peer: Peer) -> tuple[int, bytes]:
    """Opcode and unmasked data of the client's next frame."""
    first, second = read_exactly(peer, 2)
    size = second & 0x7F
    if size >= 126:
        size = int.from_bytes(read_exactly(peer, 2 if size == 126 else 8), "big")
    mask = (read_exactly(peer, 4) * (size // 4 + 1))[:size]
    data = int.from_bytes(read_exactly(peer, size), "big") ^ int.from_bytes(mask, "big")
    return first & 0x0F, data.to_bytes(size, "big")


def read_message(peer: Peer) -> bytes:
    """The next text or binary message of the client, which sends each in one frame. Everything else is skipped."""
    while True:
        opcode, data = read_frame(peer)
        if opcode in {TEXTUAL, BINARY}:
            return data


def read_exactly(peer: Peer, size: int) -> bytes:
    """Exactly so many bytes; nothing is held beyond them."""
    data = bytearray()
    while len(data) < size:
        try:
            more = peer.sock.recv(size - len(data))
        except OSError as exc:
            raise Gone from exc
        if not more:
            raise Gone
        data += more
    return bytes(data)


def wait(peer: Peer, seconds: float) -> None:
    """Say nothing for so long, whatever the client says meanwhile (its answers to pings)."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        peer.pause(left)

"""WebSocket frames and handshakes byte by byte, for what no client library would send."""

from __future__ import annotations

import contextlib
import socket
import struct

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


def sent(wire: socket.socket, data: bytes) -> bytes:
    answer = b""
    with contextlib.suppress(OSError):  # it may close before it has read everything
        wire.sendall(data)
    with contextlib.suppress(OSError):
        while b"\r\n\r\n" not in answer and (piece := wire.recv(1)):
            answer += piece
    return answer


def closing_code(wire: socket.socket) -> int | None:
    """Reads messages until the server closes. None: without a closing frame."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := wire.recv(65_536):
            data += piece
    while len(data) >= 2:
        length, start = data[1], 2
        if length > 125:
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start], "big")
        if data[0] & 15 == CLOSE:
            return int.from_bytes(data[start : start + 2], "big")
        data = data[start + length :]
    return None


def frame(
    opcode: int, payload: bytes = b"", *, first: int = 0x80, length: int | None = None, masked: bool = True
) -> bytes:
    size = len(payload) if length is None else length
    mask = 0x80 if masked else 0
    if size < 126:
        head = bytes([first | opcode, mask | size])
    elif size < 65_536:
        head = bytes([first | opcode, mask | 126]) + struct.pack(">H", size)
    else:
        head = bytes([first | opcode, mask | 127]) + struct.pack(">Q", size)
    return head + (b"\0\0\0\0" if masked else b"") + payload  # a mask of zeros changes nothing


def read_until(wire: socket.socket, wanted: bytes) -> bytes:
    data = b""
    while wanted not in data and (piece := wire.recv(65_536)):
        data += piece
    return data

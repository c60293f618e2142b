"""Bodies of Engine.IO's long polling, in which packets stand one behind the other. No I/O; used by both lanes.

In version 4 a separator stands between two packets; in version 3 each has its length before it, in UTF-16 units.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from connectors.errors import BrokenTransport, TooLarge
from connectors.socketio.packets import protocol_error

SEPARATOR: Final = b"\x1e"
COLON: Final = ":".encode("utf-16-le")
LONGEST_LENGTH: Final = 10
MESSAGE_BYTE: Final = b"\x04"
"""What stands before an attachment in version 3."""
_OLDER: Final = re.compile(rb"[0-9]{1,10}:0\{")


MOST_EMPTY: Final = 100
"""Answers to polls, one after the other, in which a target says nothing. It would be asked again without a pause."""
NOTHING: Final = frozenset({b"", b"6"})


class Piece(NamedTuple):
    """A packet as it would have come in a WebSocket message."""

    data: bytes
    binary: bool = False


class EmptyPolls:
    """Counts them."""

    def __init__(self) -> None:
        self._count = 0

    def look_at(self, found: Sequence[Piece]) -> None:
        """Raises BrokenTransport when they are too many."""
        self._count = self._count + 1 if all(piece.data in NOTHING for piece in found) else 0
        if self._count > MOST_EMPTY:
            raise protocol_error(f"over {MOST_EMPTY} answers to polls in a row that say nothing")


def version_of(body: bytes) -> int:
    """Engine.IO's version, as the first body shows it."""
    return 3 if _OLDER.match(body) else 4


def joined(packets: Sequence[bytes], eio: int) -> bytes:
    """The body that says these packets, which are texts."""
    if eio == 4:
        return SEPARATOR.join(packets)
    return b"".join(b"%d:%b" % (len(packet.decode().encode("utf-16-le")) // 2, packet) for packet in packets)


def pieces(body: bytes, eio: int, limit: int) -> list[Piece]:
    """The packets of a body, each of at most `limit` bytes; of an empty body one that says nothing. Raises
    BrokenTransport or TooLarge."""
    found = []
    for text in body.split(SEPARATOR) if eio == 4 or not body else _older(body):
        if len(text) > limit:
            raise TooLarge("message_too_large", f"one packet has more than {limit} bytes")
        if text.startswith(b"b"):
            found.append(Piece(_attachment(text[1:] if eio == 4 else text[2:], eio), binary=True))
        else:
            found.append(Piece(text))
    return found


def _attachment(text: bytes, eio: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise protocol_error("an attachment is not base64") from exc
    return data if eio == 4 else MESSAGE_BYTE + data


def _older(body: bytes) -> Iterator[bytes]:
    try:
        units = body.decode().encode("utf-16-le", "surrogatepass")
    except UnicodeDecodeError as exc:
        raise BrokenTransport("utf8_invalid", f"byte {exc.start} of a body is not UTF-8") from exc
    at = 0
    while at < len(units):
        end = units.find(COLON, at, at + 2 * LONGEST_LENGTH + 2)
        while end >= 0 and (end - at) % 2:
            end = units.find(COLON, end + 1, at + 2 * LONGEST_LENGTH + 2)
        digits = units[at:end].decode("utf-16-le", "replace") if end >= 0 else ""
        if not (digits.isascii() and digits.isdecimal()):
            raise protocol_error("a body of long polling has a packet without its length")
        begin = end + 2
        at = begin + 2 * int(digits)
        if at > len(units):
            raise protocol_error("a body of long polling ends before its last packet does")
        yield units[begin:at].decode("utf-16-le", "replace").encode()

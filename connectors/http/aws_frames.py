"""Amazon's event streams (application/vnd.amazon.eventstream) without I/O, for both lanes: bytes in any split, the
payloads of whole messages out.

By hand because the only library for Python 3.11 is botocore, with descriptions of all services; Amazon's leaner ones
need Python 3.12. A message is its length and that of its headers, a CRC-32 of both, the headers, the payload, and a
CRC-32 of all that.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from connectors.content.said_errors import event_text
from connectors.errors import BadAnswer, BrokenTransport, TooLarge
from connectors.timeline import Timeline
from connectors.timeline.named import UNNAMED, named_data

_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_AROUND: Final = _PRELUDE.size + _CRC.size
"""Bytes of a message beside its headers and its payload."""
_FIXED: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""By type of a header: the size of its value."""
_BYTES, _STRING = 6, 7
"""Types whose values say their size."""
_REMEMBERED: Final = 512
"""Size up to which headers are remembered: they are the same from message to message."""


class Head(NamedTuple):
    """What the headers of a message say. `failure`: the code of an exception or an error, whose words `said` has if
    the payload has none."""

    name: str
    failure: str = ""
    said: str = ""


class AwsFrames:
    """`feed` returns the payload of each whole event, and tells `timeline` its name before. Raises BadAnswer for an
    exception or an error among them, BrokenTransport for what is no message, and TooLarge for one of more than `limit`
    bytes."""

    __slots__ = ("_limit", "_tail", "_timeline", "_wanted")

    def __init__(self, limit: int, timeline: Timeline) -> None:
        self._limit = limit
        self._timeline = timeline
        self._tail = bytearray()
        self._wanted = _PRELUDE.size
        """Bytes without which nothing more can be said."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        tail = self._tail
        tail += data
        at = 0
        while len(tail) - at >= self._wanted:
            size, header_size = self._sizes(tail, at)
            if len(tail) - at < size:
                self._wanted = size
                break
            self._wanted = _PRELUDE.size
            message = bytes(tail[at : at + size])
            at += size
            payload = self._event(message, header_size)
            if payload:
                yield payload
        del tail[:at]

    def rest(self) -> bytes:
        """Nothing, at the end of the stream. Raises BadAnswer (stream_incomplete)."""
        if self._tail:
            raise BadAnswer("stream_incomplete", "the stream ended in the middle of a message")
        return b""

    def _sizes(self, tail: bytearray, at: int) -> tuple[int, int]:
        """Of the message that begins there, and of its headers."""
        size, header_size, crc = _PRELUDE.unpack_from(tail, at)
        if zlib.crc32(tail[at : at + 8]) != crc:
            raise _malformed("the checksum of a message's beginning is wrong")
        if size < _AROUND or header_size > size - _AROUND:
            raise _malformed(f"a message of {size} bytes cannot have {header_size} bytes of headers")
        if size > self._limit:
            raise TooLarge("event_too_large", f"one message of the stream has {size} bytes, more than {self._limit}")
        return size, header_size

    def _event(self, message: bytes, header_size: int) -> bytes:
        if zlib.crc32(message[: -_CRC.size]) != _CRC.unpack_from(message, len(message) - _CRC.size)[0]:
            raise _malformed("the checksum of a message is wrong")
        headers_end = _PRELUDE.size + header_size
        headers, payload = message[_PRELUDE.size : headers_end], message[headers_end : -_CRC.size]
        head = _remembered(headers) if header_size <= _REMEMBERED else _head(headers)
        if head.failure:
            self._timeline.done_ns = None  # an answer that had ended is not complete then
            raise BadAnswer("target_error", event_text(head.failure, payload or head.said.encode()))
        return named_data(self._timeline, head.name, payload)


def _malformed(what: str) -> BrokenTransport:
    return BrokenTransport("eventstream_malformed", what, "is the target's protocol aws-eventstream?")


def _head(headers: bytes) -> Head:
    given = dict(_strings(headers))
    kind = given.get(":message-type", "event")
    if kind == "exception":
        return Head("", given.get(":exception-type") or kind)
    if kind == "error":
        return Head("", given.get(":error-code") or kind, given.get(":error-message", ""))
    return Head(given.get(":event-type") or UNNAMED)


_remembered = lru_cache(maxsize=64)(_head)


def _strings(headers: bytes) -> Iterator[tuple[str, str]]:
    """The headers that are texts. Raises BrokenTransport for what are no headers, or one that comes twice."""
    seen: set[bytes] = set()
    at, end = 0, len(headers)
    while at < end:
        name_end = at + 1 + headers[at]
        name, kind = headers[at + 1 : name_end], headers[name_end] if name_end < end else -1
        at = name_end + 1
        if kind in {_BYTES, _STRING} and at + 2 <= end:
            size = int.from_bytes(headers[at : at + 2])
            at += 2
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise _malformed("the headers of a message are none")
        if at + size > end or name in seen:
            raise _malformed("a header of a message is longer than all of them, or comes twice")
        seen.add(name)
        if kind == _STRING:
            yield name.decode(errors="replace"), headers[at : at + size].decode(errors="replace")
        at += size


def encode_message(headers: Iterable[tuple[str, str]], payload: bytes) -> bytes:
    """A message with headers that are texts."""
    packed = b"".join(
        b"%c%b%c%b%b" % (len(name), name.encode(), _STRING, len(value.encode()).to_bytes(2), value.encode())
        for name, value in headers
    )
    begin = struct.pack(">II", _AROUND + len(packed) + len(payload), len(packed))
    message = b"".join((begin, _CRC.pack(zlib.crc32(begin)), packed, payload))
    return message + _CRC.pack(zlib.crc32(message))

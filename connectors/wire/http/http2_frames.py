"""Splits what an HTTP/2 connection receives into frames. No I/O.

DATA frames of streamed answers, which are nearly all that comes, go from here to their streams; h2 (hyper-h2) gets
everything else. Through it a frame costs 8 microseconds, so less than one. GOAWAY stays here too: h2 takes it for the
end of a connection on which answers may still arrive (python-hyper/h2, issue 1181).
"""

from __future__ import annotations

import struct
from typing import Final, Protocol

from h2.connection import H2Connection
from h2.events import Event
from h2.exceptions import DenialOfServiceError, H2Error
from hpack.exceptions import HPACKError
from hyperframe.exceptions import HyperframeError

from connectors.errors import BrokenTransport, TooLarge, TurnError
from connectors.http.http2_codes import unavailable
from connectors.wire.http.http2_stream import FRAME_HEAD_BYTES, Http2Stream

FRAME_BYTES: Final = 16 * 1024
"""The largest frame that we accept, HTTP/2's default."""
_HEAD: Final = struct.Struct(">HBBBI")
_GOAWAY_HEAD: Final = struct.Struct(">II")
_DATA, _HEADERS, _RST_STREAM, _PUSH_PROMISE, _GOAWAY, _CONTINUATION = 0, 1, 3, 5, 7, 9
_END_STREAM, _END_HEADERS, _PADDED = 1, 4, 8
_HTTP1: Final = b"HTTP/1."
_STREAM_BITS: Final = (1 << 31) - 1


class Owner(Protocol):
    """The connection."""

    alive: bool

    def event(self, ns: int, event: Event) -> bool:
        """What h2 found; returns whether it is part of an awaited answer."""

    def ended(self, ns: int, stream: Http2Stream) -> None:
        """The answer is over."""

    def going_away(self, last_stream: int, code: int, said: bytes) -> None: ...


class FrameReader:
    """`consumed`: bytes that count for the connection's window and that h2 does not know of. `begun`: whether a frame
    has come."""

    __slots__ = ("_h2", "_header_limit", "_in_block", "_owner", "_rest", "_streams", "begun", "consumed")

    def __init__(self, h2: H2Connection, streams: dict[int, Http2Stream], owner: Owner, header_limit: int) -> None:
        """`streams`: those that are open, by their numbers."""
        self._h2 = h2
        self._streams = streams
        self._owner = owner
        self._header_limit = header_limit
        self._rest = b""
        self._in_block = False
        """Whether a header block has begun, in which only its own frames may come."""
        self.begun = False
        self.consumed = 0

    def feed(self, ns: int, data: bytes) -> bool:
        """Returns whether some of it is part of an awaited answer. Raises TurnError."""
        if self._rest:
            data = self._rest + data
        if not self.begun and not self._begins(data):
            self._rest = data
            return True
        at, end = 0, len(data)
        answered = False
        streams, unpack, owner = self._streams, _HEAD.unpack_from, self._owner
        while end - at >= FRAME_HEAD_BYTES and owner.alive:
            high, low, kind, flags, number = unpack(data, at)
            size = high << 8 | low
            if size > FRAME_BYTES:
                raise malformed(f"a frame of {size} bytes, and {FRAME_BYTES} are allowed")
            body = at + FRAME_HEAD_BYTES
            after = body + size
            if after > end:
                if kind == _DATA and (stream := streams.get(number)) is not None:
                    stream.last_at = ns  # it is being answered, however slowly
                    answered = True
                break
            if kind == _DATA and (stream := streams.get(number)) is not None and stream.is_plain and not self._in_block:
                self.consumed += size
                if flags & _PADDED:
                    body, after_body = self._unpadded(data, body, after)
                    stream.piece(ns, data[body:after_body], size + FRAME_HEAD_BYTES)
                    answered = answered or after_body > body
                else:
                    stream.piece(ns, data[body:after], size + FRAME_HEAD_BYTES)
                    answered = answered or size > 0
                if flags & _END_STREAM:
                    self._end(ns, stream)
            elif self._other(ns, kind, flags, data[at:after]):
                answered = True
            at = after
        self._rest = data[at:]
        return answered

    def _begins(self, data: bytes) -> bool:
        """Whether enough came to see what is spoken there."""
        if data.startswith(_HTTP1):
            raise unavailable("the port answers in HTTP/1.1")
        self.begun = not _HTTP1.startswith(data[: len(_HTTP1)])
        return self.begun

    def _unpadded(self, data: bytes, body: int, after: int) -> tuple[int, int]:
        """Where the frame's data begins and ends."""
        padding = data[body] if body < after else 0
        if body + 1 + padding > after:
            raise malformed("a frame that is shorter than its padding")
        return body + 1, after - padding

    def _end(self, ns: int, stream: Http2Stream) -> None:
        """Its last frame. h2 has seen no data of it: where a length was declared, which h2 would miss, it is told that
        the stream was reset."""
        if stream.length is None:
            self._library(ns, _HEAD.pack(0, 0, _DATA, _END_STREAM, stream.id))
        else:
            self._owner.ended(ns, stream)
            self._library(ns, _HEAD.pack(0, 4, _RST_STREAM, 0, stream.id) + bytes(4))

    def _other(self, ns: int, kind: int, flags: int, frame: bytes) -> bool:
        """Whatever is not a plain piece of an answer."""
        if kind == _GOAWAY and not self._in_block and len(frame) >= FRAME_HEAD_BYTES + _GOAWAY_HEAD.size:
            last, code = _GOAWAY_HEAD.unpack_from(frame, FRAME_HEAD_BYTES)
            self._owner.going_away(last & _STREAM_BITS, code, frame[FRAME_HEAD_BYTES + _GOAWAY_HEAD.size :])
            return False
        if kind in {_HEADERS, _PUSH_PROMISE, _CONTINUATION}:
            self._in_block = not flags & _END_HEADERS
        return self._library(ns, frame)

    def _library(self, ns: int, frame: bytes) -> bool:
        """One frame for h2."""
        answered = False
        try:
            for event in self._h2.receive_data(frame):
                answered = self._owner.event(ns, event) or answered
        except DenialOfServiceError as exc:
            raise TooLarge("header_too_large", f"the headers have more than {self._header_limit} bytes") from exc
        except (H2Error, HPACKError, HyperframeError) as exc:
            raise malformed(str(exc) or type(exc).__name__) from exc
        return answered


def malformed(what: str) -> BrokenTransport:
    return BrokenTransport("http_malformed", f"the target breaks the rules of HTTP/2: {what}")


def same(failure: TurnError) -> TurnError:
    """The same failure for another turn."""
    copy = type(failure).__new__(type(failure))
    TurnError.__init__(copy, failure.code, failure.detail, failure.advice)
    copy.__cause__ = failure.__cause__
    return copy

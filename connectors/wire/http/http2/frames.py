"""Splits what an HTTP/2 connection receives into frames. No I/O.

DATA frames of streamed answers, which are nearly all that comes, go from here to their streams; h2 (hyper-h2) gets
everything else. Through it a frame costs 8 microseconds, so less than one. GOAWAY stays here too: h2 takes it for the
end of a connection on which answers may still arrive (python-hyper/h2, issue 1181).
"""

from __future__ import annotations

from typing import Final, Protocol

from h2.connection import H2Connection
from h2.events import Event
from h2.exceptions import DenialOfServiceError, H2Error
from hpack.exceptions import HPACKError
from hyperframe.exceptions import HyperframeError

from connectors.errors import TooLarge, TurnError
from connectors.http.http2_codes import in_words
from connectors.http.http2_flood import FloodLimit, begins, malformed, overlong, padded
from connectors.http.http2_format import (
    DATA,
    END_STREAM,
    FRAME_BYTES,
    FRAME_HEAD_BYTES,
    GOAWAY,
    GOAWAY_HEAD,
    HEAD,
    PADDED,
    RST_STREAM,
    SIZE_AND_KIND,
    STREAM_BITS,
)
from connectors.spec import Limits
from connectors.wire.http.http2.stream import Http2Stream

WINDOW: Final = 1 << 30
"""Bytes that may be on their way to us, on a stream and on a connection. We read at once, and `limits` say what is
kept: with less, the target would wait for us."""
_head_at: Final = SIZE_AND_KIND.unpack_from


class Owner(Protocol):
    """The connection."""

    alive: bool

    def event(self, ns: int, event: Event) -> bool:
        """What h2 found; returns whether it is part of an awaited answer."""

    def ended(self, ns: int, stream: Http2Stream) -> None:
        """The answer is over."""

    def going_away(self, last_stream: int, code: int, said: bytes) -> None: ...

    def reply(self) -> None:
        """What came is to be answered, or may be. Raises TurnError."""

    def fail(self, failure: TurnError) -> None:
        """What came breaks the rules."""


class FrameReader:
    """`consumed`: bytes that count for the connection's window and that h2 does not know of. `late`: bytes of streams
    that are over, since the last of them was cancelled. `read_ns`: when something came last. `lacking`: how many bytes
    are missing of the frame that has begun."""

    __slots__ = (
        "_begun", "_body_limit", "_flood", "_h2", "_is_calm", "_owner", "_rest", "_streams", "consumed", "lacking",
        "late", "read_ns",
    )  # fmt: skip

    def __init__(self, h2: H2Connection, streams: dict[int, Http2Stream], owner: Owner, limits: Limits) -> None:
        """`streams`: those that are open, by their numbers."""
        self._h2 = h2
        self._streams = streams
        self._owner = owner
        self._body_limit = limits.body_bytes
        self._flood = FloodLimit(limits.header_bytes)
        self._rest = b""
        self._begun = self._is_calm = False
        self.consumed = self.late = self.read_ns = self.lacking = 0

    def receive(self, ns: int, data: bytes) -> None:
        """A read. Nearly each is one event of a token stream: a plain frame of data, and nothing else."""
        self.read_ns = ns
        if self._is_calm and (size := len(data)) > FRAME_HEAD_BYTES and self.consumed < WINDOW // 2:
            size_and_kind, flags, number = _head_at(data, 0)
            body = size - FRAME_HEAD_BYTES
            if size_and_kind == body << 8 and not flags:
                stream = self._streams.get(number)
                if stream is not None and stream.is_plain:
                    self.consumed += body
                    stream.piece(ns, data[FRAME_HEAD_BYTES:], size)
                    return
        if not self._owner.alive:
            return
        if self._rest:
            data = self._rest + data
        try:
            if self._begun or self._begins(data):
                self._feed(ns, data)
            self._owner.reply()
        except TurnError as exc:
            self._owner.fail(exc)

    def _begins(self, data: bytes) -> bool:
        """Whether enough has come to know that it is HTTP/2. Raises TurnError if it is not."""
        self._rest = data
        self._begun = begins(data)
        return self._begun

    def _feed(self, ns: int, data: bytes) -> None:
        """What is there of the frames, from the beginning of one."""
        at, end = 0, len(data)
        answered = late = lacking = 0
        streams, owner, flood = self._streams, self._owner, self._flood
        while end - at >= FRAME_HEAD_BYTES and owner.alive:
            size_and_kind, flags, number = _head_at(data, at)
            size, kind = size_and_kind >> 8, size_and_kind & 255
            if size > FRAME_BYTES:
                raise overlong(size)
            body = at + FRAME_HEAD_BYTES
            after = body + size
            if after > end:
                lacking = after - end
                if kind == DATA and (stream := streams.get(number)) is not None:
                    self._part(ns, stream, size, data[body:] if flags & PADDED else None)
                break
            if kind == DATA and (stream := streams.get(number)) is not None and stream.is_plain and not flood.in_block:
                self.consumed += size
                first, last = padded(data, body, after) if flags & PADDED else (body, after)
                stream.piece(ns, data[first:last], size + FRAME_HEAD_BYTES)
                if first < last or flags & END_STREAM:
                    answered += last - first + FRAME_HEAD_BYTES
                if flags & END_STREAM:
                    self._end(ns, stream)
            elif kind == DATA and number not in streams:
                late += self._late(ns, number, data[at:after])
            elif self._other(ns, kind, flags, data[at:after]):
                answered += after - at
            at = after
        self._rest = data[at:]
        self.lacking = lacking
        if (beside := at - answered - late) or flood.beside:
            flood.count(ns, beside, answered)
        self._is_calm = not (self._rest or flood.beside or flood.in_block)

    def _part(self, ns: int, stream: Http2Stream, size: int, padded_body: bytes | None) -> None:
        """The beginning of a frame of data: an answer that comes slowly is one, and padding is none."""
        if padded_body is None or (padded_body and padded_body[0] + 1 < size):
            stream.last_at = ns

    def _late(self, ns: int, number: int, frame: bytes) -> int:
        """Data that was on its way when its stream ended. Returns how much of it is no flood."""
        self._library(ns, frame)
        size = len(frame) - FRAME_HEAD_BYTES
        self.late += size
        return size if self.late <= self._body_limit else 0

    def _end(self, ns: int, stream: Http2Stream) -> None:
        """Its last frame. h2 has seen no data of it: where a length was declared, which h2 would miss, it is told that
        the stream was reset."""
        if stream.length is None:
            self._library(ns, HEAD.pack(0, 0, DATA, END_STREAM, stream.id))
        else:
            self._owner.ended(ns, stream)
            self._library(ns, HEAD.pack(0, 4, RST_STREAM, 0, stream.id) + bytes(4))

    def _other(self, ns: int, kind: int, flags: int, frame: bytes) -> bool:
        """Whatever is not a plain piece of an answer."""
        if kind == GOAWAY and not self._flood.in_block and len(frame) >= FRAME_HEAD_BYTES + GOAWAY_HEAD.size:
            last, code = GOAWAY_HEAD.unpack_from(frame, FRAME_HEAD_BYTES)
            self._owner.going_away(last & STREAM_BITS, code, frame[FRAME_HEAD_BYTES + GOAWAY_HEAD.size :])
            return False
        self._flood.follow_block(kind, flags, len(frame))
        return self._library(ns, frame)

    def _library(self, ns: int, frame: bytes) -> bool:
        """One frame for h2."""
        answered = False
        try:
            for event in self._h2.receive_data(frame):
                answered = self._owner.event(ns, event) or answered
        except DenialOfServiceError as exc:
            raise TooLarge("header_too_large", "the headers, unpacked, have more bytes than are allowed") from exc
        except (H2Error, HPACKError, HyperframeError) as exc:
            raise malformed(in_words(exc)) from exc
        return answered


def same(failure: TurnError) -> TurnError:
    """The same failure for another turn."""
    copy = type(failure).__new__(type(failure))
    TurnError.__init__(copy, failure.code, failure.detail, failure.advice)
    copy.__cause__ = failure.__cause__
    return copy

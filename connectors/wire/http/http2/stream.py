"""One request over HTTP/2 and its answer, on a connection that others use too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from connectors.content.heads import AnswerHead, add_header
from connectors.errors import BrokenTransport, NotProcessed, TurnError
from connectors.http.http2_codes import bad_status, error_name, reset_failure
from connectors.http.http2_format import FRAME_HEAD_BYTES
from connectors.timeline import Timeline
from connectors.timeline.heads import HeadTimeline
from connectors.wire.http.body_reader import NO_BODY_STATUS, BodyReader
from connectors.wire.http.header_names import NAMES, known_name
from connectors.wire.http.http2.wakes import wakes

OF_A_HEADER = 4
"""Bytes that a header counts beside its name and value, as in HTTP/1.1: compressed, it has no size of its own."""


class Carrier(Protocol):
    """The connection of a stream."""

    def forget(self, stream: Http2Stream) -> None:
        """Nothing more comes on it."""


class Http2Stream:
    """`turn` is done soon after the answer is complete, which `is_over` says. `waiter`: who waits for the end of a body
    behind its answer's end. `is_plain`: the headers have come, and data may. `holds`: it counts as one of the streams
    that the target allows. `length`: of the body, as its headers have it; `size`: what came of it."""

    __slots__ = (
        "_carrier", "_wakes", "answer", "ended", "has_body", "holds", "id", "is_over", "is_plain", "last_at", "length",
        "sent_at", "size", "timeline", "turn", "unsent", "url", "waiter",
    )  # fmt: skip

    def __init__(self, carrier: Carrier, answer: BodyReader, timeline: Timeline, *, has_body: bool) -> None:
        """`has_body`: the answer's headers mean its body by a length."""
        self._carrier = carrier
        self.answer = answer
        self.timeline: Timeline | None = timeline
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.id = 0
        self.url = ""
        self.unsent = memoryview(b"")
        """What the target's flow control holds back of the request's body."""
        self.holds = True
        self.is_plain = self.ended = self.is_over = False
        self._wakes = wakes()
        self.has_body = has_body
        self.length: int | None = None
        self.size = self.sent_at = self.last_at = 0
        self.waiter: asyncio.Future[None] | None = None

    def headers(self, ns: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Those of the final answer."""
        self.last_at = ns
        timeline, answer = self.timeline, self.answer
        if timeline is None:
            return
        if timeline.first_byte_ns is None:
            timeline.first_byte_ns = ns
        timeline.bytes_in += FRAME_HEAD_BYTES
        status = b""
        for name, value in headers:
            timeline.bytes_in += len(name) + len(value) + OF_A_HEADER
            known = NAMES.get(name)
            if known is None:
                known = known_name(name)
            if known == b"content-length":
                if name == known and self.has_body:
                    self.length = int(value)  # h2 lets no such header through that is no number
            elif known:
                answer.header(known, value)
            elif name == b":status":
                status = status + b", " + value if status else value
        answer.ns = ns
        self.is_plain = True
        if (wrong := bad_status(status)) is not None:
            self.finish(wrong)
            return
        if isinstance(timeline, HeadTimeline):
            timeline.head(AnswerHead(int(status), self.url, joined(headers), tuple(answer.set_cookies)))
        answer.headers_over(int(status))
        if answer.failure is not None:
            self.finish(answer.failure)

    def piece(self, ns: int, data: bytes, size: int) -> None:
        """Of the body; `size` is that of the whole frame."""
        timeline, answer = self.timeline, self.answer
        if timeline is None:
            return  # the answer is over, or nobody waits for it
        if data:
            self.last_at = ns
            self.size += len(data)
        timeline.bytes_in += size
        answer.ns = ns
        answer.on_body(data)
        if answer.failure is not None:
            self.finish(answer.failure)
        elif timeline.done_ns is not None:
            self.finish(None)

    def end(self, ns: int) -> None:
        """The target has said that the answer is over."""
        self.close()
        if self.timeline is not None:
            self.answer.ns = ns
            if self.length is not None and self.size != self.length and self.answer.status not in NO_BODY_STATUS:
                what = f"the target declared {self.length} bytes of body and sent {self.size}"
                self.finish(BrokenTransport("body_truncated" if self.size < self.length else "http_malformed", what))
                return
            self.answer.on_message_complete()
            self.finish(self.answer.failure)

    def reset(self, code: int) -> None:
        """The target wants no more of it."""
        self.close()
        timeline = self.timeline
        if timeline is None or timeline.done_ns is not None:
            self.finish(None)
        elif error_name(code) == "REFUSED_STREAM":
            self.finish(NotProcessed("the target refused the stream (REFUSED_STREAM)"))
        else:
            self.finish(reset_failure(code, timeline.bytes_in))

    def lost(self, failure: TurnError) -> None:
        """Its connection is over."""
        self.close()
        if self.answer.status and type(failure) is BrokenTransport and failure.code == "connection_closed":
            failure = BrokenTransport("body_truncated", "the target closed in the middle of the body")
        self.finish(failure)

    def close(self) -> None:
        """Nothing more comes."""
        self.ended = True
        self.unsent = memoryview(b"")
        self._carrier.forget(self)
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def finish(self, failure: TurnError | None) -> None:
        """The turn is over; the first call counts. What fails behind the end of an answer costs nobody anything."""
        if self.is_over or self.turn.done():
            return
        self.is_over = True
        if failure is None or (self.timeline is not None and self.timeline.done_ns is not None):
            self._wakes.wake(self.turn)
        else:
            self.turn.set_exception(failure)


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as values are saved from them: by names in lower case, without pseudo-headers and cookies."""
    found: dict[str, str] = {}
    for name, value in headers:
        if not name.startswith(b":"):
            add_header(found, name, value)
    return found

"""HTTP/1.1 of the load lane: llhttp (`httptools`) over a stamped stream, one connection per user.

By hand because clients such as aiohttp and httpx read no kernel time stamps and take several times the CPU. Here bytes
go from the socket's callback through the parser into the Timeline, and a turn awaits one future alone, at its end.
"""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar, Final

import httptools

from connectors.content.foreign import unanswered_advice
from connectors.content.styles import Style
from connectors.deadlines import next_deadline, timed_out
from connectors.errors import Aborted, BrokenTransport, ClosedUnsent, ReusedClosed, TurnError
from connectors.http.headers import ANOTHER_ANSWER, RequestEncoder
from connectors.mapping.request import RenderedRequest
from connectors.network.failures import stream_failure
from connectors.spec import Limits, Timeouts
from connectors.timeline import Timeline
from connectors.waits import BODY_WAIT_S, REUSED_CLOSED_S, TIMER_S
from connectors.wire.http.answer import AnswerReader
from connectors.wire.transport.clock import not_before
from connectors.wire.transport.stream import StampedStream

DRAIN_S: Final = 1.0
"""How long a body may go on after the stream's end mark while nothing is sent; then its connection is closed."""
REUSED_CLOSED_NS: Final = int(REUSED_CLOSED_S * 1e9)


class HttpConnection:
    """One connection; at most one turn in flight. `usable` says whether another turn may be sent on it.

    A turn is over at the end mark of its answer. Until the body ends, too, the connection is `draining`, not usable.
    `answer` has what the headers of the last answer said; `unasked` counts answers that came while nothing was asked.
    `_timeline` is that of the request that was sent: a turn's may have others before.
    """

    __slots__ = (
        "_encoder",
        "_last_at",
        "_loop",
        "_over_ns",
        "_patience_ns",
        "_reused",
        "_sent_at",
        "_stream",
        "_timeline",
        "_timeouts",
        "_timer",
        "_turn",
        "_waiter",
        "answer",
        "draining",
        "unasked",
        "usable",
    )
    reader: ClassVar[type[AnswerReader]] = AnswerReader

    def __init__(self, stream: StampedStream, limits: Limits, timeouts: Timeouts, encoder: RequestEncoder) -> None:
        """`encoder` says in which style to ask, and serves one connection after the other."""
        self._loop = asyncio.get_running_loop()
        self._stream = stream
        self.answer = self.reader(limits, self, encoder.style)
        self._timeouts = timeouts
        # As in `Turn`: a deadline that begins meanwhile must not find the timer set to a later one.
        self._patience_ns = int(min(timeouts.first_byte, timeouts.idle, timeouts.total) * 1e9)
        self._encoder = encoder
        self._timer: asyncio.TimerHandle | None = None
        self._timeline: Timeline | None = None
        self._turn: asyncio.Future[None] | None = None
        self._over_ns = 0
        self._reused = False
        self._waiter: asyncio.Future[None] | None = None
        self.draining = False
        self.usable = True
        self.unasked = 0
        stream.start(self)

    def restyle(self, style: Style) -> None:
        """What follows is asked for, and read, in another style."""
        self._encoder.restyle(style)
        self.answer.restyle(style)

    async def exchange(self, request: RenderedRequest, timeline: Timeline) -> tuple[int, int] | None:
        """Send `request` and return when its answer is complete. Raises TurnError. A cancelled turn closes the
        connection. Returns from when to when (monotonic ns) it waited for what an answer may tell behind its end."""
        answer, data = self.answer, self._encoder.encode(request)
        turn = self._turn = self._loop.create_future()
        answer.begin(timeline, is_head=request.method == "HEAD")
        # Not at once, but with all others of this turn of the loop: sent one by one between other work, each request
        # would wake a target on the same host anew, which costs the sender more than sending.
        self._loop.call_soon(self._send, turn, timeline, data)
        try:
            await turn
            if not answer.whole and timeline.lacks_usage:
                return await self._hear_usage(timeline)
        except asyncio.CancelledError:
            self.close()
            if timeline.done_ns is None:
                raise Aborted from None
        finally:
            self._turn = self._timeline = None
            answer.end()
            self._reused = True
            if not (self.usable or self.draining):
                self.close()
        return None

    async def _hear_usage(self, timeline: Timeline) -> tuple[int, int]:
        """Some servers say behind the end mark, in a packet of its own, what an answer used. Raises TurnError if one
        says there that the answer failed."""
        ends_here = not (self.usable or self.draining)
        self.draining = True
        await self.drained()
        if self.answer.failure is not None and timeline.done_ns is None:
            raise self.answer.failure
        if ends_here:
            self.usable = self.draining = False
        return self._over_ns, time.monotonic_ns()

    async def drained(self) -> None:
        """Wait for the end of a body until BODY_WAIT_S after its answer's, at most. `usable` says whether it came."""
        left_s = BODY_WAIT_S - (time.monotonic_ns() - self._over_ns) / 1e9
        if self.draining and left_s > TIMER_S:
            self._waiter = self._loop.create_future()
            await asyncio.wait([self._waiter], timeout=left_s)

    def _send(self, turn: asyncio.Future[None], timeline: Timeline, data: bytes) -> None:
        if turn.done():
            return  # cancelled, or the connection closed first: nothing was sent
        self._timeline = timeline
        self._sent_at = self._last_at = now_ns = not_before(timeline.planned_ns)
        timeline.sent(now_ns, len(data))
        self._stream.write(data)
        if self._timer is None:
            self._arm(min(self._patience_ns, self._deadline(timeline)[0] - now_ns))

    def leave(self, request: RenderedRequest) -> None:
        """Send a request whose answer nobody waits for, and close."""
        if self.usable and self._timeline is None:
            self._stream.write(self._encoder.encode(request))
        self.close()

    def close(self) -> None:
        self.usable = False
        self._stop_draining()
        self._stream.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _drain_later(self) -> None:
        """The answer is over and its body is not."""
        self._over_ns = time.monotonic_ns()
        if not self.usable:
            return  # the connection is closed at the end of the answer anyway
        self.usable = False
        self.draining = True
        if self._timer is not None:
            self._timer.cancel()
        self._arm(int(DRAIN_S * 1e9))

    def _drain(self, data: bytes) -> None:
        """More of a body whose turn has ended."""
        answer = self.answer
        answer.beside_body += len(data)
        try:
            answer.feed(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError):
            self.draining = False
        if answer.failure is not None or answer.beside_body > answer.header_limit:
            self.draining = False
        if not self.draining:
            self.close()
        elif answer.whole:
            self._drained()

    def _drained(self) -> None:
        """The body is over, and nothing came after it."""
        self._stop_draining()
        self.usable = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_draining(self) -> None:
        self.draining = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _finish(self, failure: TurnError | None) -> None:
        turn = self._turn
        if failure is not None:
            self.usable = False
            self._stop_draining()
            if self._timeline is not None and self._timeline.done_ns is not None:
                failure = None  # the answer was complete: what its transport does then costs the connection alone
        if turn is None or turn.done():
            return
        if failure is None:
            turn.set_result(None)
        else:
            turn.set_exception(failure)

    def _deadline(self, timeline: Timeline) -> tuple[int, str]:
        """The next deadline of the turn in flight (monotonic ns) and its code."""
        began_ns, last_ns = timeline.sent_ns or 0, None if timeline.first_byte_ns is None else self._last_at
        return next_deadline(self._timeouts, began_ns=began_ns, sent_ns=self._sent_at, last_ns=last_ns)

    def _arm(self, delay_ns: int) -> None:
        self._timer = self._loop.call_later(max(delay_ns, 0) / 1e9, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        if self.draining:
            self.close()
            return
        timeline = self._timeline
        if timeline is None or self._turn is None or self._turn.done():
            return  # the next request arms it again
        due, code = self._deadline(timeline)
        if (left := due - time.monotonic_ns()) > 0:
            self._arm(min(left, self._patience_ns))
        else:
            self._finish(timed_out(code, self._timeouts, timeline.bytes_in))

    def data_received(self, ns: int, data: bytes) -> None:
        timeline = self._timeline
        if timeline is None:
            if self.draining:
                self._drain(data)
                return
            self.unasked += data.startswith(ANOTHER_ANSWER)
            self.close()  # bytes that belong to no answer: whatever they are, they are not the next one's
            self._finish(None if self.answer.whole else ClosedUnsent())
            return
        answer = self.answer
        answer.ns = self._last_at = ns
        timeline.bytes_in += (size := len(data))
        if timeline.first_byte_ns is None:
            timeline.first_byte_ns = ns
        answer.beside_body = beside = answer.beside_body + size
        if beside > answer.header_limit:  # only then can the headers be too long, and each is counted
            answer.header_bytes = beside - size
        feed = answer.feed  # as in `Timeline.event`
        try:
            feed(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as exc:
            answer.unparsable(exc, data, first=timeline.bytes_in == size)
        if answer.failure is not None:
            self._finish(answer.failure)
        elif answer.whole:
            self._timeline = None  # what comes from now on belongs to no answer
            if self.draining:
                self._drained()
            if (turn := self._turn) is not None and not turn.done():
                turn.set_result(None)
        elif timeline.done_ns is not None or answer.beside_body > answer.header_limit:
            self._end_early()

    def _end_early(self) -> None:
        """The body is not over. Its answer is, or there is no end of what is not the answer."""
        if self.answer.beside_body > self.answer.header_limit:
            self._finish(self.answer.endless_headers())
        elif not self.draining:
            self._drain_later()
            self._finish(None)

    def stream_closed(self, ns: int, error: OSError | None) -> None:
        self.usable = False
        self._stop_draining()
        timeline = self._timeline
        if self._turn is None or self._turn.done():
            return
        if timeline is None:
            self._finish(ClosedUnsent())
        elif self._reused and timeline.first_byte_ns is None and ns - self._sent_at < REUSED_CLOSED_NS:
            self._finish(ReusedClosed("closed" if error is None else "reset"))
        elif error is not None:
            self._finish(stream_failure(error, timeline.bytes_in, self._unanswered_advice(timeline)))
        elif timeline.first_byte_ns is None:
            what = "the target closed without a byte of answer"
            self._finish(BrokenTransport("connection_closed", what, self._unanswered_advice(timeline)))
        elif not self.answer.status:
            self._finish(BrokenTransport("connection_closed", "the target closed in the middle of the headers"))
        elif self.answer.until_close:
            self.answer.ns = self._last_at
            self.answer.on_message_complete()
            self._finish(self.answer.failure)
        else:
            self._finish(BrokenTransport("body_truncated", "the target closed in the middle of the body"))

    def _unanswered_advice(self, timeline: Timeline) -> str:
        first = not self._reused and timeline.first_byte_ns is None
        return unanswered_advice(tls=self._stream.is_tls) if first else ""

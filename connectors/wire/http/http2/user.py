"""One user's place on a shared HTTP/2 connection, with what HttpExchange wants of a connection."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from connectors.content.foreign import unanswered_advice
from connectors.content.styles import Style
from connectors.deadlines import next_deadline, timed_out
from connectors.errors import Aborted, ClosedUnsent, ReusedClosed, TimedOut, TurnError
from connectors.http.endpoint import Endpoint
from connectors.http.http2_codes import no_stream, stream_wait_s
from connectors.http.http2_format import FRAME_HEAD_BYTES
from connectors.mapping.request import RenderedRequest
from connectors.timeline import Timeline
from connectors.waits import BODY_WAIT_S, REUSED_CLOSED_S, TIMER_S, note_stream_wait
from connectors.wire.http.body_reader import BodyReader
from connectors.wire.http.http2.connection import Http2Connection
from connectors.wire.http.http2.request import Headers, http2_encoder
from connectors.wire.http.http2.stream import Http2Stream
from connectors.wire.transport.clock import not_before

REST_S: Final = 1.0
"""How long a body may go on after its answer's end: then its stream is reset. As DRAIN_S of HTTP/1.1."""
REUSED_CLOSED_NS: Final = int(REUSED_CLOSED_S * 1e9)


class Http2User:
    """At most one turn in flight. `answer` has what the headers of the last answer said."""

    draining = False
    unasked = 0
    """Answers that came while nothing was asked: streams have numbers, so there are none."""

    def __init__(self, connection: Http2Connection, endpoint: Endpoint, style: Style) -> None:
        """Takes one of the connection's places, for the first request."""
        self._loop = asyncio.get_running_loop()
        self._connection = connection
        self._endpoint = endpoint
        self._timeouts = timeouts = endpoint.timeouts
        self._patience_ns = int(min(timeouts.first_byte, timeouts.idle, timeouts.total) * 1e9)
        self._encoder = http2_encoder(endpoint, style)
        self._style = style
        self._stream: Http2Stream | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._over_ns = 0
        self._served_before = 0
        self.answer = BodyReader(endpoint.limits, style)
        connection.users.add(self)
        connection.reserved += 1
        self._has_place = True

    @property
    def usable(self) -> bool:
        """Whether another turn may be sent."""
        connection = self._connection
        if not connection.open or self not in connection.users:
            return False
        return self._has_place or connection.has_room or self._leaves_one_open

    @property
    def _leaves_one_open(self) -> bool:
        """Whether the body of the last answer is not over, which the next request ends."""
        return self._stream is not None and not self._stream.ended

    def restyle(self, style: Style) -> None:
        """What follows is asked for, and read, in another style."""
        self._style = style
        self._encoder.restyle(style)

    async def drained(self) -> None:
        """There is nothing to wait for: others may be asked while a body goes on."""

    async def exchange(self, request: RenderedRequest, timeline: Timeline) -> tuple[int, int] | None:
        """As `HttpConnection.exchange`. A cancelled turn resets its stream."""
        connection = self._connection
        headers, body = self._encoder.encode(request)
        if self._stream is not None:
            connection.cancel(self._stream)
        await self._take_stream(timeline)
        answer = self.answer = BodyReader(self._endpoint.limits, self._style)
        is_head = request.method == "HEAD"
        answer.begin(timeline, is_head=is_head)
        stream = self._stream = Http2Stream(connection, answer, timeline, has_body=not is_head)
        stream.url = f"{self._endpoint.origin}{request.path}"
        self._loop.call_soon(self._send, stream, headers, body)  # with all others: see HttpConnection.exchange
        try:
            await stream.turn
            if not answer.whole and timeline.lacks_usage:
                return await self._hear_usage(stream, timeline)
        except asyncio.CancelledError:
            connection.cancel(stream)
            if timeline.done_ns is None:
                raise Aborted from None
        except TurnError as exc:
            connection.cancel(stream)
            raise self._understood(exc, stream, timeline) from exc.__cause__
        finally:
            self._let_go(stream)
        return None

    async def _take_stream(self, timeline: Timeline) -> None:
        """One of those that the target allows. Raises ClosedUnsent if another connection is to be used."""
        connection = self._connection
        if not self._has_place:
            connection.check()
            if not connection.has_room:
                raise ClosedUnsent
            self._has_place = True
            connection.reserved += 1
        connection.check()
        if connection.limit.is_reached:
            await self._wait_for_stream(timeline)
        else:
            connection.limit.active += 1
        self._give_up_place()

    async def _wait_for_stream(self, timeline: Timeline) -> None:
        connection = self._connection
        began_ns = time.monotonic_ns()
        try:
            async with asyncio.timeout(stream_wait_s(self._timeouts)):
                await connection.limit.wait()
        except TimeoutError as exc:
            raise no_stream(self._timeouts, connection.limit.allowed) from exc
        except asyncio.CancelledError:
            raise Aborted from None
        note_stream_wait(timeline, time.monotonic_ns() - began_ns)

    def _give_up_place(self) -> None:
        if self._has_place:
            self._has_place = False
            self._connection.reserved -= 1

    def _send(self, stream: Http2Stream, headers: Headers, body: bytes) -> None:
        timeline = stream.timeline
        if stream.turn.done() or timeline is None:
            stream.close()  # cancelled before anything was sent
            return
        connection = self._connection
        self._served_before = connection.served
        try:
            data = connection.begin(stream, headers, body)
        except TurnError as exc:
            stream.finish(exc)
            return
        stream.sent_at = stream.last_at = now_ns = not_before(timeline.planned_ns)
        unsent = len(stream.unsent)
        timeline.sent(now_ns, len(data) + unsent + (FRAME_HEAD_BYTES if unsent else 0))
        connection.write(data)
        if self._timer is None:
            began_ns = timeline.sent_ns or now_ns
            due_ns, _ = next_deadline(self._timeouts, began_ns=began_ns, sent_ns=now_ns, last_ns=None)
            self._arm(min(self._patience_ns, due_ns - now_ns))

    def _let_go(self, stream: Http2Stream) -> None:
        """Nobody waits for it any longer. A body that is not over may end for a while, or else its stream is reset."""
        stream.timeline = None
        stream.answer.end()
        if not stream.ended:
            self._loop.call_later(REST_S, self._connection.cancel, stream)

    async def _hear_usage(self, stream: Http2Stream, timeline: Timeline) -> tuple[int, int]:
        """As `HttpConnection._hear_usage`."""
        over_ns = time.monotonic_ns()
        if not stream.ended:
            stream.waiter = self._loop.create_future()
            await asyncio.wait([stream.waiter], timeout=max(BODY_WAIT_S, TIMER_S))
        if stream.answer.failure is not None and timeline.done_ns is None:
            raise stream.answer.failure
        return over_ns, time.monotonic_ns()

    def _understood(self, failure: TurnError, stream: Http2Stream, timeline: Timeline) -> TurnError:
        """What the end of the connection means for this turn."""
        if isinstance(failure, TimedOut) and self._connection.read_ns < stream.sent_at:
            self._connection.open = False  # not a byte came since: it may be dead
        if failure.code not in {"connection_closed", "connection_reset"} or isinstance(failure, ClosedUnsent):
            return failure
        if timeline.first_byte_ns is not None:
            return failure
        if self._served_before and time.monotonic_ns() - stream.sent_at < REUSED_CLOSED_NS:
            return ReusedClosed("closed" if failure.code == "connection_closed" else "reset")
        failure.advice = failure.advice or unanswered_advice(tls=self._connection.is_tls)
        return failure

    def close(self) -> None:
        """Leave the connection; the last one closes it."""
        connection = self._connection
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self not in connection.users:
            return
        self._give_up_place()
        connection.users.discard(self)
        if not connection.users:
            connection.close()
        elif self._stream is not None:
            connection.cancel(self._stream)

    # --- deadlines, as those of HttpConnection ---------------------------------------------------------------------

    def _arm(self, delay_ns: int) -> None:
        self._timer = self._loop.call_later(max(delay_ns, 0) / 1e9, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        stream = self._stream
        timeline = None if stream is None else stream.timeline
        if stream is None or timeline is None or stream.is_over or timeline.sent_ns is None or not stream.sent_at:
            return  # the next request arms it again
        last_ns = None if timeline.first_byte_ns is None else stream.last_at
        due_ns, code = next_deadline(self._timeouts, began_ns=timeline.sent_ns, sent_ns=stream.sent_at, last_ns=last_ns)
        if (left_ns := due_ns - time.monotonic_ns()) > 0:
            self._arm(min(left_ns, self._patience_ns))
        else:
            stream.finish(timed_out(code, self._timeouts, timeline.bytes_in))

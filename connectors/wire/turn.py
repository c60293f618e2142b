"""The turn in flight on a connection that carries messages: its future, deadlines and byte limit.

What HTTP ties to its own parser (`connectors.wire.http.connection`) is here for protocols whose messages come whole.
Nothing is awaited per message; one timer serves a connection for as long as it lives.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from connectors.deadlines import next_deadline, timed_out
from connectors.errors import Aborted, TooLarge, TurnError
from connectors.spec import Limits, TargetSpec, Timeouts
from connectors.timeline import Timeline
from connectors.wire.transport.clock import not_before

Idle = Callable[[bytes, int], None]
"""Takes a message that belongs to no turn, and when it arrived."""


class Turn:
    """At most one `exchange` at a time. The connection calls `bytes_read`, `answer_begun`, `message` and `fail`."""

    __slots__ = (
        "_body_limit",
        "_future",
        "_idle",
        "_last_at",
        "_loop",
        "_message_bytes",
        "_patience_ns",
        "_sent_at",
        "_timeline",
        "_timeouts",
        "_timer",
    )

    def __init__(self, limits: Limits, timeouts: Timeouts, idle: Idle | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle = idle
        self._body_limit = limits.body_bytes
        self._timeouts = timeouts
        # The timer is never further away than the shortest time limit, or a deadline that begins meanwhile would
        # find it set to a later one.
        self._patience_ns = int(min(timeouts.first_byte, timeouts.idle, timeouts.total) * 1e9)
        self._future: asyncio.Future[None] | None = None
        self._timeline: Timeline | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._message_bytes = 0
        self._sent_at = self._last_at = 0

    @property
    def sent(self) -> bool:
        """Whether a request was written whose answer is not complete: what comes now belongs to it."""
        future, timeline = self._future, self._timeline
        return future is not None and not future.done() and timeline is not None and timeline.sent_ns is not None

    async def exchange(self, timeline: Timeline, write: Callable[[], int]) -> None:
        """Call `write` (returns bytes) soon, return when the answer is complete. Raises TurnError.

        The caller closes its connection if this raises: what comes after a failure belongs to no turn.
        """
        future = self._future = self._loop.create_future()
        self._timeline = timeline
        self._message_bytes = 0
        # Not at once, but with all others of this turn of the loop: see HttpConnection.exchange.
        self._loop.call_soon(self._send, future, write)
        try:
            await future
        except asyncio.CancelledError:
            if timeline.done_ns is None:
                raise Aborted from None
        finally:
            self._future = self._timeline = None

    def _send(self, future: asyncio.Future[None], write: Callable[[], int]) -> None:
        timeline = self._timeline
        if future.done() or timeline is None:
            return  # cancelled, or the connection closed first: nothing was sent
        self._sent_at = self._last_at = not_before(timeline.planned_ns)
        try:
            timeline.sent(self._sent_at, write())
        except TurnError as exc:
            self.fail(exc)
            return
        if self._timer is None:
            self._arm(min(self._patience_ns, self._deadline(timeline)[0] - self._sent_at))

    def look(self) -> None:
        """Time has passed, or something was said beside the stream."""

    def close(self) -> None:
        """The connection is closed for good: no timer is left behind."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- the connection's calls -------------------------------------------------------------------------------

    def bytes_read(self, ns: int, size: int) -> None:
        """`size` bytes were read, of whatever kind: the connection is not idle."""
        timeline = self._timeline
        if timeline is not None and timeline.sent_ns is not None:
            self._last_at = ns
            timeline.bytes_in += size
            if timeline.bytes_in > self._body_limit:
                self.fail(TooLarge("body_too_large", f"more than {self._body_limit} bytes in one turn"))

    def answer_begun(self, ns: int) -> None:
        """The first bytes of a message arrived, but not its end. Signs of life (a ping) do not count as first byte."""
        timeline = self._timeline
        if timeline is not None and timeline.sent_ns is not None and timeline.first_byte_ns is None:
            timeline.first_byte_ns = ns

    def message(self, ns: int, data: bytes) -> bool:
        """One whole message, for the timeline. False: it belongs to no turn, and there is no `idle`."""
        timeline, future = self._timeline, self._future
        if timeline is None or timeline.sent_ns is None or future is None or future.done():
            if self._has_failed:
                return True
            if self._idle is None:
                return False
            self._idle(data, ns)
            return True
        if timeline.first_byte_ns is None:
            timeline.first_byte_ns = ns
        self._message_bytes += len(data)
        try:
            if self._message_bytes > self._body_limit:
                raise TooLarge("body_too_large", f"the messages of one turn have more than {self._body_limit} bytes")
            timeline.event(ns, data)
            if timeline.done_ns is not None:
                future.set_result(None)
        except TurnError as exc:
            self.fail(exc)
        return True

    @property
    def _has_failed(self) -> bool:
        """Whether what comes now is the rest of an answer that failed: its connection is about to be closed."""
        future = self._future
        return future is not None and future.done() and (future.cancelled() or future.exception() is not None)

    def fail(self, failure: TurnError) -> None:
        """The turn in flight failed; without one, nothing happens. The first failure counts."""
        if self._future is not None and not self._future.done():
            self._future.set_exception(failure)

    # --- deadlines: rearmed only when the timer fires ----------------------------------------------------------

    def _deadline(self, timeline: Timeline) -> tuple[int, str]:
        last_ns = None if timeline.first_byte_ns is None else self._last_at
        began_ns = timeline.sent_ns  # by a message before its own, where there is one
        if began_ns is None:
            began_ns = self._sent_at
        return next_deadline(self._timeouts, began_ns=began_ns, sent_ns=self._sent_at, last_ns=last_ns)

    def _arm(self, delay_ns: int) -> None:
        self._timer = self._loop.call_later(max(delay_ns, 0) / 1e9, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        if self._future is None or self._future.done() or self._timeline is None or self._timeline.sent_ns is None:
            return  # the next turn arms it again
        due, code = self._deadline(self._timeline)
        left = due - time.monotonic_ns()
        if left > 0:
            self._arm(min(left, self._patience_ns))
            return
        self.fail(timed_out(code, self._timeouts, self._timeline.bytes_in, self._timeline.lacking()))


class LookingTurn(Turn):
    """A turn whose answer may be over without another message: its timeline is looked at when it wants to be."""

    __slots__ = ("_look_timer",)

    def __init__(self, limits: Limits, timeouts: Timeouts, idle: Idle | None = None) -> None:
        super().__init__(limits, timeouts, idle)
        self._look_timer: asyncio.TimerHandle | None = None

    def message(self, ns: int, data: bytes) -> bool:
        taken = super().message(ns, data)
        if taken and self._look_timer is None:
            self._look_again()
        return taken

    def look(self) -> None:
        """Whether the answer is complete by now."""
        self._stop_looking()
        timeline, future = self._timeline, self._future
        if timeline is None or future is None or future.done():
            return
        try:
            timeline.look(time.monotonic_ns())
            if timeline.done_ns is not None:
                future.set_result(None)
        except TurnError as exc:
            self.fail(exc)
        else:
            self._look_again()

    def _look_again(self) -> None:
        timeline, future = self._timeline, self._future
        if timeline is None or future is None or future.done():
            return
        now_ns = time.monotonic_ns()
        if (due_ns := timeline.look_at_ns(now_ns)) is not None:
            self._look_timer = self._loop.call_later(max(due_ns - now_ns, 0) / 1e9, self.look)

    def _stop_looking(self) -> None:
        if self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None

    def close(self) -> None:
        super().close()
        self._stop_looking()


def new_turn(spec: TargetSpec, idle: Idle | None = None) -> Turn:
    """The kind of turn that a target's answers need."""
    kind = Turn if spec.reply_to is None and spec.response.quiet_ms is None else LookingTurn
    return kind(spec.limits, spec.timeouts, idle)

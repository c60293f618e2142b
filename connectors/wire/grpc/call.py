"""One gRPC call of the load lane: a task reads it, and a Turn waits for the messages."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any, Final, Protocol

from connectors.errors import TurnError
from connectors.grpc.library import grpc
from connectors.grpc.listener import CallListener
from connectors.grpc.methods import Method
from connectors.grpc.status import call_failure, ended_in_a_turn, wrong_count
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.waits import BODY_WAIT_S
from connectors.wire.transport.clock import arrival_clock
from connectors.wire.turn import LookingTurn, Turn

DONE_GRACE_S: Final = BODY_WAIT_S
"""How long a call's status may follow the answer's end mark; after that the call is cancelled."""
Metadata = tuple[tuple[str, str | bytes], ...]


async def write_all(call: Any, questions: asyncio.Queue[bytes | None]) -> None:
    """Write the items of `questions`, until None."""
    try:
        while (data := await questions.get()) is not None:
            await write(call, data)
        await call.done_writing()
    except (grpc.aio.AioRpcError, asyncio.CancelledError):
        return  # the call has ended: its reader knows how


async def write(call: Any, data: bytes) -> None:
    """As `call.write`, which takes a call that the target has just ended for an error of the library's own, before
    the target's status is read."""
    await call.wait_for_connection()
    try:
        await call._cython_call.send_serialized_message(data)
    except grpc.aio.InternalError:
        return  # the status that is on its way says why


class CallTurn(Turn):
    """A turn whose answer may also be one message, or end with its stream."""

    __slots__ = ()

    def one_frame(self, ns: int) -> None:
        """Without an end mark, a turn on a persistent stream ends with the first message that has text."""
        timeline = self._timeline
        if timeline is not None and timeline.done_ns is None and timeline.chunks:
            self.stream_ended(ns)

    def stream_ended(self, ns: int) -> None:
        self._complete(lambda timeline: timeline.end(ns))

    def whole(self, ns: int, data: bytes) -> None:
        self._complete(lambda timeline: timeline.answer(ns, data))

    def _complete(self, feed: Any) -> None:
        timeline, future = self._timeline, self._future
        if timeline is None or future is None or future.done():
            return
        try:
            feed(timeline)
        except TurnError as exc:
            self.fail(exc)
        else:
            future.set_result(None)


class LookingCallTurn(LookingTurn, CallTurn):
    __slots__ = ()


class GreetedListener(CallListener, Protocol):
    def greeting_failed(self, error: TurnError) -> bool:
        """The call has ended. Returns whether somebody waited for its greeting."""


class WireCall:
    """A call for a turn, or for a conversation if the method is bidirectional. It starts with the first message.

    `over`: the target ended it, with `failure` unless its status was OK.
    """

    def __init__(
        self,
        target: CompiledTarget,
        channel: grpc.aio.Channel,
        method: Method,
        metadata: Metadata,
        listener: GreetedListener,
    ) -> None:
        self._listener = listener
        self._channel: Any = channel  # the library's types do not know methods with messages as bytes
        self._method = method
        self._metadata = metadata
        self._spec = target.spec
        looks = self._spec.reply_to is not None or self._spec.response.quiet_ms is not None
        self._turn = (LookingCallTurn if looks else CallTurn)(self._spec.limits, self._spec.timeouts)
        quiet = self._spec.response.quiet_ms is not None
        self._one_frame = method.persistent and not target.response.needs_done and not quiet
        self._loop = asyncio.get_running_loop()
        self._due_s = math.inf
        self._call: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._questions: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._cancelled = False
        self.over = False
        self.failure: TurnError | None = None

    async def exchange(self, timeline: Timeline, data: bytes) -> None:
        """Send a message; return when its answer is complete. Raises TurnError; the caller then cancels the call."""
        await self._turn.exchange(timeline, lambda: self._send(data))

    def open(self) -> None:
        """Begin the call before the first message, so that the target can greet."""
        self._start(b"")

    async def end(self) -> None:
        """The answer is complete: wait briefly for the call to end by itself. Raises TurnError if its status is not
        OK."""
        self._turn.close()
        if self._reader is not None and not self._reader.done():
            await asyncio.wait([self._reader], timeout=DONE_GRACE_S)
        if self.failure is not None:
            raise self.failure
        self.cancel()

    def leave(self, grace_s: float) -> None:
        """No more messages will be sent: tell the target, and cancel the call if it does not end."""
        self._turn.close()
        self._questions.put_nowait(None)
        if self._reader is not None and not self._reader.done():
            self._loop.call_later(grace_s, self.cancel)

    async def left(self, grace_s: float) -> None:
        """Leave, and return when the call has ended."""
        self.leave(grace_s)
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=2 * grace_s)

    def cancel(self) -> None:
        self._cancelled = True
        self._turn.close()
        if self._call is not None:
            self._call.cancel()

    def _send(self, data: bytes) -> int:
        if self._method.persistent:
            self._questions.put_nowait(data)
        if self._call is None:
            self._start(data)
        return len(data)

    def _start(self, data: bytes) -> None:
        self._call = self._begin(data)
        self._reader = self._loop.create_task(self._read(self._call))
        if self._method.persistent:
            self._writer = self._loop.create_task(write_all(self._call, self._questions))

    def _begin(self, data: bytes) -> Any:
        if self._method.persistent:
            return self._channel.stream_stream(self._method.path)(metadata=self._metadata)
        total_s = self._spec.timeouts.total
        self._due_s = time.monotonic() + total_s
        return self._channel.unary_stream(self._method.path)(data, timeout=total_s, metadata=self._metadata)

    @property
    def _is_current(self) -> bool:
        return self._listener.is_current(self)

    # --- the reader's task ----------------------------------------------------------------------------------------

    async def _read(self, call: Any) -> None:
        try:
            await self._read_to_the_end(call)
        except grpc.aio.AioRpcError as exc:
            due = time.monotonic() >= self._due_s
            self.failure = call_failure(exc.code().name, exc.details() or "", self._spec, due=due)
        except TurnError as exc:
            self.failure = exc
        except asyncio.CancelledError:
            return  # cancelled by us
        self.over = True
        if self._writer is not None:
            self._writer.cancel()
        if self._is_current and self._listener.greeting_failed(self.failure or ended_in_a_turn()):
            return
        if self.failure is not None:
            self._turn.fail(self.failure)

    async def _read_to_the_end(self, call: Any) -> None:
        turn, clock = self._turn, arrival_clock()
        await call.initial_metadata()
        if not call.done():
            turn.bytes_read(now := time.monotonic_ns(), 0)
            turn.answer_begun(now)
        messages, ns, last = 0, time.monotonic_ns(), b""
        while (data := await call.read()) is not grpc.aio.EOF:
            ns = time.monotonic_ns()
            clock.user += 1
            messages += 1
            turn.bytes_read(ns, len(data))
            turn.answer_begun(ns)
            if self._method.streams:
                self._message(ns, data)
            else:
                last = data
        if self._method.persistent:
            turn.fail(ended_in_a_turn())
        elif self._method.streams:
            turn.stream_ended(time.monotonic_ns())
        elif messages == 1:
            turn.whole(ns, self._method.decode(last))
        else:
            raise wrong_count(messages)

    def _message(self, ns: int, data: bytes) -> None:
        turn = self._turn
        try:
            text = self._method.decode(data)
        except TurnError as exc:
            turn.fail(exc)
            return
        if not turn.message(ns, text):
            if self._method.persistent and not self._cancelled:
                tell = self._listener.idle_event if self._is_current else self._listener.unassigned_event
                tell(text, ns)
        elif self._one_frame:
            turn.one_frame(ns)

"""A gRPC call of the reference lane: one thread reads, the caller's thread waits with deadlines."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from connectors.deadlines import next_deadline, timed_out
from connectors.errors import TooLarge, TurnError
from connectors.grpc.library import grpc
from connectors.grpc.listener import CallListener
from connectors.grpc.methods import Method
from connectors.grpc.status import call_failure, ended_in_a_turn, wrong_count
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.waits import BODY_WAIT_S

DONE_GRACE_S: Final = BODY_WAIT_S
"""How long a call's status may follow the answer's end mark; after that the call is cancelled."""
MOST_UNREAD: Final = 16
"""Messages that are read ahead: each may be as large as `limits.event_bytes`."""
Metadata = tuple[tuple[str, str | bytes], ...]


class Came(NamedTuple):
    """What the reader saw at `ns`: the answer's head (neither data nor end), a message, or the call's end."""

    ns: int
    data: bytes | None = None
    ended: bool = False


class ReferenceCall:
    """As the load lane's `WireCall`."""

    def __init__(
        self, target: CompiledTarget, channel: grpc.Channel, method: Method, metadata: Metadata, listener: CallListener
    ) -> None:
        self._listener = listener
        self._channel: Any = channel  # the library's types do not know methods with messages as bytes
        self._method = method
        self._metadata = metadata
        self._spec = target.spec
        quiet = self._spec.response.quiet_ms is not None
        self._one_frame = method.persistent and not target.response.needs_done and not quiet
        self._call: Any = None
        self._reader: threading.Thread | None = None
        self._questions: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._answers: queue.Queue[Came] = queue.Queue(MOST_UNREAD)
        self._asking = False
        self._cancelled = False
        self._sent_ns = self._last_ns = 0
        self._due_s = math.inf
        self.over = False
        self.failure: TurnError | None = None

    def exchange(self, timeline: Timeline, data: bytes) -> None:
        """Send a message; return when its answer is complete. Raises TurnError; the caller then cancels the call."""
        self._drain()
        self._asking = True
        try:
            self._sent_ns = self._last_ns = time.monotonic_ns()
            timeline.sent(self._sent_ns, len(data))
            self._send(data)
            if self._method.streams:
                self._read_stream(timeline)
            else:
                self._read_one(timeline)
        except TurnError:
            self.cancel()  # before the reader counts the rest of a failed answer as unsolicited
            raise
        finally:
            self._asking = False

    def open(self) -> Callable[[float], None]:
        """Begin the call before the first message, so that the target can greet. Returns what takes the next message
        within so many seconds: it raises TimeoutError, or TurnError when the call has ended."""
        self._asking = True  # what comes is the caller's to take
        self._start(b"")
        return self._take_one

    def _take_one(self, left_s: float) -> None:
        try:
            came = self._answers.get(timeout=left_s)
        except queue.Empty:
            raise TimeoutError from None
        if came.ended:
            raise self.failure or ended_in_a_turn()
        if came.data is not None:
            self._listener.idle_event(self._method.decode(came.data), came.ns)

    def end(self) -> None:
        """The answer is complete: wait briefly for the call to end by itself. Raises TurnError if its status is not
        OK."""
        until = time.monotonic() + DONE_GRACE_S
        while not self.over and (left_s := until - time.monotonic()) > 0:
            try:
                self._answers.get(timeout=left_s)
            except queue.Empty:
                break
        if self.failure is not None:
            raise self.failure
        self.cancel()

    def leave(self, grace_s: float) -> None:
        """No more messages will be sent: tell the target, and cancel the call if it does not end."""
        self._questions.put(None)
        if self._reader is not None:
            self._reader.join(grace_s)
        self.cancel()

    def cancel(self) -> None:
        self._cancelled = True
        if self._call is not None:
            self._call.cancel()

    def _send(self, data: bytes) -> None:
        if self._method.persistent:
            self._questions.put(data)
        if self._call is None:
            self._start(data)

    def _start(self, data: bytes) -> None:
        if self._method.persistent:
            self._call = self._channel.stream_stream(self._method.path)(self._asked(), metadata=self._metadata)
        else:
            total_s = self._spec.timeouts.total
            self._due_s = time.monotonic() + total_s
            multi = self._channel.unary_stream(self._method.path)
            self._call = multi(data, timeout=total_s, metadata=self._metadata)
        self._reader = threading.Thread(target=self._read, name="grpc-reader", daemon=True)
        self._reader.start()

    def _asked(self) -> Iterator[bytes]:
        while (data := self._questions.get()) is not None:
            yield data

    # --- the caller's thread --------------------------------------------------------------------------------------

    def _read_stream(self, timeline: Timeline) -> None:
        while True:
            came = self._next(timeline)
            if came is None:
                timeline.look(time.monotonic_ns())
                if timeline.done_ns is not None:
                    return
                continue
            if came.ended:
                break
            if came.data is None:
                continue
            timeline.event(came.ns, self._method.decode(came.data))
            if self._one_frame and timeline.done_ns is None and timeline.chunks:
                timeline.end(came.ns)
            if timeline.done_ns is not None:
                return
        if self._method.persistent:
            raise self.failure or ended_in_a_turn()
        if self.failure is not None:
            raise self.failure
        timeline.end(came.ns)

    def _read_one(self, timeline: Timeline) -> None:
        messages: list[Came] = []
        while (came := self._next(timeline)) is None or not came.ended:
            if came is not None and came.data is not None:
                messages = [*messages[:1], came]
        if self.failure is not None:
            raise self.failure
        if len(messages) != 1 or (data := messages[0].data) is None:
            raise wrong_count(len(messages))
        timeline.answer(messages[0].ns, self._method.decode(data))

    def _next(self, timeline: Timeline) -> Came | None:
        """What comes next, noted; None: the timeline is to be looked at. Raises TurnError at the next deadline, or
        beyond the limit."""
        due_ns, code = self._deadline(timeline)
        now_ns = time.monotonic_ns()
        look_ns = timeline.look_at_ns(now_ns)
        try:
            came = self._answers.get(timeout=max(min(due_ns, look_ns or due_ns) - now_ns, 0) / 1e9)
        except queue.Empty:
            if look_ns is not None and look_ns < due_ns:
                return None
            raise timed_out(code, self._spec.timeouts, timeline.bytes_in, timeline.lacking()) from None
        if not came.ended:
            self._last_ns = came.ns
            timeline.received(came.ns, len(came.data or b""))
            limit = self._spec.limits.body_bytes
            if timeline.bytes_in > limit:
                raise TooLarge("body_too_large", f"more than {limit} bytes in one turn")
        return came

    def _deadline(self, timeline: Timeline) -> tuple[int, str]:
        last_ns = None if timeline.first_byte_ns is None else self._last_ns
        return next_deadline(self._spec.timeouts, began_ns=self._sent_ns, sent_ns=self._sent_ns, last_ns=last_ns)

    def _drain(self) -> None:
        """Messages since the last turn belong to no turn."""
        while True:
            try:
                came = self._answers.get_nowait()
            except queue.Empty:
                return
            if came.data is not None:
                self._unassigned(came.data, came.ns)

    def _unassigned(self, data: bytes, ns: int) -> None:
        try:
            text = self._method.decode(data)
        except TurnError:
            return  # no question is open, so no turn fails
        is_current = self._listener.is_current(self)  # else that of a conversation before
        tell = self._listener.idle_event if is_current else self._listener.unassigned_event
        tell(text, ns)

    # --- the reader's thread --------------------------------------------------------------------------------------

    def _read(self) -> None:
        call = self._call
        try:
            call.initial_metadata()
            if call.is_active():
                self._put(Came(time.monotonic_ns()))
            for data in call:
                came = Came(time.monotonic_ns(), data)
                if self._asking:
                    self._put(came)
                elif self._method.persistent and not self._cancelled:
                    self._unassigned(data, came.ns)
        except grpc.RpcError as exc:
            if not self._cancelled:
                status: Any = exc  # the raised exception is the call, and has its status
                due = time.monotonic() >= self._due_s
                self.failure = call_failure(status.code().name, status.details() or "", self._spec, due=due)
        self.over = True
        self._put(Came(time.monotonic_ns(), ended=True))

    def _put(self, came: Came) -> None:
        """Wait for room in the queue, unless its reader has ended."""
        while not self._cancelled:
            try:
                self._answers.put(came, timeout=0.05)
            except queue.Full:
                continue
            return

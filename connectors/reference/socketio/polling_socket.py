"""Long polling in the place of engineio's WebSocket: a thread asks again and again, and queues the answers."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from connectors.errors import BadRequest, BrokenTransport, ReusedClosed, TimedOut, TurnError
from connectors.mapping.request import RenderedRequest
from connectors.reference.http.exchange import HttpExchange
from connectors.reference.socketio.engine_socket import EngineWatch
from connectors.reference.socketio.messages import EngineMessages, Owner
from connectors.reference.transport.deadlines import GraceOver
from connectors.reference.websocket.socket import Dry
from connectors.security.guard import AllowPrivate
from connectors.socketio.opening import read_open
from connectors.socketio.packets import CLOSE, PING, text_of
from connectors.socketio.payloads import EmptyPolls, Piece, joined, pieces, version_of
from connectors.target import CompiledTarget
from connectors.timeline.polls import PollTimeline, poll_timeouts

MOST_WAITING: Final = 8
"""Answers that are read before they are asked for."""
STOP_S: Final = 5.0


class PollingSocket(EngineMessages):
    """To be used in one thread at a time. `beats`: see `WatchedSocket`."""

    round_trip_ns = 0

    def __init__(
        self, watch: EngineWatch, target: CompiledTarget, owner: Owner, *, allow_private: AllowPrivate
    ) -> None:
        super().__init__(owner)
        endpoint, timeouts = target.endpoint, target.spec.timeouts
        soon = timeouts.model_copy(update={"first_byte": timeouts.connect, "total": timeouts.connect})
        patient = replace(endpoint, timeouts=poll_timeouts(timeouts))
        self._target = target
        self._opening = HttpExchange(replace(endpoint, timeouts=soon), allow_private=allow_private)
        self._polls = HttpExchange(patient, allow_private=allow_private)
        self._posts = HttpExchange(endpoint, allow_private=allow_private)
        self.watch = watch
        self.beats: list[Callable[[], float]] = []
        self.handshake_ns: dict[str, int] = {}
        self.connected = False
        self._sid = ""
        self._answers: queue.Queue[tuple[int, int, bytes] | TurnError] = queue.Queue(MOST_WAITING)
        self._waiting: deque[Piece] = deque()
        self._empty = EmptyPolls()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="polls", daemon=True)

    def settimeout(self, timeout: float | None) -> None:
        """Time limits are the DeadlineTracker's."""

    def connect(self, _url: str, **_options: Any) -> None:
        """Ask for a session, and begin to poll. Raises TurnError."""
        limit_s = self._target.spec.timeouts.connect
        self.watch.expect_within(limit_s)
        self.handshake_ns = self._opening.connect()
        self.upgraded_ns = time.monotonic_ns()
        try:
            timeline = self._asked(self._opening, self._owner.polled("GET"))
        except TimedOut as exc:
            raise TimedOut("connect_timeout", f"no answer to long polling within {limit_s:g} s") from exc
        finally:
            self._opening.close()
        if self._owner.eio is None:
            self._owner.found(version_of(timeline.body))
        self._waiting.extend(self._pieces(timeline.body))
        self._sid = read_open(text_of(self._waiting[0].data)).sid
        self.connected = True
        self._posts.connect()
        self._thread.start()

    def _asked(self, exchange: HttpExchange, request: RenderedRequest) -> PollTimeline:
        timeline = PollTimeline(self._target.response, time.monotonic_ns())
        exchange.send(request, timeline, self._owner.cookies)
        return timeline

    def _pieces(self, body: bytes) -> list[Piece]:
        return pieces(body, self._owner.eio or 4, self._target.spec.limits.event_bytes)

    def _poll(self) -> None:
        """The thread."""
        try:
            while not self._over.is_set():
                if not self._polls.ready:
                    self._polls.connect()
                try:
                    timeline = self._asked(self._polls, self._owner.polled("GET", self._sid))
                except ReusedClosed:
                    continue  # a kept connection that the target closed at this moment, or that we shut
                self._put((timeline.answered_ns, timeline.bytes_in, timeline.body))
        except TurnError as exc:
            self._put(exc)
        except GraceOver:
            self._put(BrokenTransport("connection_closed", "the target went on after its answer to a poll"))

    def _put(self, answer: tuple[int, int, bytes] | TurnError) -> None:
        while not self._over.is_set():
            with contextlib.suppress(queue.Full):
                self._answers.put(answer, timeout=0.2)
                return

    # --- what the library calls -----------------------------------------------------------------------------------

    def recv(self) -> str | bytes:
        """The next packet, within limits. Raises TurnError (kept in `failure`), or Dry."""
        self.watch.begun = False
        try:
            while not self._waiting:
                found = self._pieces(self._next_body())
                self._empty.look_at(found)
                self._waiting.extend(piece for piece in found if piece.data)
            data, binary = self._waiting.popleft()
            if binary:
                return self._checked(data[1:] if self._owner.eio == 3 else data)
            return self._checked(text_of(data))
        except TurnError as exc:
            self.failure = exc
            raise

    def _next_body(self) -> bytes:
        while True:
            beat_s = min((beat() for beat in self.beats), default=math.inf)
            idle = self.watch.phase == "idle"
            try:
                answer = self._answers.get(not idle, None if idle else min(beat_s, self.watch.left_s()))
            except queue.Empty:
                if idle:
                    raise Dry from None
                continue
            if isinstance(answer, TurnError):
                raise answer
            self.watch.last_ns, size, body = answer
            self.watch.read_aside(size)
            return body

    def send(self, payload: bytes | str, _opcode: int = 0) -> int:
        """A packet. Raises TurnError (kept in `failure`)."""
        if isinstance(payload, bytes):
            raise BadRequest("request_invalid", "attachments are not sent by long polling")
        try:
            if not (said := self._said(payload)):
                return 0
            if self.watch.phase == "turn":
                self.watch.sending(len(said.encode()))
            return self._post(said.encode())
        except TurnError as exc:
            self.failure = exc
            raise

    def _post(self, packet: bytes) -> int:
        if not self._posts.ready:
            self._posts.connect()
        self._asked(self._posts, self._owner.polled("POST", self._sid, joined([packet], self._owner.eio or 4)))
        self.sent_bytes += len(packet)
        return len(packet)

    def send_ping(self) -> None:
        """In version 3 the client pings. Raises TurnError."""
        self._post(PING.encode())

    def find_out(self) -> None:
        """The first answer has shown the version."""

    def send_close(self) -> None:
        """Tell the target; it does not matter if it is gone."""
        self.connected = False
        with contextlib.suppress(TurnError, GraceOver):
            self._post(CLOSE.encode())

    def close(self) -> None:
        self.connected = False
        self._over.set()
        self._polls.shut()
        if self._thread.ident is not None:
            self._thread.join(STOP_S)
        for exchange in (self._opening, self._polls, self._posts):
            exchange.close()

"""The load lane's connector for Socket.IO v4: python-socketio's packet class over a stamped WebSocket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from socketio import packet as kinds

from connectors.errors import Aborted, TimedOut, TurnError
from connectors.mapping.request import RenderedRequest
from connectors.security.guard import AllowPrivate
from connectors.socketio import packets
from connectors.socketio.base import lost_between_turns, silent
from connectors.socketio.opening import Opened, read_open
from connectors.socketio.packets import BoundedPacket, quick_document
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.wire.socketio.joining import NamespaceJoiner
from connectors.wire.socketio.polling import PollingConnection
from connectors.wire.socketio.reading import EngineConnection, unheard
from connectors.wire.socketio.stages import WAITED_FOR, Stage
from connectors.wire.turn import Turn, new_turn
from connectors.wire.websocket.lasting import Take
from connectors.wire.websocket.upgrade import open_websocket


class SocketIoConnector(NamespaceJoiner):
    """It is its own receiver (`WsReceiver`): packets go from the socket's callback into the turn."""

    bytes_read: Callable[[int, int], None]
    answer_begun: Callable[[int], None]

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._connection: EngineConnection | None = None
        self._turn: Turn | None = None
        self._lost: TurnError | None = None
        self._forget()
        own = "" if self.namespace == "/" else f"{self.namespace},"
        self._quick = f"42{own}[".encode()
        """How nearly every message of an answer begins: an event of our namespace that wants no acknowledgement."""
        self._payload_at = len(self._quick) - 1

    def _forget(self) -> None:
        """Nothing is known of the connection to come."""
        self._stage: Stage = "opening"
        self._joining: asyncio.Future[None] | None = None
        self._asked = False
        self._timeline: Timeline | None = None
        self._early: list[tuple[Callable[[int, bytes], None], int, bytes]] = []
        """What came with the upgrade's answer, when there was no connection yet to say anything to."""
        self._opened: Opened | None = None
        self._awaited = self.target.spec.socketio.ready_event
        self._attaching: BoundedPacket | None = None
        self._acks = count(1)
        self._ack_id: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._replies = 0
        self._hear: Take = unheard

    @property
    def ready(self) -> bool:
        return self._alive and self.fresh

    @property
    def _alive(self) -> bool:
        connection = self._connection
        return self._stage == "joined" and connection is not None and connection.open and not self._is_silent

    @property
    def _is_silent(self) -> bool:
        opened, connection = self._opened, self._connection
        quiet_ns = 0 if connection is None else time.monotonic_ns() - connection.read_ns
        return opened is not None and quiet_ns > opened.silence_ns

    def begin(self, session: Mapping[str, Any]) -> None:
        self.say_goodbye()
        self._drop()
        super().begin(session)
        self._lost = None

    # --- connecting ---------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        if self._alive:
            await self.do_handshake()  # the handshake's values have expired, the connection has not
            return
        lost, self._lost = self._lost, None
        if lost is None and self._stage == "joined" and self._opened is not None and self._is_silent:
            lost = lost_between_turns(silent(self._opened))
        self._drop()
        if lost is not None and not self._resumes:
            raise lost
        await self.do_handshake()
        try:
            await self._join()
        except BaseException:
            self._drop()
            self._lost = None
            raise

    async def _join(self) -> None:
        """Upgrade, read the open packet, connect the namespace, wait for the event that signals readiness."""
        spec = self.target.spec
        self._turn = turn = new_turn(spec, self._beside_a_turn)
        self.bytes_read, self.answer_begun = turn.bytes_read, turn.answer_begun
        self._hear = self.replying(turn.message)
        self.expect_greeting()
        joining = self._joining = asyncio.get_running_loop().create_future()
        self._connection = connection = await self._open()
        steps = self.handshake_ns or {}
        spent_ns = sum(steps.get(step, 0) for step in ("resolve", "connect", "proxy", "tls", "upgrade"))
        for take, ns, data in self._early:
            take(ns, data)
        try:
            async with asyncio.timeout(max(spec.timeouts.connect - spent_ns / 1e9, 0.001)):
                await joining
        except TimeoutError as exc:
            raise TimedOut("connect_timeout", f"{WAITED_FOR[self._stage]} within {spec.timeouts.connect:g} s") from exc
        self.add_step("socketio", time.monotonic_ns() - connection.opened_ns)
        self._joining = None
        self._stage = "joined"
        self.round_trip_ns = self.measured_round_trip_ns()
        self.keep_alive()
        await self.wait_for_greeting()

    async def _open(self) -> EngineConnection:
        if self.target.spec.socketio.transport == "websocket":
            return await open_websocket(self, self.upgrade(), self)
        self.address()
        connection = PollingConnection(self, self)
        limit_s = self.target.spec.timeouts.connect
        limit = asyncio.timeout(limit_s)
        try:
            async with limit:
                await connection.start()
        except (TimeoutError, Aborted) as exc:
            if not limit.expired():
                raise
            raise TimedOut("connect_timeout", f"no answer to long polling within {limit_s:g} s") from exc
        return connection

    def measured_round_trip_ns(self) -> int:
        return 0 if self._connection is None else self._connection.round_trip_ns

    async def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        try:
            await self._exchange(request, timeline)
        except TurnError as exc:
            again = exc is self._lost and timeline.sent_ns is None and self._asked and self._resumes
            self._drop()
            self._lost = None
            if not again:
                raise
            await self.connect()  # it was lost in this very moment, and nothing of the event was sent
            await self._exchange(request, timeline)

    async def _exchange(self, request: RenderedRequest, timeline: Timeline) -> None:
        if self._connection is None or self._turn is None:
            raise RuntimeError("send_message before connect")
        timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        if self._lost is not None:
            raise self._lost
        if self.target.says_beside_turns:
            await self.around(request, timeline, self._ask)
        else:
            await self._ask(request, timeline)
        self._asked = True

    async def _ask(self, request: RenderedRequest, timeline: Timeline) -> None:
        if self._turn is None:
            raise self._lost or RuntimeError("send_message before connect")
        self._ack_id = next(self._acks) if self.target.spec.socketio.ack else None
        packet = self._event_of(request, self._ack_id)
        self._replies = 0
        self._timeline = timeline
        try:
            await self._turn.exchange(timeline, lambda: self._emit(packet))
        finally:
            self._ack_id = self._timeline = None

    @property
    def can_write(self) -> bool:
        return self._stage == "joined" and self._connection is not None and self._connection.open

    def write_message(self, request: RenderedRequest) -> int:
        return self._emit(self._event_of(request))

    def _event_of(self, request: RenderedRequest, ack_id: int | None = None) -> BoundedPacket:
        parts = [request.event, *self.arguments(request)]
        return BoundedPacket(kinds.EVENT, parts, self.namespace, ack_id, binary=False)

    async def disconnect(self) -> None:
        self.say_goodbye()
        self._drop()

    def _drop(self) -> None:
        self.rest()
        if self._timer is not None:
            self._timer.cancel()
        for part in (self._turn, self._connection):
            if part is not None:
                part.close()
        self._connection = self._turn = None
        self._forget()

    # --- the connection's calls -----------------------------------------------------------------------------------

    def message(self, ns: int, data: bytes) -> None:
        """The hot path: it runs for every token."""
        try:
            if self._connection is None:
                self._early.append((self.message, ns, data))
            elif self._opened is None:
                self._join_namespace(read_open(packets.text_of(data)))
            elif data.startswith(self._quick) and self._attaching is None:
                self._hear(ns, quick_document(data[self._payload_at :]))
            else:
                self._packet(ns, data)
        except TurnError as exc:
            self.connection_lost(ns, exc)

    def binary(self, ns: int, data: bytes) -> None:
        try:
            if self._connection is None:
                self._early.append((self.binary, ns, data))
            elif self._opened is None:
                self._join_namespace(read_open(data))
            else:
                self._attachment(ns, data[1:] if self.eio == 3 else data)  # which has the packet's type in front
        except TurnError as exc:
            self.connection_lost(ns, exc)

    def connection_lost(self, _ns: int, error: TurnError) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._joining is not None and not self._joining.done():
            self._joining.set_exception(error)
            return
        if self._turn is None or self.greeting_failed(error):
            return
        # an unused connection was not lost between turns: the target's message says why
        answered = self._asked or (self._timeline is not None and self._timeline.done_ns is not None)
        if answered and not self._turn.sent:
            error = lost_between_turns(error)
        self._lost = self._lost or error
        self._turn.fail(error)

    def _beside_a_turn(self, seen: bytes, ns: int) -> None:
        """An event that belongs to no turn."""
        if self._awaited is None:
            self.idle_event(seen, ns)
            return
        self.before_ready(seen, ns)
        if self._awaited is not None and packets.is_event(seen, self._awaited):
            self._awaited = None
            self._look_whether_joined()

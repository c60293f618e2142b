"""The load lane's connector for WebSocket: one message is a turn's request, the messages that follow its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.errors import TurnError
from connectors.mapping.request import RenderedRequest
from connectors.security.guard import AllowPrivate
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.websocket.failures import lost_between_turns
from connectors.wire.turn import Turn, new_turn
from connectors.wire.websocket.connection import WsConnection
from connectors.wire.websocket.lasting import WireLasting
from connectors.wire.websocket.upgrade import open_websocket


class WebSocketConnector(WireLasting):
    """One WebSocket for a whole conversation. It is its own receiver (`WsReceiver`), but what comes for a turn goes to
    the turn without a detour."""

    persistent = True
    opens_secrets = True
    bytes_read: Callable[[int, int], None]
    answer_begun: Callable[[int], None]
    message: Callable[[int, bytes], object]
    binary: Callable[[int, bytes], object]

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._connection: WsConnection | None = None
        self._turn: Turn | None = None
        self._lost: TurnError | None = None
        self._asked = False

    @property
    def ready(self) -> bool:
        return self._connection is not None and self._connection.open

    def begin(self, session: Mapping[str, Any]) -> None:
        self.say_goodbye()
        super().begin(session)
        self._drop()  # the upgrade names the session, and the target may hold the conversation by its connection
        self._lost = None

    async def connect(self) -> None:
        lost, self._lost = self._lost, None
        self._drop()
        spec = self.target.spec
        if lost is not None and spec.websocket.reconnect == "fail":
            raise lost
        await self.do_handshake()
        request = self._with_cookies(self.target.render_connection({"session": self.session, "saved": self.saved}))
        self.upgraded_by = request.headers
        self._turn = turn = new_turn(spec, self.idle_event)
        self.bytes_read, self.answer_begun = turn.bytes_read, turn.answer_begun
        self.message = self.binary = self.reading(turn.message)
        self._asked = False
        self.expect_greeting()
        self._connection = await open_websocket(
            self,
            request,
            self,
            subprotocols=spec.websocket.subprotocols,
            compression=spec.websocket.compression,
        )
        self.round_trip_ns = self.measured_round_trip_ns()
        self.keep_alive()
        try:
            await self.wait_for_greeting()
        except BaseException:
            self._drop()
            self._lost = None
            raise

    def measured_round_trip_ns(self) -> int:
        return 0 if self._connection is None else self._connection.round_trip_ns

    async def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        try:
            await self._exchange(request, timeline)
        except TurnError as exc:
            self._drop()
            again = self.target.spec.websocket.reconnect == "resume" and self._asked
            if exc is not self._lost or not again:
                self._lost = None
                raise
            await self.connect()  # it was lost in this very moment, and nothing of the message was sent
            await self._exchange(request, timeline)

    async def _exchange(self, request: RenderedRequest, timeline: Timeline) -> None:
        timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        if self._lost is not None:
            raise self._lost
        if self.target.says_beside_turns:
            await self.around(request, timeline, self._ask)
        else:
            await self._ask(request, timeline)

    async def _ask(self, request: RenderedRequest, timeline: Timeline) -> None:
        connection, turn = self._connection, self._turn
        if connection is None or turn is None:
            raise self._lost or RuntimeError("send_message before connect")
        binary, body = self.target.spec.websocket.binary, self.framed(request.body)

        def write() -> int:
            self._asked = True
            return connection.send(body, binary=binary)

        await turn.exchange(timeline, write)

    @property
    def can_write(self) -> bool:
        return self._connection is not None and self._connection.open

    def write_message(self, request: RenderedRequest) -> int:
        if self._connection is None:
            return self.write_early(request)
        return self._connection.send(self.framed(request.body), binary=self.target.spec.websocket.binary)

    async def disconnect(self) -> None:
        self.say_goodbye()
        self._drop()

    def _drop(self) -> None:
        self.rest()
        if self._turn is not None:
            self._turn.close()
        if self._connection is not None:
            self._connection.close()
        self._connection = self._turn = None

    # --- the connection's calls -----------------------------------------------------------------------------------

    def connection_lost(self, ns: int, error: TurnError) -> None:
        if self._turn is None or self.greeting_failed(error):
            return
        if not self._turn.sent:
            # an unused connection was not lost between turns: the target's message says why
            error = self._lost = lost_between_turns(error) if self._asked else error
        self._turn.fail(error)

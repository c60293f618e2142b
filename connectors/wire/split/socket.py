"""The load lane's connector for a split style whose standing stream is a WebSocket that only receives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.errors import TurnError
from connectors.mapping.request import RenderedRequest
from connectors.security.guard import AllowPrivate
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.timeline.named import UNNAMED
from connectors.websocket.failures import lost_between_turns
from connectors.wire.split.connector import SplitConnector
from connectors.wire.turn import new_turn
from connectors.wire.websocket.connection import WsConnection
from connectors.wire.websocket.lasting import WireLasting
from connectors.wire.websocket.upgrade import open_websocket


class SplitSocketConnector(WireLasting, SplitConnector):
    """Posts as its base does. It is the WebSocket's receiver (`WsReceiver`)."""

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._answered = False
        self._take = self.reading(self._taken)

    def begin(self, session: Mapping[str, Any]) -> None:
        self.say_goodbye()
        super().begin(session)

    async def connect(self) -> None:
        lost, self._lost = self._lost, None
        self._drop()
        spec = self.target.spec
        if lost is not None and spec.websocket.reconnect == "fail":
            raise lost
        await self.do_handshake()
        self._answered = False
        request = self._with_cookies(self.target.render_connection({"session": self.session, "saved": self.saved}))
        self.upgraded_by = request.headers
        self._turn = new_turn(spec)
        self._take = self.reading(self._taken)
        self._idle_bytes = 0
        self.expect_greeting()
        try:
            self._standing = await open_websocket(
                self, request, self, subprotocols=spec.websocket.subprotocols, compression=spec.websocket.compression
            )
            await self._dial_post()
            self.keep_alive()
            await self.wait_for_greeting()
        except BaseException:
            self._drop()
            self._lost = None
            raise

    async def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        self.begin_turn()
        await super().send_message(request, timeline)

    @property
    def can_write(self) -> bool:
        return self._standing is not None and self._standing.open

    def write_message(self, request: RenderedRequest) -> int:
        if not isinstance(self._standing, WsConnection):
            return self.write_early(request)
        return self._standing.send(self.framed(request.body), binary=self.target.spec.websocket.binary)

    async def disconnect(self) -> None:
        self.say_goodbye()
        self._drop()

    def _drop(self) -> None:
        self.rest()
        SplitConnector._drop(self)

    # --- the WebSocket's calls ------------------------------------------------------------------------------------

    def answer_begun(self, ns: int) -> None:
        if self._turn is not None:
            self._turn.answer_begun(ns)

    def message(self, ns: int, data: bytes) -> None:
        self._take(ns, data)

    def _taken(self, ns: int, data: bytes) -> None:
        self._answered |= self._turn is not None and self._turn.sent
        try:
            self.heard(ns, UNNAMED, data)
        except TurnError as exc:
            self.connection_lost(ns, exc)
            self._drop()

    binary = message

    def connection_lost(self, ns: int, error: TurnError) -> None:
        if self._turn is None or self.greeting_failed(error):
            return
        idle = self._answered and not self._turn.sent
        flood = error.code == "body_too_large"  # the other lane meets it in the next turn
        self.lost(lost_between_turns(error) if idle and not flood else error)

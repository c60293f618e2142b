"""The load lane's connector for a split style whose standing stream is a WebSocket that only tells."""

from __future__ import annotations

from connectors.errors import TurnError
from connectors.named import UNNAMED
from connectors.wire.split import SplitConnector
from connectors.wire.turn import Turn
from connectors.wire.ws_upgrade import open_websocket


class SplitSocketConnector(SplitConnector):
    """Posts as its base does. It is the WebSocket's receiver (`WsReceiver`)."""

    async def connect(self) -> None:
        self._drop()
        await self.shake()
        spec = self.target.spec
        request = self.target.render_connection({"session": self.session, "saved": self.saved})
        self._turn = Turn(spec.limits, spec.timeouts)
        self._idle_bytes = 0
        try:
            self._standing = await open_websocket(
                self, request, self, subprotocols=spec.websocket.subprotocols, compression=spec.websocket.compression
            )
            await self._dial_post()
        except BaseException:
            self._drop()
            raise

    # --- the WebSocket's calls ------------------------------------------------------------------------------------

    def answer_begun(self, ns: int) -> None:
        if self._turn is not None:
            self._turn.answer_begun(ns)

    def message(self, ns: int, data: bytes, is_text: bool) -> None:
        try:
            self.heard(ns, UNNAMED, data)
        except TurnError as exc:
            self.connection_lost(ns, exc)
            self._drop()

    def connection_lost(self, ns: int, error: TurnError) -> None:
        self.lost(error)

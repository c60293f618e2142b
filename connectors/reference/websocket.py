"""The reference lane's connector for WebSocket, on `websocket-client`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from websocket import ABNF

from connectors.errors import TooLarge, TurnError
from connectors.guard import AllowPrivate
from connectors.mapping import CompiledTarget, RenderedRequest
from connectors.reference.shake import ReferenceConnector
from connectors.reference.ws_client import WsClient
from connectors.reference.ws_socket import Dry, MessageWatch, WatchedSocket
from connectors.timeline import Timeline
from connectors.wire.websocket import lost_between_turns

DRAIN_S: Final = 0.1
"""How long is read before a turn what nobody asked for."""


class WebSocketConnector(ReferenceConnector):
    """One WebSocket for a whole conversation. Blocks; use one connector in one thread at a time."""

    goes_on = True

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._watch = MessageWatch(target, allow_private=allow_private)
        self._client: WsClient | None = None
        self._sock: WatchedSocket | None = None
        self._lost: TurnError | None = None
        self._asked = False

    @property
    def ready(self) -> bool:
        self._drain()
        return self._client is not None

    def begin(self, session: Mapping[str, Any]) -> None:
        super().begin(session)
        self.disconnect()  # the upgrade names the session, and the target may hold the conversation by its connection
        self._lost = None

    def connect(self) -> None:
        lost, self._lost = self._lost, None
        self.disconnect()
        if lost is not None and self.target.spec.websocket.reconnect == "fail":
            raise lost
        self.shake()
        request = self._with_cookies(self.target.render_connection({"session": self.session, "saved": self.saved}))
        self._watch.phase = "upgrade"
        self._asked = False
        self._sock = WatchedSocket(self.target, self._watch)
        try:
            self._upgrade(self._sock, request)
        except TurnError:
            self.disconnect()
            raise

    def _upgrade(self, sock: WatchedSocket, request: RenderedRequest) -> None:
        spec = self.target.spec
        client = WsClient(sock, self._watch, spec.limits.event_bytes)
        for name, ns in self._watch.handshake_ns.items():
            self.add_step(name, ns)
        began_ns = time.monotonic_ns()
        ours = spec.websocket
        try:
            client.upgrade(request, self.target.host_header, ours.subprotocols, compression=ours.compression)
        except Dry:
            self.timeline(0).refused(sock.answer.status, sock.answer.rest)
        self.add_step("upgrade", time.monotonic_ns() - began_ns)
        self._watch.phase = "idle"
        self._client = client

    def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        self._drain()
        if self._client is None and self._lost is not None and self._asked:
            self.connect()  # raises what was lost, unless the target's sessions outlive their connections
        client = self._client
        timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        if client is None:
            lost, self._lost = self._lost, None
            raise lost or RuntimeError("send_message before connect")
        self._watch.begin(timeline)
        self._watch.phase = "turn"
        try:
            client.send(request.body, ABNF.OPCODE_BINARY if self.target.spec.websocket.binary else ABNF.OPCODE_TEXT)
            self._read_answer(client, timeline)
        except TurnError:
            self.disconnect()
            raise
        finally:
            self._watch.phase = "idle"
        self._asked = True

    def _read_answer(self, client: WsClient, timeline: Timeline) -> None:
        limit = self.target.spec.limits.body_bytes
        size = 0
        while timeline.done_ns is None:
            data = client.read()
            size += len(data)
            if size > limit:
                raise TooLarge("body_too_large", f"the messages of one turn have more than {limit} bytes")
            timeline.event(self._watch.last_ns, data)

    def _drain(self) -> None:
        """Take what came since the last turn: messages that belong to none, or the connection's end."""
        self._watch.idle_until = time.monotonic() + DRAIN_S
        try:
            while self._client is not None:
                self.idle_event(self._client.read())
        except Dry:
            return
        except TurnError as exc:
            self._lost = lost_between_turns(exc) if self._asked else exc
            self._close()

    def disconnect(self) -> None:
        if self._client is not None and self._client.connected:
            self._client.send_close()
        self._close()

    def _close(self) -> None:
        if self._sock is not None:
            self._sock.close()
        self._client = self._sock = None

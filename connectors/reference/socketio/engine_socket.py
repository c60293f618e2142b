"""What engineio takes for a WebSocket of `websocket.create_connection`: ours, with limits, for both versions."""

from __future__ import annotations

import time
from typing import Any

from websocket import ABNF

from connectors.errors import TimedOut, TurnError
from connectors.mapping.request import RenderedRequest
from connectors.reference.socketio.messages import EngineMessages, Owner
from connectors.reference.websocket.client import WsClient
from connectors.reference.websocket.socket import MessageWatch, WatchedSocket
from connectors.socketio.base import FIND_OUT_S
from connectors.socketio.packets import (
    PING,
    text_of,
)
from connectors.target import CompiledTarget


class EngineWatch(MessageWatch):
    """Counts the first bytes of a message as an answer's only if its end did not come with them, because it could be a
    ping."""

    begun = False

    def answer_begun(self) -> None:
        self.begun = True

    def answered(self) -> None:
        """A whole message of the answer has arrived."""
        super().answer_begun()

    def more(self) -> None:
        """Called before a read, when the data so far is not sufficient."""
        if self.begun:
            super().answer_begun()


class EngineSocket(EngineMessages, WsClient):
    """Stands in for a WebSocket of `websocket.create_connection` in engineio."""

    watch: EngineWatch

    def __init__(self, sock: WatchedSocket, watch: EngineWatch, target: CompiledTarget, owner: Owner) -> None:
        WsClient.__init__(self, sock, watch, target.spec.limits.event_bytes)
        EngineMessages.__init__(self, owner)
        sock.before_read = self._before_read
        self._endpoint = target.endpoint
        self._opcode = ABNF.OPCODE_TEXT
        self._read_before: str | None = None

    def settimeout(self, timeout: float | None) -> None:
        """Time limits are the DeadlineTracker's."""

    def connect(self, url: str, **options: Any) -> None:
        """Upgrade. Raises TurnError, or Dry when the answer is not a 101."""
        path = f"{url[url.index('/', len('wss://')) :].removesuffix('EIO=4')}EIO={self._owner.eio or 4}"
        headers = tuple(options["header"].items())
        request = RenderedRequest("GET", path, headers, b"")
        self.upgrade(request, self._endpoint, [], compression=True)
        self.upgraded_ns = time.monotonic_ns()

    def send(self, payload: bytes | str, opcode: int = ABNF.OPCODE_TEXT) -> int:
        """A packet. Raises TurnError (kept in `failure`)."""
        if isinstance(payload, str):
            try:
                payload = self._said(payload)
            except TurnError as exc:
                self.failure = exc
                raise
            if not payload:
                return 0
        size = WsClient.send(self, payload, opcode)
        self.sent_bytes += size
        return size

    def recv(self) -> str | bytes:
        """The next message, within limits. Raises TurnError (kept in `failure`), or Dry."""
        self.watch.begun = False
        if self._read_before is not None:
            message, self._read_before = self._read_before, None
            return message
        try:
            data = self.read()
            if self._opcode == ABNF.OPCODE_TEXT:
                return self._checked(text_of(data))
            return self._checked(data[1:] if self._owner.eio == 3 and self.opened else data)
        except TurnError as exc:
            self.failure = exc
            raise

    def find_out(self) -> None:
        """Wait a little for what only a server of Socket.IO 2 says first. Raises TurnError."""
        if self._owner.eio is not None or self.opened is None:
            return
        if self.opened.eio is not None:
            self._owner.found(self.opened.eio)
            return
        try:
            with self.watch.only_within(FIND_OUT_S):
                message = self.recv()
        except TimedOut:
            self.failure = None
        else:
            self._read_before = message if isinstance(message, str) else None

    def send_ping(self) -> None:
        """In version 3 the client pings. Raises TurnError."""
        phase, self.watch.phase = self.watch.phase, "idle"
        try:
            WsClient.send(self, PING)
        finally:
            self.watch.phase = phase

    def recv_data_frame(self, control_frame: bool = False) -> tuple[int, Any]:
        self._opcode, frame = super().recv_data_frame(control_frame)
        return self._opcode, frame

    def _before_read(self) -> None:
        self._answer_ping()
        self.watch.more()

"""Engine.IO's messages between the target and a library that knows version 4 alone, over either transport."""

from __future__ import annotations

from typing import Protocol

from connectors.errors import TurnError
from connectors.http.cookies import Cookies
from connectors.mapping.request import RenderedRequest
from connectors.socketio.base import disconnected
from connectors.socketio.opening import Opened, read_open
from connectors.socketio.packets import (
    CLOSE,
    CONNECT,
    OPEN,
    PING,
    check_engine,
    older_connect,
    protocol_error,
)


class Owner(Protocol):
    """Whose client it is. Each call may raise TurnError."""

    namespace: str

    @property
    def eio(self) -> int | None:
        """The version of Engine.IO; None: not known yet."""

    def found(self, eio: int) -> None:
        """What it is."""

    def polled(self, method: str, sid: str = "", body: bytes = b"") -> RenderedRequest:
        """A request of long polling."""

    @property
    def cookies(self) -> Cookies | None:
        """Those of the conversation."""

    def count_reply(self) -> None:
        """Before an answer to a ping, or an acknowledgement."""

    def released(self, packet: bytes) -> bytes:
        """A packet with its secrets in clear."""

    def on_event(self, seen: bytes) -> None:
        """An event of the namespace, as a mapping reads it."""

    def on_ack(self, ack_id: int, seen: bytes) -> None:
        """An acknowledgement in the namespace."""


class EngineMessages:
    """`failure`: what ended the connection. `upgraded_ns`: when it was there."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.opened: Opened | None = None
        self.upgraded_ns = 0
        self.sent_bytes = 0
        self.failure: TurnError | None = None

    def _said(self, payload: str) -> str:
        """What the target gets of a packet of the library, with its secrets in clear; nothing: it is not sent. Raises
        BadRequest."""
        if self._owner.eio == 3 and payload.startswith(CONNECT):
            if self._owner.namespace == "/":
                return ""  # it is connected without being asked
            payload = f"{CONNECT}{self._owner.namespace},"
        return self._owner.released(payload.encode()).decode()

    def _checked(self, message: str | bytes) -> str | bytes:
        if self.opened is None:
            self.opened = read_open(message)
            return self.opened.text()
        if isinstance(message, str):
            check_engine(message)
            if message[0] == PING:
                self._owner.count_reply()
            elif self._owner.eio != 4 and (namespace := older_connect(message)) is not None:
                return self._as_newer(namespace)
            elif message[0] == OPEN:
                raise protocol_error("a second open packet")
            elif message[0] == CLOSE:
                raise disconnected("closed the Engine.IO connection")
        return message

    def _as_newer(self, namespace: str) -> str:
        """What a server of Socket.IO 4 would have said: the library knows no other."""
        if self._owner.eio is None:
            self._owner.found(3)
        return f'{CONNECT}{namespace},{{"sid":"-"}}'

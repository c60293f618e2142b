"""Reads the frames of Socket.IO (protocols 3 to 5 over Engine.IO) as the events that mappings know."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from targets.learning.recorded.answers import document
from targets.learning.recorded.exchange import NO_JSON, Event

_FRAME: Final = re.compile(r"4(?:([0-4])|([56])\d{1,4}-)(?:(/[^,\[{]{0,200}),)?(\d{0,10})(.*)", re.DOTALL)
CONNECT, EVENT, ACK = "0", "2", "3"
WITH_ATTACHMENTS: Final = {"5": EVENT, "6": ACK}
"""What they are, besides the attachments, which come in frames of their own and of which a place is kept."""


@dataclass
class Connection:
    """What all frames of a connection have in common."""

    path: str
    namespace: str = "/"
    auth: Any = None
    acknowledged: bool = False


@dataclass(frozen=True)
class Emitted:
    """One event that was sent."""

    event: str
    body: Any


@dataclass
class Reader:
    """Reads the frames of one connection in their order."""

    connection: Connection
    emitted: list[str] = field(default_factory=list)

    def sent(self, frame: str) -> Emitted | None:
        """None: it is no event."""
        kind, namespace, number, data = self._parts(frame)
        if kind == CONNECT:
            self.connection.namespace = namespace or "/"
            self.connection.auth = data if isinstance(data, dict) else None
        if kind != EVENT or not isinstance(data, list) or not data or not isinstance(data[0], str):
            return None
        self.connection.acknowledged = bool(number)
        self.emitted.append(data[0])
        return Emitted(data[0], data[1] if len(data) == 2 else list(data[1:]))

    def came(self, frame: str) -> Event | None:
        """None: it is neither an event nor an acknowledgement."""
        kind, _, _, data = self._parts(frame)
        if kind not in {EVENT, ACK} or not isinstance(data, list):
            return None
        name, args = ("ack", data) if kind == ACK else (data[0] if data else "", data[1:])
        if not isinstance(name, str):
            return None
        made = {"event": name, "data": args[0] if args else None, "args": args}
        return Event(orjson.dumps(made).decode(), made)

    @staticmethod
    def _parts(frame: str) -> tuple[str, str, str, Any]:
        found = _FRAME.fullmatch(frame)
        if found is None:
            return "", "", "", None
        data = document(found[5])
        kind = found[1] or WITH_ATTACHMENTS[found[2]]
        return kind, found[3] or "", found[4], None if data is NO_JSON else data


def settings(connection: Connection) -> dict[str, Any]:
    """`socketio` of a target."""
    made: dict[str, Any] = {"path": connection.path, "namespace": connection.namespace, "ack": connection.acknowledged}
    return made if connection.auth is None else {**made, "auth": connection.auth}

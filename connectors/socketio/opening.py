"""The first packet of an Engine.IO connection. No I/O; used by both lanes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from connectors.content.wording import SHAPE_LIMIT
from connectors.socketio.packets import OPEN, excerpt, protocol_error, unreadable

LONGEST_MS: Final = 2**31 - 1
"""The maximum of JavaScript's timers; a longer interval would end every browser's connection immediately."""


class Opened(NamedTuple):
    """The content of Engine.IO's first packet."""

    sid: str
    interval_ms: float
    timeout_ms: float
    eio: int | None = None
    """4 if servers of version 3 do not say what it says; None: either may."""

    @property
    def silence_ns(self) -> int:
        """Silence after which the target is considered dead, because it pings more often."""
        return int((self.interval_ms + self.timeout_ms) * 1e6)

    def text(self) -> str:
        """The packet again, with nothing but what was read of it."""
        said = {"sid": self.sid, "upgrades": [], "pingInterval": self.interval_ms, "pingTimeout": self.timeout_ms}
        if self.eio == 4:
            said["maxPayload"] = 0
        return OPEN + orjson.dumps(said).decode()


def read_open(message: str | bytes) -> Opened:
    """Read the first packet of a connection. Raises BrokenTransport, BadAnswer or TooLarge."""
    if not isinstance(message, str) or message[:1] != OPEN:
        what = f"the first packet is not Engine.IO's open packet: {message[:SHAPE_LIMIT]!r}"
        raise protocol_error(what, "if the target speaks plain WebSocket, use the preset generic-websocket")
    try:
        said = orjson.loads(message[1:])
    except orjson.JSONDecodeError as exc:
        raise unreadable(message, exc) from exc
    if type(said) is not dict:
        raise protocol_error(f"an open packet that is no object: {message[:SHAPE_LIMIT]!r}")
    if type(sid := said.get("sid")) is not str or not sid:
        raise protocol_error("an open packet without a sid")
    eio = 4 if "maxPayload" in said else None
    return Opened(sid, _milliseconds(said, "pingInterval", 1), _milliseconds(said, "pingTimeout", 0), eio)


def _milliseconds(said: Mapping[str, Any], name: str, least: int) -> float:
    value = said.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= LONGEST_MS:
        raise protocol_error(f"{name} is {excerpt(value)}, not milliseconds from {least} to {LONGEST_MS}")
    return value

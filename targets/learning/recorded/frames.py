"""Reads the frames of a recorded WebSocket: texts, several messages in one, and the frames of STOMP."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from connectors.codecs.stomp import Stomp
from connectors.errors import BadAnswer
from targets.learning.recorded.answers import document
from targets.learning.recorded.errors import BODY_CHARS, EVENTS
from targets.learning.recorded.exchange import NO_JSON, Event, clean

SEPARATOR: Final = "\x1e"
"""Of SignalR, which ends each message with it."""
_STOMP: Final = re.compile(r"(?:CONNECT|STOMP|SEND|SUBSCRIBE|CONNECTED|MESSAGE|RECEIPT|ERROR|DISCONNECT)\r?\n")
ADDED: Final = ("content-length", "receipt")
"""Headers of STOMP that a client makes for each frame."""
_CODEC: Final = Stomp({})
_ALIVE: Final = frozenset({"ping", "pong", 6})
"""Types of messages that keep a connection alive; the number is SignalR's."""


class Message(NamedTuple):
    """`text` as a mapping is given it; `stomp`: the frame that it is."""

    text: str
    is_sent: bool
    stomp: dict[str, Any] | None = None

    @property
    def asked(self) -> str:
        """As it is written in a target's request."""
        return self.text if self.stomp is None else orjson.dumps(self.stomp).decode()

    @property
    def keeps_alive(self) -> bool:
        found = document(self.text) if len(self.text) < 200 else None
        return isinstance(found, dict) and isinstance(kind := found.get("type"), str | int) and kind in _ALIVE

    @property
    def event(self) -> Event:
        return Event(self.text, document(self.text) if self.stomp is None else self.stomp)


def texts_of(frames: Any, *, binary: bool = True) -> Iterator[tuple[str, bool]]:
    """Texts in their order, and whether each was sent. `binary`: with the binary frames that are JSON."""
    for frame in frames[: EVENTS * 2] if isinstance(frames, list) else []:
        if not isinstance(frame, dict) or not isinstance(text := frame.get("data"), str):
            continue
        if frame.get("opcode") == 2:
            text = _of_binary(text) if binary else ""
            if not text:
                continue
        yield clean(text[:BODY_CHARS]), frame.get("type") == "send"


def _of_binary(text: str) -> str:
    """Empty: it is no JSON."""
    try:
        plain = base64.b64decode(text[: BODY_CHARS * 4 // 3 // 4 * 4], validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return plain if document(plain.partition(SEPARATOR)[0]) is not NO_JSON else ""


def messages_of(frames: Any) -> tuple[list[Message], str]:
    """The messages, and what stands between those of one frame (empty: nothing)."""
    texts = list(texts_of(frames))
    separator = SEPARATOR if any(text.endswith(SEPARATOR) for text, _ in texts) else ""
    if separator:
        return [Message(one, sent) for text, sent in texts for one in text.split(separator) if one], separator
    if any(is_sent and _STOMP.match(text) for text, is_sent in texts[:1]):
        return [Message(text, is_sent, _frame(text)) for text, is_sent in texts if text.strip()], separator
    return [Message(text, is_sent) for text, is_sent in texts], separator


def _frame(text: str) -> dict[str, Any] | None:
    """The frame of STOMP as its codec reads it; None: it is none."""
    try:
        found: dict[str, Any] = orjson.loads(_CODEC.decode(text.encode(errors="replace")) or b"{}")
    except (BadAnswer, orjson.JSONDecodeError):
        return None
    for name in ADDED:
        found.get("headers", {}).pop(name, None)
    return found


def subscribed(sent: list[dict[str, Any]]) -> str:
    """Where the answers come, by the last subscription of STOMP; empty: there is none."""
    places = [one["headers"].get("destination", "") for one in sent if one.get("command") == "SUBSCRIBE"]
    return places[-1] if places else ""

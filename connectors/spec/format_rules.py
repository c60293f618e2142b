"""Which formats of requests and answers a protocol has."""

from __future__ import annotations

from typing import Final

from connectors.spec.request import Encoding
from connectors.spec.response import ReplyToSpec, ResponseSpec

WITH_OWN_MESSAGES: Final = frozenset({"socketio", "grpc"})
"""Protocols whose messages reach the mapping as documents that they make."""
IN_PIECES: Final = frozenset({"text", "delta"})
"""What is read of a piece that is a text."""


def check_formats(response: ResponseSpec, protocol: str, reply_to: ReplyToSpec | None) -> None:
    """Raises ValueError for what has no effect."""
    if protocol in WITH_OWN_MESSAGES and response.format != "json":
        raise ValueError(f"response.format has no effect: protocol {protocol} has messages of its own")
    if response.line is not None and protocol in {"http", "text", *WITH_OWN_MESSAGES}:
        raise ValueError(f"response.line has no effect: an answer of protocol {protocol} has no lines or frames")
    if protocol == "text":
        _check_pieces(response)
    if response.format != "text" or response.line is not None:
        return
    if reply_to is not None:
        raise ValueError("reply_to has no effect: with response.format text a message has no id")
    for field, _ in response.paths():
        if field not in IN_PIECES and protocol != "http":
            raise ValueError(f"response.{field} has no effect: a piece of text has nothing beside it")


def _check_pieces(response: ResponseSpec) -> None:
    if response.format != "text":
        raise ValueError("response.format: protocol text reads texts; give http for a whole answer")
    given = {"kind": response.kind, "done": response.done, "ignore": response.ignore}
    for name in (name for name, value in given.items() if value):
        raise ValueError(f"response.{name} has no effect: pieces of protocol text are cut anywhere")


def check_turn_encoding(encoding: Encoding, protocol: str, reply_to: ReplyToSpec | None) -> None:
    """The same of a turn's request."""
    if encoding == "json":
        return
    if protocol in {"websocket", *WITH_OWN_MESSAGES}:
        raise ValueError(f"request.encoding has no effect: protocol {protocol} sends no HTTP body in a turn")
    if reply_to is not None and reply_to.request is not None:
        raise ValueError(f"reply_to.request: a body of encoding {encoding} has no paths; give reply_to.ack")

"""The table of liars and of odd bots, the protocols that they speak, and the codes by which a run may name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.liars.chat import Bot, Chat

LASTING = ("websocket", "socketio", "split", "split-websocket", "grpc")
WITH_ID = ("websocket", "split", "split-websocket", "socketio")
"""Where a message and its request may have an id."""
BODIES = ("sse", "ndjson")
STREAMED = (*LASTING, *BODIES)
ALL = (*STREAMED, "http")
EVERY = (*ALL, "directline")
JSON = ("websocket", "split", "split-websocket", "sse", "ndjson", "http")
"""Where a message may have any keys."""
FRAMES = ("websocket", "split", "split-websocket", "sse", "ndjson")


@dataclass(frozen=True)
class Liar:
    """`seen_as`: the codes of turns, or of reasons of the verdict, by which a run may name it."""

    speak: Bot
    protocols: tuple[str, ...]
    seen_as: frozenset[str]
    greet: Bot | None = None
    target: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)
    expects: bool = False
    """Whether the scenario says what an answer holds: only so can a wrong text be known."""
    tokens_told: bool = True
    """False: answers are fine, and the counts of tokens beside them are not to be taken for the target's."""


LIARS: dict[str, Liar] = {}
ODD: dict[str, Liar] = {}


def name_of(bot: Bot) -> str:
    return str(getattr(bot, "__name__", ""))


TIMEOUTS = frozenset({"first_byte_timeout", "idle_timeout", "total_timeout", "grpc_deadline_exceeded"})
SHIFTED = frozenset({"answers_may_be_shifted"})
NO_TEXT = frozenset({"answer_empty", "answer_unmatched"})
ERROR = frozenset({"target_error"})
CUT = frozenset(
    {
        "connection_reset",
        "connection_closed",
        "connection_reused_closed",
        "stream_incomplete",
        "body_truncated",
        "ws_closed_1000",
        "ws_closed_1005",
        "ws_closed_1006",
        "grpc_unavailable",
        "grpc_malformed",
        "json_invalid",
        "http_malformed",
    }
)
WRONG = frozenset({"expect_failed"})


def liar(*protocols: str, seen_as: frozenset[str], **more: Any) -> Callable[[Bot], Bot]:
    """Put the decorated bot into the table, by its name."""

    def register(speak: Bot) -> Bot:
        LIARS[name_of(speak)] = Liar(speak, protocols, seen_as, **more)
        return speak

    return register


def odd(*protocols: str, **more: Any) -> Callable[[Bot], Bot]:
    """Put the decorated bot into the table, by its name."""

    def register(speak: Bot) -> Bot:
        ODD[name_of(speak)] = Liar(speak, protocols, frozenset(), **more)
        return speak

    return register


def turn_of(chat: Chat) -> int:
    """Which message of its conversation the question is, from 1."""
    return int(chat.question.split()[1])


def conversation_of(chat: Chat) -> int:
    return int(chat.question.rsplit("-", 1)[1])

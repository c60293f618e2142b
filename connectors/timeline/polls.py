"""The answer to one request of Engine.IO's long polling. Used by both lanes."""

from __future__ import annotations

from typing import Any

from connectors.spec import Timeouts
from connectors.timeline.acks import STREAM_LIFE_S
from connectors.timeline.base import Timeline


class PollTimeline(Timeline):
    """Keeps a body, and when its last byte came."""

    __slots__ = ("answered_ns", "body")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.body = b""
        self.answered_ns = 0

    def answer(self, ns: int, data: bytes) -> None:
        self.body = data
        self.answered_ns = self.done_ns = ns


def poll_timeouts(timeouts: Timeouts) -> Timeouts:
    """Of a request that the target answers when it has something to say: only the turn can be late."""
    return timeouts.model_copy(update={"first_byte": STREAM_LIFE_S, "idle": timeouts.total, "total": 2 * STREAM_LIFE_S})

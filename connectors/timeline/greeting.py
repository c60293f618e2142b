"""The greeting of a target on a new connection. No I/O; used by both lanes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.errors import BadAnswer, TimedOut, TurnError
from connectors.mapping.paths import condition_test
from connectors.spec import GreetingSpec
from connectors.timeline.base import Timeline


def carries_text(timeline: Timeline) -> bool:
    """Whether the received data could be taken for an answer, or a part of one."""
    return timeline.first_content_ns is not None or timeline.reasoning_chars > 0


class Greeting:
    """A GreetingSpec that is awaited. `over`: it is complete."""

    def __init__(self, spec: GreetingSpec) -> None:
        self.spec = spec
        self.over = False
        self.failure: TurnError | None = None
        self.saved: dict[str, Any] = {}
        self._left = spec.count or 1
        self._is_last = None if spec.until is None else condition_test(spec.until, "greeting.until")
        self._message: Timeline | None = None

    def take(self, ns: int, data: bytes, new_timeline: Callable[[], Timeline]) -> None:
        """Process one message. Raises TurnError if it contains an error."""
        message = self._message if self._message is not None else new_timeline()
        plain = message.decoded(data)
        is_last = self._is_last is not None and (self._is_last(plain) or self._is_last(data))
        try:
            message.event(ns, data)
        except BadAnswer as exc:
            if exc.code == "target_error":
                raise
        self.saved.update(message.saved or {})
        if self._is_last is not None:
            self.over = self.over or is_last
            return
        self._message = message
        if message.done_ns is not None:
            self._message = None
            self._left -= carries_text(message)
            self.over = self._left <= 0

    def missed(self) -> TimedOut:
        """The error for a greeting that did not arrive in time."""
        spec = self.spec
        what = "the message that is greeting.until" if spec.until is not None else f"{spec.count or 1} greeting(s)"
        advice = "correct `greeting`, or set greeting.required to false if the target does not always greet"
        return TimedOut("connect_timeout", f"{what} did not come within {spec.within_s:g} s", advice)

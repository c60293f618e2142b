"""What is waited for on a connection beside answers: a target's greeting, its replies to messages of ours. No I/O; used
by both lanes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from connectors.errors import BadAnswer, TimedOut, TurnError
from connectors.mapping.messages import Awaited, Message, Step
from connectors.timeline.base import Timeline


def carries_text(timeline: Timeline) -> bool:
    """Whether the received data could be taken for an answer, or a part of one."""
    return timeline.first_content_ns is not None or timeline.reasoning_chars > 0


class Greeting:
    """One wait. `over`: it is complete. `saved`: what its messages gave to save."""

    def __init__(self, awaited: Awaited) -> None:
        self.awaited = awaited
        self.over = False
        self.saved: dict[str, Any] = {}
        self._left = awaited.spec.count or 1
        self._message: Timeline | None = None

    def take(self, ns: int, data: bytes, new_timeline: Callable[[], Timeline]) -> None:
        """Process one message. Raises TurnError if it contains an error."""
        message = self._message if self._message is not None else new_timeline()
        plain = message.decoded(data)
        is_last = self.awaited.is_last is not None and (self.awaited.is_last(plain) or self.awaited.is_last(data))
        try:
            message.event(ns, data)
        except BadAnswer as exc:
            if exc.code == "target_error":
                raise
        self.saved.update(message.saved or {})
        if self.awaited.is_last is not None:
            if is_last:
                self.saved.update(self.awaited.saves.read(plain))
                self.over = True
            return
        self._message = message
        if message.done_ns is not None:
            self._message = None
            self._left -= carries_text(message)
            self.over = self._left <= 0


class Dialogue:
    """Steps in their order: messages of ours, and waits for the target's. `say` sends one; before `start` none is sent:
    there may be no connection yet. `over`: all are done. `took_ns`: by the steps' names, from `start` on."""

    def __init__(self, steps: Sequence[Step], say: Callable[[Message], object]) -> None:
        self._steps = deque(steps)
        self._say = say
        self._began_ns: int | None = None
        self._name = ""
        self.took_ns: dict[str, int] = {}
        self.wait: Greeting | None = None
        self.over = False
        self.failure: TurnError | None = None
        self.advance()

    def start(self) -> None:
        """The connection carries messages from now on. Raises TurnError."""
        self._began_ns = time.monotonic_ns()
        self.advance()

    @property
    def waits(self) -> bool:
        """Whether a message of the target is awaited just now."""
        return self.wait is not None and not self.wait.over and self.failure is None

    def advance(self) -> None:
        """Go on to the next wait, if the one before is over. Raises TurnError."""
        while not self.over and (self.wait is None or self.wait.over):
            if self._began_ns is None and self._steps and self._steps[0].message is not None:
                return
            self._note_time()
            if not self._steps:
                self.over = True
                return
            step = self._steps.popleft()
            self._name = step.name
            self.wait = None if step.awaited is None else Greeting(step.awaited)
            if step.message is not None:
                self._say(step.message)

    def _note_time(self) -> None:
        """The step so far is over."""
        if not self._name:
            return
        now_ns = time.monotonic_ns()
        took_ns = 0 if self._began_ns is None else now_ns - self._began_ns
        self.took_ns[self._name] = self.took_ns.get(self._name, 0) + took_ns
        if self._began_ns is not None:
            self._began_ns = now_ns

    def missed(self) -> None:
        """The wait's time is over. Raises TimedOut, unless the target need not say anything."""
        if self.wait is None:
            return
        where, spec, _, _ = self.wait.awaited
        if not spec.required:
            self.wait.over = True
            self.advance()
            return
        if where == "greeting":
            what = "the message that is greeting.until" if spec.until is not None else f"{spec.count or 1} greeting(s)"
            advice = "correct `greeting`, or set greeting.required to false if the target does not always greet"
        else:
            what = f"the message that is {where}.until"
            advice = f"correct {where}.until; `probe` shows what came"
        code = "first_byte_timeout" if where.startswith("before") else "connect_timeout"
        raise TimedOut(code, f"{what} did not come within {spec.within_s:g} s", advice)

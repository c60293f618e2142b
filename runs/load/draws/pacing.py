"""A conversation at a user's own pace: think times between messages, and an early end. Pure."""

from __future__ import annotations

from typing import Any

from runs.load.users import Think
from scenarios.definition.spread import Draws, at_pace_s
from scenarios.render.walk import SayAction, WaitAction, Walk


class PacedWalk:
    """Walks as `walk` does, and ends the conversation after `messages` messages (0: when the scenario ends)."""

    __slots__ = ("_heard", "_held", "_messages", "_rng", "_said", "_think", "_waited", "_walk")

    def __init__(self, walk: Walk, messages: int, think: Think | None, rng: Draws) -> None:
        self._walk = walk
        self._messages = messages
        self._think = think
        self._rng = rng
        self._said = 0
        self._heard = 0  # characters of the last answer
        self._waited = False
        self._held: SayAction | None = None  # to be said after a pause

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self._walk.messages

    @property
    def history(self) -> list[dict[str, Any]]:
        return self._walk.history

    @property
    def expect_text(self) -> frozenset[str] | None:
        return self._walk.expect_text

    @property
    def variables(self) -> dict[str, Any]:
        return self._walk.variables

    def next_action(self) -> SayAction | WaitAction | None:
        """Raises ScenarioError."""
        if self._held is not None:
            held, self._held = self._held, None
            return held
        if self._said == self._messages > 0:
            return None
        action = self._walk.next_action()
        if not isinstance(action, SayAction):
            self._waited = True
            return action
        self._said += 1
        waited, self._waited = self._waited, False
        if self._think is None or waited or self._said == 1:
            return action
        pause_s = self._pause_s(self._think, len(action.text))
        if pause_s <= 0:
            return action
        self._held = action
        return WaitAction(pause_s)

    def _pause_s(self, think: Think, chars: int) -> float:
        pause_s = think.pause_s.draw(self._rng)
        pause_s += at_pace_s(self._heard, think.reading_wpm) + at_pace_s(chars, think.typing_wpm)
        return min(pause_s, think.max_s)

    def answer(self, text: str) -> str | None:
        self._heard = len(text)
        return self._walk.answer(text)

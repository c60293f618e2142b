"""The HTTP requests at the end of a conversation, such as one that deletes the session that its handshake has made.

No I/O: each lane carries them as it carries a handshake's steps. What goes wrong with one of them is kept, and is no
failure of a turn.
"""

from __future__ import annotations

import time

from connectors.errors import TurnError
from connectors.handshake.answers import StepAnswer
from connectors.handshake.runner import Carried, StepTimeline, of_step
from connectors.handshake.steps import Ask
from connectors.http.endpoint import Endpoint
from connectors.mapping.expressions import Context
from connectors.mapping.filters import BUDGET, Budget
from connectors.spec import TargetSpec

KIND = "handshake.goodbye"


class Farewell:
    """`handshake.goodbye` of a target, compiled. Raises SpecError."""

    def __init__(self, target: TargetSpec, endpoint: Endpoint, fold: Context, budget: Budget) -> None:
        self._fold = fold
        known = {**fold, BUDGET: budget}
        self.asks = [Ask(said, KIND, target, endpoint, known) for said in target.handshake.goodbye]

    def parting(self, session: Context, saved: Context) -> Parting:
        """Of one conversation."""
        return Parting(self.asks, {**self._fold, "session": session, "saved": saved})


class Parting:
    """`took_ns`: the time of each request that was sent. `failure`: the first one, by its place."""

    def __init__(self, asks: list[Ask], context: Context) -> None:
        self._asks = asks
        self._context = context
        self.took_ns: dict[str, int] = {}
        self.failure: TurnError | None = None

    def run(self) -> Carried:
        """Yields each request with the timeline for its answer. One that is refused does not keep the others back; a
        TurnError that is thrown into it ends it, as a connection that fails would fail again."""
        for ask in self._asks:
            try:
                asking = ask.ask(self._context)
                step = next(asking)
            except TurnError as exc:
                self._note(exc, ask)
                continue
            timeline = StepTimeline(step, time.monotonic_ns())
            try:
                yield step, timeline
            except TurnError as exc:
                raise of_step(ask.where, exc) from exc.__cause__
            self.took_ns[ask.spec.name] = time.monotonic_ns() - timeline.planned_ns
            try:
                asking.send(StepAnswer(timeline.status, timeline.body, timeline.charset, timeline.last_head))
            except TurnError as exc:
                self._note(exc, ask)
            except StopIteration:
                pass

    def _note(self, exc: TurnError, ask: Ask) -> None:
        self.failure = self.failure or of_step(ask.where, exc)

"""The handshake before a conversation: a sequence of HTTP requests whose answers provide values for later requests.

No I/O: `Handshake.requests` is a generator that yields requests and is sent their answers; each lane carries them
with its own HTTP exchange (`connectors.handshake.runner`).
"""

from __future__ import annotations

import time

from connectors.handshake.progress import Progress
from connectors.handshake.steps import Asking, Step
from connectors.http.endpoint import Endpoint
from connectors.mapping.expressions import Context
from connectors.mapping.filters import BUDGET, Budget
from connectors.spec import TargetSpec


class Handshake:
    """A HandshakeSpec, compiled. `run`: values shared by all conversations of this process. Raises SpecError."""

    def __init__(self, target: TargetSpec, endpoint: Endpoint, fold: Context, budget: Budget) -> None:
        steps = [Step(step, target, endpoint, {**fold, BUDGET: budget}) for step in target.handshake.steps]
        self._fold = fold
        self.refresh_on = frozenset(target.handshake.refresh_on)
        self.of_run = [step for step in steps if step.spec.per == "run"]
        self.of_session = [step for step in steps if step.spec.per == "session"]
        self.reads_heads = any(step.reads_head for step in steps)
        self.run = Progress()

    def run_due(self) -> bool:
        """Whether the run's own steps are to be done."""
        return bool(self.of_run) and self.run.due()

    def run_steps(self) -> Asking:
        return self.requests(self.of_run, self.run, {}, {})

    @staticmethod
    def new_progress() -> Progress:
        return Progress()

    def requests(self, steps: list[Step], progress: Progress, session: Context, before: Context) -> Asking:
        """Yields the requests of each step that is due and receives their answers. `before`: values that are already
        saved. Raises BadRequest, Refused, BadAnswer or TimedOut."""
        for step in steps:
            if progress.holds(step.spec.name):
                continue
            context = {**self._fold, "session": session, "saved": {**before, **progress.saved}}
            if step.wanted(context):
                asked_ns = time.monotonic_ns()
                saved, message = yield from step.ask(context)
                progress.store(step.spec.name, asked_ns, saved, step.lifetime_s(message))
            else:
                progress.store(step.spec.name, 0, {}, None)
        progress.done = True
        progress.round += 1

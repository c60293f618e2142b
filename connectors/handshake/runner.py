"""How a lane runs handshake steps: send each request and keep its answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from functools import cache

from connectors.errors import DETAIL_LIMIT, TurnError
from connectors.handshake.steps import StepAnswer, StepRequest
from connectors.http.redirects import REDIRECTS
from connectors.mapping.response import ResponseMapping
from connectors.spec import ResponseSpec
from connectors.timeline import Timeline


@cache
def _whole_mapping() -> ResponseMapping:
    """A step's answer is kept unparsed, because the step's own `save` paths read it."""
    return ResponseMapping(ResponseSpec(text="@"))


class StepTimeline(Timeline):
    """Keeps an answer unparsed, whatever its status, unless it is a redirect that is to be followed."""

    __slots__ = ("_expect", "_follows", "body")

    def __init__(self, step: StepRequest, planned_ns: int) -> None:
        super().__init__(_whole_mapping(), planned_ns)
        self._follows = step.follows
        self._expect = step.expect
        self.body = b""

    def answer(self, ns: int, data: bytes) -> None:
        self.body = data
        self.done_ns = ns

    def refused(self, status: int, data: bytes) -> None:
        """A status is no failure here."""
        if self._follows and status in REDIRECTS and status not in self._expect:
            super().refused(status, data)
        self.status = status
        self.body = data
        self.done_ns = time.monotonic_ns()


Steps = Generator[StepRequest, StepAnswer, None]


def run_handshake(
    steps: Steps, note: Callable[[str, int], None]
) -> Generator[tuple[StepRequest, StepTimeline], None, None]:
    """Yields each step with the timeline for its answer. The caller sends it, or throws the TurnError that occurred;
    `note` receives the duration (ns). Raises TurnError that names the step."""
    step = next(steps, None)
    while step is not None:
        began_ns = time.monotonic_ns()
        timeline = StepTimeline(step, began_ns)
        try:
            yield step, timeline
        except TurnError as exc:
            raise of_step(step.name, exc) from exc.__cause__
        note(step.name, time.monotonic_ns() - began_ns)
        try:
            step = steps.send(StepAnswer(timeline.status, timeline.body, timeline.charset))
        except StopIteration:
            step = None


def of_step(name: str, exc: TurnError) -> TurnError:
    """`exc`, which a step's request ran into, with the step's name."""
    where = f"handshake.{name}: "
    if not exc.detail.startswith(where):
        exc.detail = f"{where}{exc.detail}"[:DETAIL_LIMIT]
        exc.args = (f"{exc.code}: {exc.detail}",)
    return exc

"""How a lane runs handshake steps: send each request and keep its answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from functools import cache

from connectors.content.heads import AnswerHead
from connectors.errors import DETAIL_LIMIT, BadAnswer, TurnError
from connectors.handshake.answers import StepAnswer
from connectors.handshake.steps import Asking, StepRequest
from connectors.http.redirects import REDIRECTS
from connectors.mapping.answers.response import ResponseMapping
from connectors.spec import ResponseSpec
from connectors.timeline import Timeline
from connectors.timeline.heads import HeadTimeline


@cache
def _whole_mapping() -> ResponseMapping:
    """A step's answer is kept unparsed, because the step's own `save` paths read it."""
    return ResponseMapping(ResponseSpec(text="@"))


class StepTimeline(HeadTimeline):
    """Keeps an answer unparsed, whatever its status, unless it is a redirect that is to be followed; of a stream the
    event that is waited for."""

    __slots__ = ("_expect", "_follows", "_until", "body", "last_head")

    def __init__(self, step: StepRequest, planned_ns: int) -> None:
        super().__init__(_whole_mapping(), planned_ns)
        self._follows = step.follows
        self._expect = step.expect
        self._until = step.until
        self.body = b""
        self.last_head: AnswerHead | None = None

    def head(self, head: AnswerHead) -> None:
        before = self.last_head.set_cookies if self.last_head is not None else ()
        self.status = head.status  # a lane says it at the end of a body, which of a stream is not waited for
        self.last_head = head._replace(set_cookies=(*before, *head.set_cookies))

    def event(self, ns: int, data: bytes) -> None:
        if data and (self._until is None or self._until(data)):
            self.answer(ns, data)

    def late(self, data: bytes) -> None:
        """Of a stream no more is read than one event."""

    def answer(self, ns: int, data: bytes) -> None:
        self.body = data
        self.done_ns = ns

    def end(self, ns: int) -> None:
        if self.done_ns is None:
            which = "no event came" if self._until is None else "no event met `until`"
            raise BadAnswer("stream_incomplete", f"the stream ended, and {which}")

    def refused(self, status: int, data: bytes) -> None:
        """A status is no failure here."""
        if self._follows and status in REDIRECTS and status not in self._expect:
            super().refused(status, data)
        self.status = status
        self.body = data
        self.done_ns = time.monotonic_ns()


Carried = Generator[tuple[StepRequest, Timeline], None, None]
"""What a lane sends, each request with the timeline for its answer; it throws the TurnError that occurred into it."""


def run_handshake(steps: Asking, note: Callable[[str, int], None]) -> Carried:
    """`note` receives the duration of each step (ns), from the time at which its timeline was planned: with all
    requests of a step that waits for a condition. Raises TurnError that names the step."""
    began_ns = 0
    step = next(steps, None)
    while step is not None:
        timeline = StepTimeline(step, time.monotonic_ns())
        try:
            yield step, timeline
        except TurnError as exc:
            raise of_step(f"handshake.{step.name}", exc) from exc.__cause__
        if not step.again:
            began_ns = timeline.planned_ns
        note(step.name, time.monotonic_ns() - began_ns)
        try:
            step = steps.send(StepAnswer(timeline.status, timeline.body, timeline.charset, timeline.last_head))
        except StopIteration:
            step = None


def of_step(where: str, exc: TurnError) -> TurnError:
    """`exc`, which the request at `where` ran into, with its name."""
    where = f"{where}: "
    if not exc.detail.startswith(where):
        exc.detail = f"{where}{exc.detail}"[:DETAIL_LIMIT]
        exc.args = (f"{exc.code}: {exc.detail}",)
    return exc

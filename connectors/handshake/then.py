"""A turn that is several requests: its own one, and those of `then`, of which the last one's answer is the turn's.

No I/O: `TurnParts.run` is a generator that yields requests with the timelines for their answers; each lane carries them
as it carries a handshake's steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple

import orjson

from connectors.content.said_errors import described, real_error, said_error
from connectors.errors import BadAnswer, TimedOut, TooLarge, TurnError
from connectors.handshake.answers import StepAnswer, check_saved, document_of, found_in
from connectors.handshake.runner import Carried, StepTimeline, of_step
from connectors.handshake.steps import Ask, StepRequest
from connectors.http.endpoint import Endpoint
from connectors.mapping.answers.saving import Saving
from connectors.mapping.expressions import Context
from connectors.mapping.filters import BUDGET, Budget
from connectors.mapping.request import RenderedRequest
from connectors.spec import TargetSpec
from connectors.spec.then import OF_REQUEST
from connectors.timeline import Timeline
from connectors.timeline.heads import HeadTimeline

STEP: Final = "then."
"""How the names of a turn's parts begin among its steps in ledgers. The name of no handshake step has a dot."""


class Talk(NamedTuple):
    """What a connector gives to a turn: what templates see, what to do with saved values, and with each body that is
    sent and read."""

    context: Context
    keep: Callable[[dict[str, Any]], None]
    pack: Callable[[RenderedRequest], RenderedRequest]
    unpack: Callable[[bytes], bytes]


class Then:
    """`then` of a target, compiled. Raises SpecError."""

    def __init__(self, target: TargetSpec, endpoint: Endpoint, fold: Context, budget: Budget) -> None:
        self.endpoint = endpoint
        self.follows = target.follow_redirects
        self.idempotent = target.request.idempotent
        self.total_s = target.timeouts.total
        self.saving = Saving(target.request.save, "request.save")
        self.asks = [Ask(part, "then", target, endpoint, {**fold, BUDGET: budget}) for part in target.then]
        for ask in self.asks:
            ask.known_errors = target.response.known_errors
        self.reads_heads = self.saving.needs_head or any(ask.reads_head for ask in self.asks)


class PartTimeline(StepTimeline):
    """Of a request whose turn is `of`: the turn is sent with the first one, and all have its time limit together."""

    __slots__ = ("of",)

    def __init__(self, step: StepRequest, of: Timeline) -> None:
        super().__init__(step, of.planned_ns)
        self.of = of
        self.sent_ns = of.sent_ns

    def sent(self, ns: int, size: int) -> None:
        super().sent(ns, size)
        self.of.sent(ns, size)


class RequestTimeline(PartTimeline):
    """Of the turn's own request: a status that is not 2xx fails the turn, as ever."""

    __slots__ = ()

    def refused(self, status: int, data: bytes) -> None:
        raise self.of.refusal(status, data)


class TurnParts:
    """One turn."""

    def __init__(self, then: Then, timeline: Timeline, talk: Talk) -> None:
        self._then = then
        self._timeline = timeline
        self._talk = talk
        self._bytes_in = 0
        self._took: dict[str, int] = {}
        self._last: PartTimeline | None = None

    def run(self, request: RenderedRequest) -> Carried:
        """Yields each request with the timeline for its answer; the lane throws the TurnError that occurred into it.
        Raises TurnError."""
        timeline, then = self._timeline, self._then
        steps = timeline.handshake_ns
        try:
            yield from self._own(request)
            steps = timeline.handshake_ns
            *between, last = then.asks
            for ask in between:
                yield from self._polled(ask)
            if last.spec.until is not None:
                yield from self._polled(last)
                self._read_last()
            else:
                yield from self._streamed(last)
        finally:
            took = {f"{STEP}{name}": ns for name, ns in self._took.items()}
            timeline.handshake_ns = {**(steps or {}), **took}  # connecting again is part of the wait for the answer
            timeline.bytes_in += self._bytes_in

    def _own(self, request: RenderedRequest) -> Carried:
        """The turn's own request."""
        then, timeline = self._then, self._timeline
        step = StepRequest(OF_REQUEST, then.endpoint, request, follows=then.follows, repeatable=then.idempotent)
        part = RequestTimeline(step, timeline)
        try:
            yield step, part
        finally:
            self._bytes_in += part.bytes_in
            if part.handshake_ns:
                timeline.handshake_ns = {**(timeline.handshake_ns or {}), **part.handshake_ns}
        self._took[OF_REQUEST] = _end_of(part) - (timeline.sent_ns or 0)
        answer = self._answer_of(part)
        vault = then.endpoint.vault
        self._no_error(answer)
        message = document_of(answer, vault, "request.save") if then.saving.paths else None
        found = found_in(answer, message, then.saving, vault)
        check_saved(found, answer, message, then.saving, "request.save")
        self._talk.keep(found)

    def _polled(self, ask: Ask) -> Carried:
        """A request, again and again if it waits for a condition; its answer is not the turn's."""
        began_ns = time.monotonic_ns()
        asking = ask.ask(self._talk.context)
        step = next(asking)
        while True:
            answer = yield from self._carried(step, ask.where)
            self._took[ask.spec.name] = (_end_of(self._last) if self._last else time.monotonic_ns()) - began_ns
            try:
                step = asking.send(answer)
            except StopIteration as over:
                self._talk.keep(over.value[0])
                return
            self._check_time(step, ask.where)

    def _carried(self, step: StepRequest, where: str) -> Generator[tuple[StepRequest, Timeline], None, StepAnswer]:
        self._last = part = PartTimeline(step, self._timeline)
        try:
            yield step._replace(request=self._talk.pack(step.request)), part
        except TurnError as exc:
            raise of_step(where, exc) from exc.__cause__
        finally:
            self._bytes_in += part.bytes_in
        answer = self._answer_of(part)
        if 200 <= answer.status < 300:
            self._no_error(answer, f"{where}: ")
        return answer

    def _streamed(self, ask: Ask) -> Carried:
        """The request whose answer is the turn's, read as the target's protocol says."""
        began_ns = time.monotonic_ns()
        step = ask.request(self._talk.context)
        step = step._replace(style=None, request=self._talk.pack(step.request))
        try:
            yield step, self._timeline
        except TurnError as exc:
            raise of_step(ask.where, exc) from exc.__cause__
        self._took[ask.spec.name] = _end_of(self._timeline) - began_ns

    def _read_last(self) -> None:
        """The answer that was waited for is the turn's."""
        part, timeline = self._last, self._timeline
        if part is None:
            return
        timeline.first_byte_ns = part.first_byte_ns
        timeline.status, timeline.charset = part.status, part.charset
        if part.last_head is not None and isinstance(timeline, HeadTimeline):
            timeline.head(part.last_head)
        timeline.answer(part.done_ns or time.monotonic_ns(), part.body)

    def _answer_of(self, part: PartTimeline) -> StepAnswer:
        body = self._talk.unpack(part.body) if part.body else part.body
        return StepAnswer(part.status, body, part.charset, part.last_head)

    def _no_error(self, answer: StepAnswer, where: str = "") -> None:
        """An answer on the way may say that there will be none."""
        response = self._timeline.response
        try:
            message = answer.document(None)
        except (orjson.JSONDecodeError, TooLarge):
            return
        if response.part.error is not None and real_error(error := response.part.error(message)):
            raise BadAnswer("target_error", f"{where}{described(message, error)}")
        if response.known_errors and (said := said_error(message)) is not None:
            raise BadAnswer("target_error", f"{where}{said}")

    def _check_time(self, step: StepRequest, where: str) -> None:
        """Whether the wait before the next request would be longer than the turn may take."""
        sent_ns = self._timeline.sent_ns or 0
        total_s = self._then.total_s
        if (time.monotonic_ns() - sent_ns) / 1e9 + step.after_s >= total_s:
            raise TimedOut("total_timeout", f"{where}: `until` was not met within the {total_s:g} s of the whole turn")


def _end_of(timeline: Timeline) -> int:
    """When its answer was whole (monotonic ns): not when its body ended, for which a lane waits a little."""
    return timeline.done_ns or time.monotonic_ns()

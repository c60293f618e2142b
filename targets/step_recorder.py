"""Records the requests of a handshake, and those of a turn that has several, with their answers, for a test message.

It stands in for their own generators, so that the path of a load stays as it is.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import orjson

from connectors.errors import TurnError
from connectors.handshake.answers import StepAnswer
from connectors.handshake.farewell import Parting
from connectors.handshake.handshake import Handshake
from connectors.handshake.progress import Progress
from connectors.handshake.runner import Carried, StepTimeline
from connectors.handshake.steps import Asking, Step, StepRequest
from connectors.handshake.then import TurnParts
from connectors.handshake_connector import HandshakeConnector
from connectors.mapping.expressions import Context
from connectors.security.redact import Redactor
from connectors.timeline import Timeline
from plain_text.visible import visible
from targets.frame_recorder import FRAME_CHARS
from targets.probe_result import HandshakeStep, Request
from targets.saved_values import hidden, masked

MOST: Final = 30
"""Requests that are shown; one that waits for a condition may be sent often."""
BODY_BYTES: Final = 200_000
"""Of an answer that is looked into."""


@dataclass
class StepRecorder:
    """`saved`: texts that the steps gave, which are as secret as what they were given for."""

    taken: list[tuple[StepRequest, StepAnswer | None]] = field(default_factory=list)
    left_out: int = 0
    saved: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    """By the names of steps."""

    def attach(self, handshake: Handshake) -> None:
        """Record what this handshake asks from now on."""
        own = handshake.requests

        def recorded(steps: list[Step], progress: Progress, session: Context, before: Context) -> Asking:
            named = {one.spec.name: one for one in steps}
            return self._recorded(own(steps, progress, session, before), progress, named)

        handshake.requests = recorded  # type: ignore[method-assign] # of this one target

    def _recorded(self, asking: Asking, progress: Progress, steps: dict[str, Step]) -> Asking:
        answer: StepAnswer | None = None
        while True:
            try:
                step = asking.send(answer) if answer is not None else next(asking)
            except StopIteration:
                return
            finally:
                self.saved |= hidden(progress.saved)
            number = len(self.taken)
            if number < MOST:
                self.taken.append((step, None))
            else:
                self.left_out += 1
            answer = yield step
            if number < MOST:
                self.taken[number] = (step, answer)
            if answer.status < 300:
                self.notes[step.name] = steps[step.name].lifetime_note(answer)

    def shown(self, redact: Redactor) -> list[HandshakeStep]:
        """What was recorded since the last call, without secrets."""
        taken, self.taken, self.left_out = self.taken, [], 0
        return [_shown(step, answer, redact) for step, answer in taken]


@dataclass
class PartRecorder:
    """The requests of a turn that has several, with their answers; that of the last one is in the turn's frames."""

    taken: list[tuple[StepRequest, Timeline]] = field(default_factory=list)
    left_out: int = 0

    def attach(self, connector: HandshakeConnector) -> None:
        """Record what the turns of this connector ask from now on."""
        own = connector.parts_of

        def recorded(timeline: Timeline) -> TurnParts:
            parts = own(timeline)
            run = parts.run
            parts.run = lambda request: self._recorded(run(request))  # type: ignore[method-assign] # of this one turn
            return parts

        connector.parts_of = recorded  # type: ignore[method-assign] # of this one connector

    def attach_end(self, connector: HandshakeConnector) -> None:
        """Record what this connector asks at the end of its conversation."""
        own = connector.parting

        def recorded() -> Parting | None:
            if (parting := own()) is not None:
                run = parting.run
                parting.run = lambda: self._recorded(run())  # type: ignore[method-assign] # of this one conversation
            return parting

        connector.parting = recorded  # type: ignore[method-assign] # of this one connector

    def _recorded(self, running: Carried) -> Carried:
        for step, timeline in running:
            if len(self.taken) < MOST:
                self.taken.append((step, timeline))
            else:
                self.left_out += 1
            try:
                yield step, timeline
            except TurnError as exc:
                running.throw(exc)

    def shown(self, redact: Redactor) -> list[HandshakeStep]:
        """What was recorded since the last call, without secrets."""
        taken, self.taken, self.left_out = self.taken, [], 0
        return [_shown(step, _answer_of(timeline), redact) for step, timeline in taken]


def _answer_of(timeline: Timeline) -> StepAnswer | None:
    if not timeline.status:
        return None
    return StepAnswer(timeline.status, timeline.body if isinstance(timeline, StepTimeline) else b"")


def _shown(step: StepRequest, answer: StepAnswer | None, redact: Redactor) -> HandshakeStep:
    endpoint, request = step.endpoint, step.request
    scheme = "https" if endpoint.tls else "http"
    made = Request(
        method=request.method,
        url=visible(redact(f"{scheme}://{endpoint.host_header}{request.path}")),
        headers=[(name, visible(redact(value))) for name, value in request.headers],
        body=_document(request.body, redact),
    )
    if answer is None:
        return HandshakeStep(step.name, made)
    return HandshakeStep(step.name, made, answer.status, _document(answer.body, redact))


def _document(body: bytes, redact: Redactor) -> str:
    """A body as text; of JSON the values under names of secrets are masked too: a login gives more than is saved."""
    text = body[:BODY_BYTES].decode(errors="backslashreplace")
    if len(body) <= BODY_BYTES and body[:1] in {b"{", b"["}:
        with suppress(orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
            text = orjson.dumps(masked(orjson.loads(body))).decode()
    shown = redact.cut(text, FRAME_CHARS + 1)
    return visible(shown[:FRAME_CHARS]) + ("..." if len(shown) > FRAME_CHARS else "")

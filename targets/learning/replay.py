"""Reads a recorded answer with a mapping, as a turn would, in memory."""

from __future__ import annotations

import time
from typing import Final

from connectors.errors import TurnError
from connectors.spec import SpecError, TargetSpec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.timeline.kinds import timeline_class
from connectors.timeline.named import UNNAMED, named_data
from targets.learning.proposal import Reading
from targets.learning.recorded.exchange import Answer

WHOLE: Final = {"json", "text"}
CUT_OFF: Final = "stream_incomplete"
LIMIT_S: Final = 2.0
"""Of one answer: paths may be dear, and a stream has thousands of events."""


def replay(spec: TargetSpec, answer: Answer) -> Reading:
    """What `spec` reads in the answer."""
    try:
        target = CompiledTarget(spec)
        codecs = target.codecs({}) if target.has_codecs else None
    except (SpecError, TurnError) as exc:
        return Reading("", error=str(exc))
    timeline = timeline_class(named=target.response.by_name, by_id=False, quiet_ms=None)(
        target.response,
        0,
        one_frame=answer.kind == "frames" and not target.response.needs_done,
        **({} if codecs is None else {"decode": codecs.decode}),
    )
    try:
        _feed(timeline, answer)
        timeline.settle()
    except TurnError as exc:
        return Reading(timeline.text if exc.code == CUT_OFF else "", error=str(exc))
    return Reading(timeline.text, timeline.tokens_in, timeline.tokens_out)


def _feed(timeline: Timeline, answer: Answer) -> None:
    timeline.sent(1, 1)
    if answer.kind in WHOLE:
        timeline.answer(2, answer.events[0].data.encode() if answer.events else b"")
        return
    due_s = time.monotonic() + LIMIT_S
    for ns, event in enumerate(answer.events, 2):
        data = named_data(timeline, event.name or UNNAMED, event.data.encode())
        timeline.event(ns, data)
        if timeline.done_ns is not None or time.monotonic() > due_s:
            return
    timeline.end(len(answer.events) + 2)

"""Chooses the timeline variant for a target. No I/O; used by both lanes."""

from __future__ import annotations

from collections.abc import Callable

from connectors.timeline.base import Timeline
from connectors.timeline.named import NamedTimeline
from connectors.timeline.quiet import QuietTimeline
from connectors.timeline.replies import ReplyTimeline


class _NamedQuiet(QuietTimeline, NamedTimeline):
    pass


class _NamedReply(ReplyTimeline, NamedTimeline):
    pass


class _ReplyQuiet(ReplyTimeline, QuietTimeline):
    pass


class _NamedReplyQuiet(ReplyTimeline, QuietTimeline, NamedTimeline):
    pass


def timeline_class(*, named: bool, by_id: bool, quiet_ms: float | None) -> Callable[..., Timeline]:
    """The timeline class for a target with `named` events, with ids in its messages (`by_id`), or whose answers end
    after `quiet_ms` without a message."""
    if quiet_ms is None:
        if by_id:
            return _NamedReply if named else ReplyTimeline
        return NamedTimeline if named else Timeline
    if by_id:
        kind: type[QuietTimeline] = _NamedReplyQuiet if named else _ReplyQuiet
    else:
        kind = _NamedQuiet if named else QuietTimeline
    return lambda *args, **kwargs: kind(*args, quiet_ns=int(quiet_ms * 1e6), **kwargs)

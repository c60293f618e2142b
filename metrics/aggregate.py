"""The aggregate of a run: from its windows (what every page, report and export uses) or, to check them, from rows."""

from __future__ import annotations

import orjson
from django.db.models import TextField
from django.db.models.functions import Cast

from metrics.models import SessionMetric, Window
from metrics.rows import read_columns, read_turns
from metrics.totals import Aggregate, merge
from metrics.windows import Span, Windows, add_sessions, add_turns

__all__ = ["Aggregate", "aggregate_rows", "aggregate_run", "merge"]


def aggregate_run(run_id: int) -> Aggregate:
    """What is stored of the run by now, finished or not."""
    windows = Window.objects.filter(run=run_id).order_by("shard_id", "second", "ledger_offset")
    texts = windows.annotate(text=Cast("data", TextField())).values_list("text", flat=True)
    return merge(map(orjson.loads, texts.iterator(chunk_size=500)))


def aggregate_rows(run_id: int, counted: Span = (0, None)) -> Aggregate:
    """The same computed anew from turns and sessions; without what only engines know (CPU, memory, loop lag)."""
    aggregate = Aggregate()
    for fields in read_turns(run_id):
        windows: Windows = {}
        add_turns(windows, 0, read_columns(fields), fields["code"], counted)
        aggregate.add_all(windows.values())
    aggregate.add_all(_session_windows(run_id).values())
    return aggregate


def _session_windows(run_id: int) -> Windows:
    sessions = SessionMetric._meta.get_field("session").related_model
    assert isinstance(sessions, type)  # noqa: S101 - a "self" relation would be a text; this one is not
    rows = sessions._default_manager.filter(run=run_id).values_list("started_ns", "ended_ns", "outcome", "code")
    windows: Windows = {}
    begun: list[int] = []
    ended: list[tuple[int, str, str | None]] = []
    for started_ns, ended_ns, outcome, code in rows.iterator():
        begun.append(started_ns)
        if outcome:
            ended.append((ended_ns, outcome, code))
    add_sessions(windows, 0, begun, ended)
    return windows

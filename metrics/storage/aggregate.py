"""The aggregate of a run, from its windows (used by every page, report and export) or, to check them, from rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from metrics.analysis.totals import Aggregate, merge
from metrics.earlier_names import session_end
from metrics.ingest.windows import Closed, Opened, Span, Windows, add_sessions, add_turns, is_counted
from metrics.models import Window
from metrics.storage.chunks import in_chunks
from metrics.storage.rows import read_columns, read_turns
from metrics.storage.store import session_model

__all__ = ["Aggregate", "aggregate_rows", "aggregate_run", "merge", "windows_between"]


def aggregate_run(run_id: int) -> Aggregate:
    """What is stored of the run by now, finished or not."""
    return merge(_data(Window.objects.filter(run=run_id)))


def windows_between(run_id: int, from_s: int, to_s: int) -> list[dict[str, Any]]:
    """The data of the run's windows of the seconds [from_s, to_s), of all shards."""
    return list(_data(Window.objects.filter(run=run_id, second__gte=from_s, second__lt=to_s)))


def _data(windows: QuerySet[Window]) -> Iterator[dict[str, Any]]:
    ordered = windows.order_by("shard_id", "second", "ledger_offset")
    texts = ordered.annotate(text=Cast("data", TextField())).values_list("text", flat=True)
    return map(orjson.loads, in_chunks(texts, 500))


def aggregate_rows(run_id: int, counted: Span = (0, None), groups: int = 1) -> Aggregate:
    """The same, computed again from turns and sessions of a run with that many groups; without what only engines know
    (CPU, memory, loop lag)."""
    aggregate, grouped = Aggregate(), groups > 1
    for fields in read_turns(run_id, grouped=grouped):
        windows: Windows = {}
        add_turns(windows, 0, read_columns(fields), fields["code"], counted)
        aggregate.add_all(windows.values())
    aggregate.add_all(_session_windows(run_id, counted, grouped=grouped).values())
    return aggregate


def _session_windows(run_id: int, counted: Span, *, grouped: bool) -> Windows:
    fields = ("started_ns", "ended_ns", "outcome", "code", "group")
    rows = session_model()._default_manager.filter(run=run_id).values_list(*fields)
    windows: Windows = {}
    begun: list[Opened] = []
    ended: list[Closed] = []
    for started_ns, ended_ns, outcome, code, group in in_chunks(rows):
        if not is_counted(started_ns, counted):
            continue
        begun.append((started_ns, group))
        if outcome:
            ended.append((ended_ns, session_end(outcome), code, group))
    add_sessions(windows, 0, begun, ended, grouped=grouped)
    return windows

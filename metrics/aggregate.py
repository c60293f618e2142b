"""The aggregate of a run: from its windows (what every page, report and export uses) or, to check them, from rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import orjson
from django.db.models import TextField
from django.db.models.functions import Cast

from metrics.columns import (
    MISSING,
    OUTCOMES,
    REPETITION_SCALE,
    TOKEN_SOURCES,
    Columns,
    Pooled,
    code_column,
    handshake_columns,
    int_column,
)
from metrics.models import SessionMetric, Window
from metrics.totals import Aggregate, merge
from metrics.windows import Windows, add_sessions, add_turns

__all__ = ["Aggregate", "aggregate_rows", "aggregate_run", "merge"]

_FIELDS = (
    "outcome", "code", "planned_ns", "sent_ns", "first_byte_ns", "first_chunk_ns", "first_content_ns",
    "last_content_ns", "done_ns", "handshake", "chunks", "bytes_in", "bytes_out", "tokens_in", "tokens_out",
    "tokens_source", "icl_us", "arrival_error_ns", "repetition",
)  # fmt: skip
_ROWS_AT_A_TIME = 20_000


def aggregate_run(run_id: int) -> Aggregate:
    """What is stored of the run by now, finished or not."""
    windows = Window.objects.filter(run=run_id).order_by("shard_id", "second", "ledger_offset")
    texts = windows.annotate(text=Cast("data", TextField())).values_list("text", flat=True)
    return merge(map(orjson.loads, texts.iterator(chunk_size=500)))


def aggregate_rows(run_id: int) -> Aggregate:
    """The same computed anew from turns and sessions; without what only engines know (CPU, memory, loop lag)."""
    aggregate = Aggregate()
    rows = SessionMetric.objects.filter(run=run_id).order_by("pk").values_list(*_FIELDS)
    for piece in _pieces(rows.iterator(chunk_size=_ROWS_AT_A_TIME)):
        fields = dict(zip(_FIELDS, zip(*piece, strict=True), strict=True))
        windows: Windows = {}
        add_turns(windows, 0, _columns(fields), fields["code"])
        aggregate.add_all(windows.values())
    aggregate.add_all(_session_windows(run_id).values())
    return aggregate


def _pieces(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while piece := list(islice(rows, _ROWS_AT_A_TIME)):
        yield piece


def _columns(fields: Mapping[str, Sequence[Any]]) -> Columns:
    return Columns(
        outcome=code_column(fields["outcome"], OUTCOMES),
        planned=int_column(fields["planned_ns"]),
        sent=int_column(fields["sent_ns"]),
        first_byte=int_column(fields["first_byte_ns"]),
        first_chunk=int_column(fields["first_chunk_ns"]),
        first_content=int_column(fields["first_content_ns"]),
        last_content=int_column(fields["last_content_ns"]),
        done=int_column(fields["done_ns"]),
        chunks=int_column(fields["chunks"]),
        bytes_in=int_column(fields["bytes_in"]),
        bytes_out=int_column(fields["bytes_out"]),
        tokens_in=int_column(fields["tokens_in"]),
        tokens_out=int_column(fields["tokens_out"]),
        tokens_source=code_column(fields["tokens_source"], TOKEN_SOURCES),
        repetition=np.array(
            [MISSING if r is None else round(r * REPETITION_SCALE) for r in fields["repetition"]], dtype=np.int64
        ),
        gaps_us=_unpacked(fields["icl_us"], "<u4"),
        arrival_error_ns=_unpacked(fields["arrival_error_ns"], "<i8"),
        handshake=handshake_columns(fields["handshake"]),
    )


def _unpacked(values: Iterable[Any], dtype: str) -> Pooled:
    """From the bytes (memoryviews on PostgreSQL) that `metrics.turns` packed."""
    return Pooled.of_arrays([np.frombuffer(value or b"", dtype=dtype).astype(np.int64) for value in values])


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

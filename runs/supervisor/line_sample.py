"""Chooses the turns of a batch that the live page shows as lines. Pure."""

from __future__ import annotations

from typing import Any

from metrics.ingest.batch import Batch
from runs.live_stream import Line, safe_text

NS_PER_MS = 1e6


def sample(batch: Batch, limit: int) -> list[Line]:
    """At most `limit` of the batch's turns in their order: failures first, then the others, both spread evenly."""
    turns = batch.turns
    outcomes = turns.row("outcome")
    failed = _spread([row for row, outcome in enumerate(outcomes) if outcome != "ok"], limit)
    good = _spread([row for row, outcome in enumerate(outcomes) if outcome == "ok"], limit - len(failed))
    fields = ("session_id", "number", "outcome", "code", "planned_ns", "sent_ns", "done_ns", "message", "answer")
    columns = [turns.row(field) for field in fields]
    return [_line(*(column[row] for column in columns)) for row in sorted(failed + good)]


def _spread(rows: list[int], limit: int) -> list[int]:
    if limit <= 0:
        return []
    if len(rows) <= limit:
        return rows
    return [rows[index * len(rows) // limit] for index in range(limit)]


def _line(  # noqa: PLR0913, PLR0917  one argument for each column that is read
    session: int,
    number: int,
    outcome: str,
    code: str | None,
    planned_ns: int,
    sent_ns: int | None,
    done_ns: int | None,
    message: Any,
    answer: Any,
) -> Line:
    at_ns = done_ns or sent_ns or planned_ns
    e2e_ms = (done_ns - sent_ns) / NS_PER_MS if done_ns is not None and sent_ns is not None else None
    return {
        "at_ms": at_ns / NS_PER_MS,
        "session": session,
        "turn": number,
        "outcome": outcome,
        "code": code,
        "e2e_ms": e2e_ms,
        "message": safe_text(message),
        "answer": safe_text(answer),
    }

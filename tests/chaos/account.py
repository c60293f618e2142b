"""`python -m tests.chaos.account`: what databases say of runs.

Each line on stdin asks, a line of JSON on stdout answers. A question is {"url": DATABASE_URL, "after": run id, "whole":
bool}: the first run after that one, in full or only how far it is; the answer is null while there is none. {"url",
"newest": true}: the newest run's id, or 0.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
django.setup()

from django.db import DatabaseError, connections
from django.db.models import F

from metrics.analysis.verdict.codes import SEND_LAG_MS
from metrics.definitions import AFTER_SENDING, MS
from metrics.models import SessionMetric
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.models import Run, Session, Shard
from tests.support.databases import as_default, configuration

STARTING_NS: Final = 3_000_000_000
"""So long before the agreed start, its processes get ready."""


def progress(run: Run) -> dict[str, Any]:
    shards = list(run.shards.order_by("index").values_list("status", "reason", "ledger_complete"))
    return {
        "id": run.pk,
        "status": run.status,
        "reason": run.reason,
        "terminal": run.status in RUN_TERMINAL,
        "unstored": sum(not complete for _, _, complete in shards),
        "shards": [f"{status} {reason}".strip() for status, reason, _ in shards],
    }


def account(run: Run) -> dict[str, Any]:
    rows = SessionMetric.objects.filter(run=run).values_list("session_id", "number", "outcome", "sent_ns")
    report: Mapping[str, Any] = run.report or {}
    starts = {shard.pk: start for shard in run.shards.all() if (start := _start(shard)) is not None}
    return progress(run) | {
        "turns": [
            [f"tb-{run.pk}-{session}/{number}", outcome, sent is not None] for session, number, outcome, sent in rows
        ],
        "open_sessions": Session.objects.filter(run=run, outcome="").count(),
        "witness": run.witness,
        "reported": report.get("turns"),
        "verdict": report.get("verdict"),
        "dropped": report.get("dropped_arrivals") or 0,
        "starts_ns": [start.at_ns for start in starts.values()],
        "late": _late(run, starts),
    }


class Start(NamedTuple):
    """Of a shard's load, monotonic ns: when it was to begin, and how much later its engine did."""

    at_ns: int
    late_ns: int


def _start(shard: Shard) -> Start | None:
    """By its ledger."""
    try:
        with Path(shard.ledger_path).open("rb") as ledger:
            head = json.loads(ledger.readline())
            return Start(int(head["t0_mono_ns"]), int(head["late_ns"]))
    except (OSError, ValueError):
        return None


def _late(run: Run, starts: dict[int, Start]) -> list[tuple[int | None, int, int, int]]:
    """Messages whose send lag is above what a verdict allows: their engine's pid, when they were due and when they
    were sent (monotonic ns), and the lag (ns), which is what is left without the steps of connecting. What was due
    before an engine began is late for what held up its start, and that was before: any process may have been it."""
    pids = dict(run.shards.values_list("pk", "engine_pid"))
    sent = SessionMetric.objects.filter(run=run, sent_ns__gt=F("planned_ns") + int(SEND_LAG_MS * MS))
    found = []
    for shard, planned, at, handshake in sent.values_list("shard_id", "planned_ns", "sent_ns", "handshake"):
        assert planned is not None and at is not None  # by the filter
        lag = at - planned - sum(ns for step, ns in (handshake or {}).items() if step != AFTER_SENDING)
        if lag > SEND_LAG_MS * MS and shard in starts:
            start_ns, late_ns = starts[shard]
            waited = planned < late_ns
            since_ns = start_ns + planned - (STARTING_NS if waited else 0)
            found.append((None if waited else pids[shard], since_ns, start_ns + at, lag))
    return found


def answer(question: dict[str, Any]) -> Any:
    runs = Run.objects.order_by("pk")
    if question.get("newest"):
        return runs.values_list("pk", flat=True).last() or 0
    found = runs.filter(pk__gt=question["after"]).first()
    if found is None:
        return None
    return account(found) if question.get("whole") else progress(found)


def main() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        with as_default(configuration(question["url"])):
            try:
                said = {"answer": answer(question)}
            except DatabaseError as exc:
                said = {"error": str(exc)}
            connections["default"].close()
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

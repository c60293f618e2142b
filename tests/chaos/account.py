"""`python -m tests.chaos.account`: what databases say of runs.

Each line on stdin asks, a line of JSON on stdout answers. A question is {"url": DATABASE_URL, "after": run id, "whole":
bool}: the first run after that one, in full or only how far it is; the answer is null while there is none. {"url",
"newest": true}: the newest run's id, or 0.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
django.setup()

from django.db import DatabaseError, connections  # noqa: E402 - Django has to be set up first

from metrics.models import SessionMetric  # noqa: E402 - the same
from runs.lifecycle import RUN_TERMINAL  # noqa: E402 - the same
from runs.models import Run, Session  # noqa: E402 - the same
from tests.support.databases import as_default, configuration  # noqa: E402 - the same


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
    report = run.report or {}
    return progress(run) | {
        "turns": [
            [f"tb-{run.pk}-{session}/{number}", outcome, sent is not None] for session, number, outcome, sent in rows
        ],
        "open_sessions": Session.objects.filter(run=run, outcome="").count(),
        "witness": run.witness,
        "reported": report.get("turns"),
        "verdict": report.get("verdict"),
    }


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

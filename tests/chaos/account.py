"""`python -m tests.chaos.account [RUN]`: what the database says of the newest run (or of RUN), as one line of JSON."""

from __future__ import annotations

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
django.setup()

from metrics.models import SessionMetric  # noqa: E402 - models need Django set up first
from runs.lifecycle import RUN_TERMINAL  # noqa: E402 - the same
from runs.models import Run, Session  # noqa: E402 - the same


def account(run: Run) -> dict[str, object]:
    rows = SessionMetric.objects.filter(run=run).values_list("session_id", "number", "outcome", "sent_ns")
    report = run.report or {}
    return {
        "id": run.pk,
        "status": run.status,
        "reason": run.reason,
        "terminal": run.status in RUN_TERMINAL,
        "turns": [
            [f"tb-{run.pk}-{session}/{number}", outcome, sent is not None] for session, number, outcome, sent in rows
        ],
        "open_sessions": Session.objects.filter(run=run, outcome="").count(),
        "unstored": run.shards.filter(ledger_complete=False).count(),
        "witness": run.witness,
        "reported": report.get("turns"),
        "verdict": report.get("verdict"),
    }


if __name__ == "__main__":
    runs = Run.objects.order_by("-pk") if len(sys.argv) == 1 else Run.objects.filter(pk=sys.argv[1])
    found = runs.first()
    print(json.dumps(None if found is None else account(found)))

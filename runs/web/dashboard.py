"""The admin's start page: current and recent runs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from metrics.number_format import number
from metrics.report.verdict_words import verdict_words
from runs import db_clock
from runs.lifecycle.transitions import RUN_ACTIVE
from runs.models import Run, TestPlan
from runs.permissions import may_control, may_view
from runs.reporting.formatting import duration_text, load_text, moment_text
from runs.schedules.services import next_runs
from runs.schedules.starter import with_timing

RECENT = 12
UPCOMING = 6


def context(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Added to the admin index; nothing for those who may not look at runs."""
    if not may_view(request.user):
        return given
    rows = Run.objects.defer("scenario_specs", "sealed_secrets")[:RECENT]
    return given | {
        "recent_runs": [_row(run) for run in rows],
        "active_count": Run.objects.filter(status__in=RUN_ACTIVE).count(),
        "upcoming": _upcoming() if request.user.has_perm("runs.view_planschedule") else [],
        "plans": TestPlan.objects.order_by("-updated_at")[:6] if may_control(request.user) else [],
    }


def _upcoming() -> list[dict[str, Any]]:
    """The next runs that schedules will start."""
    now = db_clock.now()
    due = [
        (slot, schedule) for schedule in with_timing().select_related("plan") for slot in next_runs(schedule, 1, now)
    ]
    found = sorted(due, key=lambda pair: pair[0])[:UPCOMING]
    return [{"at": moment_text(slot), "schedule": schedule} for slot, schedule in found]


def _row(run: Run) -> dict[str, Any]:
    report = run.report
    turns = report.get("turns") if report else None
    ttft = report.get("metrics", {}).get("ttft_ms") if report else None
    verdict = report.get("verdict") if report else None
    return {
        "run": run,
        "active": run.status in RUN_ACTIVE,
        "target": run.target_spec.get("name", ""),
        "load": load_text(run.load),
        "duration": duration_text(run),
        "turns": number(turns["sent"] if turns else None),
        "ok": number(turns["ok"] if turns else None),
        "ttft_p95": number(ttft["p95"] if ttft else None),
        "verdict": verdict_words(verdict) if verdict else None,
    }

"""The end of a run: aggregate its windows into the report, decide how it ended, make it terminal."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction

from runs import live, webhooks
from runs.dbclock import DATABASE_AWAY
from runs.lifecycle import RUN_TERMINAL, SHARD_ACTIVE, move_run
from runs.models import Run, RunStatus, Shard
from runs.outcome import Ending, ShardEnd, ending
from runs.results import collect, failure_example, report_of

logger = logging.getLogger(__name__)


def finalize_run(run_id: int) -> bool:
    """Make the run terminal if all its shards are. True if this call did it.

    Any number of callers may try; the report is computed from what is stored, so that a caller which dies half-way
    leaves nothing that the next one could not do again.
    """
    if Shard.objects.filter(run_id=run_id, status__in=SHARD_ACTIVE).exists():
        return False
    if move_run(run_id, RunStatus.FINALIZING):
        live.publish_status(run_id, RunStatus.FINALIZING, "")
    run = Run.objects.get(pk=run_id)
    if run.status != RunStatus.FINALIZING:
        return False
    report, end = _settle(run)
    with transaction.atomic():
        moved = move_run(run_id, end.status, reason=end.reason[:1000], report=report)
        if moved:
            _note_end(run_id)
    if moved:
        live.publish_status(run_id, end.status, end.reason)
    return moved


def _note_end(run_id: int) -> None:
    """Who is told of it is part of its end: after a crash in between, nobody would know that they were not."""
    try:
        with transaction.atomic():
            webhooks.note_end(run_id)
    except DATABASE_AWAY:
        raise
    except Exception:
        logger.exception("webhooks_unnoted: run %s", run_id)  # a run that can never end would be worse


def refresh_report(run_id: int) -> bool:
    """Compute a terminal run's report anew, after more of a ledger was stored. Its status stays as it was."""
    run = Run.objects.get(pk=run_id)
    if run.status not in RUN_TERMINAL:
        return False
    report = report_of(run, collect(run), run.status, run.reason)
    return Run.objects.filter(pk=run_id, status=run.status).update(report=report) == 1


def shard_ends(run_id: int) -> list[ShardEnd]:
    """How the run's shards ended, in their order."""
    rows = Shard.objects.filter(run=run_id).order_by("index")
    return [ShardEnd(*row) for row in rows.values_list("index", "status", "reason", "ledger_complete")]


def _settle(run: Run) -> tuple[dict[str, Any] | None, Ending]:
    try:
        found = collect(run)
        end = ending(
            shard_ends(run.pk),
            stop_requested=run.stop_requested_at is not None,
            run_reason=run.reason,
            turns_ok=found.outcomes["ok"],
            errors=found.codes,
            example=failure_example(run, found) if found.outcomes["ok"] == 0 else "",
        )
        return report_of(run, found, end.status, end.reason), end
    except DATABASE_AWAY:
        raise  # not the report's fault: whoever called tries again
    except Exception as exc:
        # A run that can never end would break invariant C, and everything it did is stored: `manage.py ingest`
        # builds the report again once the cause is mended.
        logger.exception("report_failed: run %s", run.pk)
        return None, Ending(RunStatus.FAILED, f"its report could not be built: {type(exc).__name__}: {exc}")

"""Finalizes a run: aggregates its windows into the report, decides how it ended, and makes it terminal."""

from __future__ import annotations

import logging

from django.db import transaction

from metrics.end_codes import EndCode, end_code_of
from metrics.report_schema import RunReport
from runs import live_stream
from runs.db_clock import DATABASE_AWAY
from runs.lifecycle.outcome import Ending, ShardEnd, ending, run_code
from runs.lifecycle.quota import settle
from runs.lifecycle.transitions import RUN_TERMINAL, SHARD_ACTIVE, move_run
from runs.models import Run, RunStatus, Shard
from runs.reporting.report import collect, failure_example, report_of
from runs.webhooks import enqueue

logger = logging.getLogger(__name__)


def finalize_run(run_id: int) -> bool:
    """Make the run terminal if all its shards are. Returns whether this call did.

    Any number of callers may try. The report is computed from what is stored, so a caller that dies leaves nothing that
    the next one cannot do again.
    """
    if Shard.objects.filter(run_id=run_id, status__in=SHARD_ACTIVE).exists():
        return False
    if move_run(run_id, RunStatus.FINALIZING):
        live_stream.publish_status(run_id, RunStatus.FINALIZING, "")
    run = Run.objects.get(pk=run_id)
    if run.status != RunStatus.FINALIZING:
        return False
    report, end = _settle(run)
    with transaction.atomic():
        moved = move_run(run_id, end.status, end_code=end.code, reason=end.reason[:1000], report=report)
        if moved:
            settle(run_id, report)
            _note_end(run_id)
    if moved:
        live_stream.publish_status(run_id, end.status, end.reason)
    return moved


def _note_end(run_id: int) -> None:
    """Webhook deliveries are written in the same transaction, so that a crash in between cannot lose them."""
    try:
        with transaction.atomic():
            enqueue.note_end(run_id)
    except DATABASE_AWAY:
        raise
    except Exception:
        logger.exception("webhooks_unnoted: run %s", run_id)  # a run that can never end would be worse


def refresh_report(run_id: int) -> bool:
    """Rebuild a terminal run's report after more of a ledger was stored. Its status does not change."""
    run = Run.objects.get(pk=run_id)
    if run.status not in RUN_TERMINAL:
        return False
    report = report_of(run, collect(run), run.status, run.reason, run.end_code)
    with transaction.atomic():
        settle(run_id, report)
        return Run.objects.filter(pk=run_id, status=run.status).update(report=report) == 1


def shard_ends(run_id: int) -> list[ShardEnd]:
    """How the run's shards ended, ordered by index."""
    rows = Shard.objects.filter(run=run_id).order_by("index")
    columns = rows.values_list("index", "status", "end_code", "reason", "ledger_complete")
    return [
        ShardEnd(index, status, end_code_of(code, reason), reason, complete)
        for index, status, code, reason, complete in columns
    ]


def _settle(run: Run) -> tuple[RunReport | None, Ending]:
    try:
        found = collect(run)
        stop_requested = run.stop_requested_at is not None
        end = ending(
            shard_ends(run.pk),
            stop_requested=stop_requested,
            run_code=run_code(run.end_code, run.reason, stop_requested=stop_requested),
            run_reason=run.reason,
            turns_ok=found.outcomes["ok"],
            errors=found.codes,
            example=failure_example(run, found) if found.outcomes["ok"] == 0 else "",
        )
        return report_of(run, found, end.status, end.reason, end.code), end
    except DATABASE_AWAY:
        raise  # not caused by the report: the caller retries
    except Exception as exc:
        # A run that can never end would break invariant C. Everything is stored, so `manage.py ingest` builds the
        # report again once the cause is fixed.
        logger.exception("report_failed: run %s", run.pk)
        why = f"its report could not be built: {type(exc).__name__}: {exc}"
        return None, Ending(RunStatus.FAILED, EndCode.REPORT_FAILED, why)

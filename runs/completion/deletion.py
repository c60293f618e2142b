"""Deletes a finished run: its rows, its report, and its ledgers on this machine.

The run's own row is deleted last, so an interrupted deletion can be repeated. Turns are deleted in batches, between
which others can write.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db import router, transaction
from django.db.models import F, QuerySet

from audit.services import record
from metrics.models import SessionMetric, Window
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.models import Run, Session, Shard
from runs.workers.leases import host_name

logger = logging.getLogger(__name__)
BATCH: Final = 10_000
"""Number of rows per DELETE, which on SQLite blocks all other writers."""


class RunNotOverError(Exception):
    """The run is in progress, so its rows are still being written. The message says what to do."""


class Deleted(NamedTuple):
    """What was deleted. `kept_on`: other hosts that may still have ledgers of this run."""

    turns: int
    sessions: int
    kept_on: tuple[str, ...]


def deletion_problem(run: Run) -> str:
    """Why the run cannot be deleted now, and what to do; empty: it can."""
    return "" if run.status in RUN_TERMINAL else f"run {run.pk} is {run.status}: stop it first"


def delete_run(run: Run) -> Deleted:
    """Delete a finished run and all its data. Raises RunNotOverError."""
    run.refresh_from_db(fields=["status"])
    if why := deletion_problem(run):
        raise RunNotOverError(why)
    shards = Shard.objects.filter(run=run)
    # From now on nobody can store the rest of a ledger, because each stored batch names the epoch.
    shards.update(epoch=F("epoch") + 1, ledger_complete=True)
    places = {
        (host, Path(path).parent) for host, path in shards.exclude(ledger_path="").values_list("host", "ledger_path")
    }
    turns = _delete_rows(SessionMetric.objects.filter(run=run))
    _delete_rows(Window.objects.filter(run=run))
    sessions = _delete_rows(Session.objects.filter(run=run))
    number = run.pk
    with transaction.atomic():
        record("run.delete", on=run, details={"turns": turns, "sessions": sessions})
        run.delete()
    removed = {directory for directory in {directory for _, directory in places} if _remove_ledgers(directory)}
    kept_on = {host for host, directory in places if host != host_name() and directory not in removed}
    logger.info("run_deleted: run %s, %s turns", number, turns)
    return Deleted(turns, sessions, tuple(sorted(kept_on)))


def _delete_rows(rows: QuerySet[Any]) -> int:
    """Without Django's collector, which would load each row to look for references to it."""
    using = router.db_for_write(rows.model)
    deleted = 0
    while found := rows.model.objects.filter(pk__in=rows.order_by().values("pk")[:BATCH])._raw_delete(using):
        deleted += found
    return deleted


def _remove_ledgers(directory: Path) -> bool:
    """Remove the run's folder on this machine, unless its path leads elsewhere. Returns whether it is gone."""
    if directory.parent != Path(settings.LEDGER_DIR) or not directory.is_dir():
        return False
    try:
        shutil.rmtree(directory)
    except OSError as exc:
        logger.warning("ledger_kept: %s: %s: delete it by hand", directory, exc.strerror)
    return not directory.exists()

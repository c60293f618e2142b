"""Stores a dead shard's ledger where the reaper could not, and rebuilds the run's report: by hand (`manage.py ingest`)
or on a host that is back after an outage."""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, Q

from metrics.analysis.coverage import LEDGER_TAKEN
from metrics.end_codes import EndCode
from runs.backoff import Backoff
from runs.completion.finalize import finalize_run, refresh_report, shard_ends
from runs.completion.ingest import LeaseLostError, LedgerIngest, Tail, ledger_gone
from runs.completion.shard_outcome import orphan_ending
from runs.completion.witness_results import store_orphaned
from runs.db_clock import DATABASE_AWAY, DbNow, passed
from runs.engine.recording.ledger import LedgerHeldError
from runs.lifecycle.outcome import worst_words
from runs.lifecycle.transitions import SHARD_TERMINAL
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.workers.leases import LEASE_S, LONGEST_LEASE_S, REASON_LIMIT, REST_TO_COME, finish_shard, host_name

logger = logging.getLogger(__name__)
BACKOFF = Backoff(5.0, 3600.0)
STORED = "; its ledger was stored afterwards"
_TAKEN = rf"(?:{LEDGER_TAKEN}|the rest of its ledger is no longer at)[^;]*"
"""The second alternative is the text of an earlier version."""
TO_DO = re.compile(rf": (?:fix|mend) that, then run `manage\.py ingest \d+`|; {_TAKEN}")
"""The part of a reason that says what remains to be stored (`runs.completion.ingest.unstored`,
`runs.completion.reaper`)."""
GONE = re.compile(rf"^{_TAKEN}")
"""A reason that only says that the ledger vanished during the run (`runs.completion.ingest.ledger_gone`)."""


class NotOverError(Exception):
    """The shard is in use: there is nothing to recover."""


class RecoveredLedger(NamedTuple):
    """`before` and `after`: stored bytes of the ledger."""

    path: Path
    before: int
    after: int
    verdict: str


def recover_run_ledgers(run_id: int) -> list[RecoveredLedger]:
    """Every shard of the run. Raises as `recover_shard_ledger` does."""
    return [
        recover_shard_ledger(shard)
        for shard in Shard.objects.filter(run=run_id).select_related("run").order_by("index")
    ]


def recover_shard_ledger(shard: Shard, path: Path | None = None) -> RecoveredLedger:
    """Complete and store the shard's ledger (at `path`, if it was moved), end the shard if necessary, and rebuild the
    report.

    Raises NotOverError while somebody holds the shard, `runs.engine.recording.ledger.LedgerHeldError` while its engine
    lives, LeaseLostError if another process stores it at this moment, OSError.
    """
    ledger = path or Path(shard.ledger_path)
    before = shard.ledger_offset
    store_orphaned(shard, path)
    if shard.ledger_complete:
        refresh_report(shard.run_id)
        return RecoveredLedger(ledger, before, before, "it was complete already; the report is built again")
    _take(shard)
    tail = LedgerIngest(shard, ledger).rest() if shard.ledger_path or path else None
    if shard.status not in SHARD_TERMINAL:
        if shard.status == ShardStatus.RUNNING:
            _end(shard, tail)
        else:
            finish_shard(shard, ShardStatus.FAILED, EndCode.NOT_STARTED, "its supervisor died before the start")
        finalize_run(shard.run_id)
    elif tail is not None:
        _say_stored(shard)
    refresh_report(shard.run_id)
    nothing = ledger_gone(shard) if shard.ledger_offset else "its engine never sent anything"
    verdict = f"it ends with {tail.reason!r}" if tail else nothing
    return RecoveredLedger(ledger, before, shard.ledger_offset, verdict)


def _end(shard: Shard, tail: Tail | None) -> None:
    """End a running shard whose ledger is now stored, unless it is gone."""
    why = "its supervisor died"
    if tail is None and shard.ledger_offset:
        reason = f"{why}; {ledger_gone(shard)}"
        finish_shard(shard, ShardStatus.LOST, EndCode.LEDGER_TAKEN, reason, complete=False)
        return
    run_stops = shard.run.status == RunStatus.STOPPING
    finish_shard(shard, *orphan_ending(tail, EndCode.SUPERVISOR_GONE, why, run_stops=run_stops))


class PendingLedgers:
    """Shards of this host that were declared lost while it was unreachable. Each is stored as soon as possible; after a
    failure it is tried again after a pause that doubles."""

    def __init__(self) -> None:
        self._tried: dict[int, tuple[int, float]] = {}
        """By shard: number of failures, and the time (monotonic) before which it is not tried again."""

    def store(self) -> int:
        """One pass. Returns the number of shards that are complete now."""
        lost = Shard.objects.filter(status=ShardStatus.LOST, ledger_complete=False, host=host_name())
        return sum(map(self._try, lost.exclude(ledger_path="").select_related("run").order_by("pk")))

    def _try(self, shard: Shard) -> bool:
        tries, not_before = self._tried.get(shard.pk, (0, 0.0))
        if time.monotonic() < not_before or not Path(shard.ledger_path).is_file():
            return False
        pause_s = BACKOFF.pause_s(tries + 1)
        self._tried[shard.pk] = (tries + 1, time.monotonic() + pause_s)
        try:
            found = recover_shard_ledger(shard)
        except DATABASE_AWAY:
            del self._tried[shard.pk]
            raise
        except (NotOverError, LedgerHeldError, LeaseLostError) as exc:
            logger.info("leftover_busy: shard %s: %s", shard.pk, exc)
            return False
        except Exception:
            logger.exception("leftover_unstored: shard %s: next try in %g s", shard.pk, pause_s)
            return False
        logger.warning("leftover_stored: shard %s: %s bytes more", shard.pk, found.after - found.before)
        return True


def _say_stored(shard: Shard) -> None:
    """The shard is complete now: remove from its reason, and its run's, what remained to be done."""
    with transaction.atomic():
        run = Run.objects.select_for_update().only("reason", "end_code").get(pk=shard.run_id)  # others store others
        before = _said_of(run.pk)
        mine = Shard.objects.filter(pk=shard.pk, epoch=shard.epoch)
        mine.update(ledger_complete=True, reason=stored_reason(shard.reason), end_code=_stored_code(shard.end_code))
        if run.reason == before:
            Run.objects.filter(pk=run.pk).update(reason=_said_of(run.pk))
        if not run.shards.filter(end_code=EndCode.LEDGER_UNSTORED).exists():
            Run.objects.filter(pk=run.pk).update(end_code=_stored_code(run.end_code))


def _stored_code(code: str) -> str:
    """An end code of a shard or run once its ledgers are stored."""
    return EndCode.LEDGER_STORED_LATE if code == EndCode.LEDGER_UNSTORED else code


def stored_reason(reason: str) -> str:
    """A shard's reason once its ledger is stored, without what remained to be done. Pure."""
    what = GONE.sub("its ledger had been moved", reason.partition(REST_TO_COME)[0])
    what = TO_DO.sub("", what).removesuffix(STORED)
    return f"{what[: REASON_LIMIT - len(STORED)]}{STORED}"


def _said_of(run_id: int) -> str:
    """The run's reason if it comes from its shards, otherwise unchanged."""
    return worst_words(shard_ends(run_id))[:REASON_LIMIT]


def _take(shard: Shard) -> None:
    """Take a new epoch, so that no other process can write. Only possible if the shard is over or its lease has
    expired."""
    free = Q(status__in=SHARD_TERMINAL) | passed("lease_until", LONGEST_LEASE_S) | Q(lease_until__isnull=True)
    mine = Shard.objects.filter(free, pk=shard.pk, epoch=shard.epoch).exclude(status=ShardStatus.QUEUED)
    terminal = shard.status in SHARD_TERMINAL
    owner = f"ingest {host_name()}/{os.getpid()}"
    lease = None if terminal else DbNow(LEASE_S)
    if mine.update(epoch=F("epoch") + 1, lease_until=lease, owner=owner) != 1:
        raise NotOverError(f"{shard} is {shard.status}, held by {shard.owner or 'nobody'}: it is stored as it runs")
    shard.epoch += 1

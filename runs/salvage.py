"""By hand, what the reaper does: store a dead shard's ledger, wherever its file is now, and mend its run's report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from django.db.models import F, Q

from runs.dbclock import DbNow
from runs.finalize import finalize_run, refresh_report
from runs.ingest import LedgerIngest
from runs.leases import LEASE_S, finish_shard, host_name
from runs.lifecycle import SHARD_TERMINAL
from runs.models import Shard, ShardStatus


class NotOverError(Exception):
    """Somebody holds the shard: there is nothing to do by hand."""


class Salvaged(NamedTuple):
    """`before` and `after`: bytes of the ledger that were and are stored."""

    path: Path
    before: int
    after: int
    verdict: str


def salvage_run(run_id: int) -> list[Salvaged]:
    """Every shard of the run. Raises as `salvage_shard` does."""
    return [salvage_shard(shard) for shard in Shard.objects.filter(run=run_id).select_related("run").order_by("index")]


def salvage_shard(shard: Shard, path: Path | None = None) -> Salvaged:
    """Complete and store the shard's ledger (at `path`, if it was moved), end the shard if nobody did, mend the report.

    Raises NotOverError while somebody holds the shard, `runs.engine.ledger.LedgerHeldError` while its engine lives,
    LeaseLostError if another process stores it at this moment, OSError.
    """
    ledger = path or Path(shard.ledger_path)
    before = shard.ledger_offset
    if shard.ledger_complete:
        refresh_report(shard.run_id)
        return Salvaged(ledger, before, before, "it was complete already; the report is built again")
    _take(shard)
    tail = LedgerIngest(shard, ledger).rest() if shard.ledger_path or path else None
    if shard.status not in SHARD_TERMINAL:
        if shard.status == ShardStatus.RUNNING:
            finish_shard(shard, ShardStatus.LOST, "its supervisor died; its ledger was stored by hand")
        else:
            finish_shard(shard, ShardStatus.FAILED, "its supervisor died before the start")
        finalize_run(shard.run_id)
    elif tail is not None:
        Shard.objects.filter(pk=shard.pk, epoch=shard.epoch).update(ledger_complete=True)
    refresh_report(shard.run_id)
    verdict = f"it ends with {tail.reason!r}" if tail else "its engine never sent anything"
    return Salvaged(ledger, before, shard.ledger_offset, verdict)


def _take(shard: Shard) -> None:
    """A new epoch, so that no other process can write; only if the shard is over or its lease has run out."""
    free = Q(status__in=SHARD_TERMINAL) | Q(lease_until__lt=DbNow()) | Q(lease_until__isnull=True)
    mine = Shard.objects.filter(free, pk=shard.pk, epoch=shard.epoch).exclude(status=ShardStatus.QUEUED)
    terminal = shard.status in SHARD_TERMINAL
    owner = f"ingest {host_name()}/{os.getpid()}"
    lease = None if terminal else DbNow(LEASE_S)
    if mine.update(epoch=F("epoch") + 1, lease_until=lease, owner=owner) != 1:
        raise NotOverError(f"{shard} is {shard.status}, held by {shard.owner or 'nobody'}: it is stored as it runs")
    shard.epoch += 1

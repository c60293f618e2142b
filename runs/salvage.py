"""What the reaper could not do: store a dead shard's ledger, wherever its file is now, and mend its run's report. By
hand (`manage.py ingest`), or by a host that was cut off and is back."""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, Q

from metrics.coverage import LEDGER_TAKEN
from runs.dbclock import DATABASE_AWAY, DbNow, passed
from runs.engine.ledger import LedgerHeldError
from runs.finalize import finalize_run, refresh_report, shard_ends
from runs.ingest import LeaseLostError, LedgerIngest, Tail, ledger_gone
from runs.leases import LEASE_S, LONGEST_LEASE_S, REASON_LIMIT, REST_TO_COME, finish_shard, host_name
from runs.lifecycle import SHARD_TERMINAL
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.outcome import worst_words
from runs.shard_outcome import orphan_ending
from runs.witness import store_witness

logger = logging.getLogger(__name__)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 3600.0
STORED = "; its ledger was stored afterwards"
_TAKEN = rf"(?:{LEDGER_TAKEN}|the rest of its ledger is no longer at)[^;]*"
"""The second is how an earlier version said it."""
TO_DO = re.compile(rf": mend that, then run `manage\.py ingest \d+`|; {_TAKEN}")
"""What reasons say of a rest to be stored (`runs.ingest.unstored`, `runs.reaper`)."""
GONE = re.compile(rf"^{_TAKEN}")
"""The same of a ledger that vanished in mid-run (`runs.ingest.ledger_gone`): all that the reason says."""


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
    store_witness(shard, path)
    if shard.ledger_complete:
        refresh_report(shard.run_id)
        return Salvaged(ledger, before, before, "it was complete already; the report is built again")
    _take(shard)
    tail = LedgerIngest(shard, ledger).rest() if shard.ledger_path or path else None
    if shard.status not in SHARD_TERMINAL:
        if shard.status == ShardStatus.RUNNING:
            _end(shard, tail)
        else:
            finish_shard(shard, ShardStatus.FAILED, "its supervisor died before the start")
        finalize_run(shard.run_id)
    elif tail is not None:
        _say_stored(shard)
    refresh_report(shard.run_id)
    nothing = ledger_gone(shard) if shard.ledger_offset else "its engine never sent anything"
    verdict = f"it ends with {tail.reason!r}" if tail else nothing
    return Salvaged(ledger, before, shard.ledger_offset, verdict)


def _end(shard: Shard, tail: Tail | None) -> None:
    """End a running shard whose ledger is stored now, unless it is gone."""
    why = "its supervisor died"
    if tail is None and shard.ledger_offset:
        finish_shard(shard, ShardStatus.LOST, f"{why}; {ledger_gone(shard)}", complete=False)
        return
    to, reason = orphan_ending(tail, why, run_stops=shard.run.status == RunStatus.STOPPING)
    finish_shard(shard, to, reason)


class Leftovers:
    """Shards of this host that others took for lost while it could not be reached: stored as soon as it can be. One
    that cannot be stored is tried again after a pause that doubles."""

    def __init__(self) -> None:
        self._pauses: dict[int, tuple[float, float]] = {}
        """By shard: not before this (monotonic), and how long the next pause is."""

    def store(self) -> int:
        """One pass; the number of shards that are complete now."""
        lost = Shard.objects.filter(status=ShardStatus.LOST, ledger_complete=False, host=host_name())
        return sum(map(self._try, lost.exclude(ledger_path="").select_related("run").order_by("pk")))

    def _try(self, shard: Shard) -> bool:
        not_before, pause_s = self._pauses.get(shard.pk, (0.0, FIRST_PAUSE_S))
        if time.monotonic() < not_before or not Path(shard.ledger_path).is_file():
            return False
        self._pauses[shard.pk] = (time.monotonic() + pause_s, min(2 * pause_s, LONGEST_PAUSE_S))
        try:
            found = salvage_shard(shard)
        except DATABASE_AWAY:
            del self._pauses[shard.pk]
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
    """The shard is over and whole now; what its reason, and its run's, said of a rest to come is no longer true."""
    with transaction.atomic():
        run = Run.objects.select_for_update().only("reason").get(pk=shard.run_id)  # others may store other shards
        before = _said_of(run.pk)
        mine = Shard.objects.filter(pk=shard.pk, epoch=shard.epoch)
        mine.update(ledger_complete=True, reason=stored_reason(shard.reason))
        if run.reason == before:
            Run.objects.filter(pk=run.pk).update(reason=_said_of(run.pk))


def stored_reason(reason: str) -> str:
    """A shard's reason once its ledger is stored: without what was still to be done. Pure."""
    what = GONE.sub("its ledger had been moved", reason.partition(REST_TO_COME)[0])
    what = TO_DO.sub("", what).removesuffix(STORED)
    return f"{what[: REASON_LIMIT - len(STORED)]}{STORED}"


def _said_of(run_id: int) -> str:
    """What the run's reason says of its shards, unless it says something else."""
    return worst_words(shard_ends(run_id))[:REASON_LIMIT]


def _take(shard: Shard) -> None:
    """A new epoch, so that no other process can write; only if the shard is over or its lease has run out."""
    free = Q(status__in=SHARD_TERMINAL) | passed("lease_until", LONGEST_LEASE_S) | Q(lease_until__isnull=True)
    mine = Shard.objects.filter(free, pk=shard.pk, epoch=shard.epoch).exclude(status=ShardStatus.QUEUED)
    terminal = shard.status in SHARD_TERMINAL
    owner = f"ingest {host_name()}/{os.getpid()}"
    lease = None if terminal else DbNow(LEASE_S)
    if mine.update(epoch=F("epoch") + 1, lease_until=lease, owner=owner) != 1:
        raise NotOverError(f"{shard} is {shard.status}, held by {shard.owner or 'nobody'}: it is stored as it runs")
    shard.epoch += 1

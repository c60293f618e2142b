"""What nobody else finishes: lost nudges, dead supervisors, runs that never started, runs half finalized.

Called every few seconds by the control worker, and by the command line before a local run. Any number of reapers may
run at once: whatever one takes, it takes by a conditional UPDATE.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from runs import dispatch
from runs.dbclock import DbNow
from runs.engine.ledger import LedgerHeldError
from runs.finalize import finalize_run
from runs.ingest import ENGINE_DIED, LeaseLostError, LedgerIngest, unreadable
from runs.leases import (
    fail_if_late,
    finish_shard,
    host_name,
    overdue,
    release_shard,
    suspect_expired,
    take_over,
)
from runs.lifecycle import RUN_ACTIVE, RUN_BEFORE_START, SHARD_ACTIVE, SHARD_RESTARTABLE
from runs.models import Run, RunStatus, Shard, ShardStatus

logger = logging.getLogger(__name__)
TAKE_LEASE_S = 20.0
"""How long a reaper may take to store one dead engine's rest before another may try; it renews while it works."""
ELSEWHERE_S = 20.0
"""How long a lost shard waits for a reaper on its own host, which alone can read its ledger."""


@dataclass(frozen=True)
class Reaped:
    """What one pass did."""

    nudged: int = 0
    requeued: int = 0
    lost: int = 0
    unstarted: int = 0
    finalized: int = 0


def reap_lost() -> Reaped:
    """One pass over everything that may be stuck. Safe to call from anywhere, at any time, any number of times."""
    suspect_expired()
    requeued = lost = 0
    for shard in overdue().select_related("run"):
        if shard.status in SHARD_RESTARTABLE:
            requeued += _requeue(shard)
        else:
            lost += _lose(shard)
    unstarted = sum(fail_if_late(run_id) for run_id in _before_start())
    finalized = sum(finalize_run(run_id) for run_id in _unfinalized())
    return Reaped(dispatch.nudge(), requeued, lost, unstarted, finalized)


def _requeue(shard: Shard) -> int:
    """Its engine never got `go`, so nothing was sent: another worker may have it, if the run still waits."""
    owner = shard.owner
    if not take_over(shard, _me(), TAKE_LEASE_S):
        return 0
    gone = f"its worker {owner} went away before the start"
    if shard.run.status in RUN_BEFORE_START and release_shard(shard, gone):
        return 1
    to = ShardStatus.STOPPED if shard.run.status == RunStatus.STOPPING else ShardStatus.FAILED
    finish_shard(shard, to, gone)
    return 0


def _lose(shard: Shard) -> int:
    """Its engine may have sent: store what its ledger holds, then mark it lost. Waits while the engine lives."""
    owner = shard.owner
    if shard.host != host_name():
        return _lose_elsewhere(shard)
    if not take_over(shard, _me(), TAKE_LEASE_S):
        return 0
    try:
        tail = LedgerIngest(shard).rest()
    except LedgerHeldError:
        logger.warning("ledger_busy: shard %s: its engine still lives, next try later", shard.pk)
        return 0
    except LeaseLostError:
        return 0
    except OSError as exc:
        return int(finish_shard(shard, ShardStatus.LOST, unreadable(shard.run_id, exc), complete=False))
    reason = f"its supervisor {owner} died"
    if tail is None:
        reason += " before the first request"
    elif tail.reason != ENGINE_DIED:
        reason += f"; the engine stopped by itself ({tail.reason}), everything it did is stored"
    else:
        reason += ", and the engine with it; what was in flight is counted as unknown"
    return int(finish_shard(shard, ShardStatus.LOST, reason))


def _lose_elsewhere(shard: Shard) -> int:
    waited = Shard.objects.filter(pk=shard.pk, suspect_since__lt=DbNow(-ELSEWHERE_S)).exists()
    if not waited or not take_over(shard, _me(), TAKE_LEASE_S):
        return 0
    reason = (
        f"its supervisor on {shard.host} died; the rest of its ledger is there: "
        f"run `manage.py ingest {shard.run_id}` on that host"
    )
    return int(finish_shard(shard, ShardStatus.LOST, reason, complete=False))


def _before_start() -> list[int]:
    return list(Run.objects.filter(status__in=RUN_BEFORE_START).values_list("pk", flat=True))


def _unfinalized() -> list[int]:
    open_shards = Shard.objects.filter(run=OuterRef("pk"), status__in=SHARD_ACTIVE)
    ready = Run.objects.filter(~Exists(open_shards), status__in=RUN_ACTIVE)
    return list(ready.values_list("pk", flat=True))


def _me() -> str:
    return f"reaper {host_name()}/{os.getpid()}"

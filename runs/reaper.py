"""What nobody else finishes: lost nudges, dead supervisors, runs that never started, runs half finalized.

Called every few seconds by the control worker, and by the command line before a local run. Any number of reapers may
run at once: whatever one takes, it takes by a conditional UPDATE.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Exists, OuterRef

from runs import dbclock, dispatch
from runs.dbclock import DATABASE_AWAY, DbNow, passed
from runs.engine.ledger import LedgerHeldError
from runs.finalize import finalize_run
from runs.ingest import LeaseLostError, LedgerIngest, ledger_gone, unstored
from runs.leases import (
    COMMAND_KILLED,
    LEASE_S,
    LONGEST_LEASE_S,
    REAPER,
    REST_TO_COME,
    fail_if_late,
    finish_shard,
    give_back,
    host_name,
    overdue,
    release_shard,
    suspect_expired,
    take_over,
)
from runs.lifecycle import RUN_ACTIVE, RUN_BEFORE_START, SHARD_ACTIVE, SHARD_RESTARTABLE
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.orphans import forsake_orphans
from runs.shard_outcome import orphan_ending
from runs.witness import store_witness

logger = logging.getLogger(__name__)
T = TypeVar("T")
TAKE_LEASE_S = LONGEST_LEASE_S
"""How long a reaper may take to store one dead engine's rest before another may try; it renews while it works."""
ELSEWHERE_S = 10.0
"""How long a lost shard waits for its own host (`reap_here`), which alone can read its ledger; then the run ends
without it, and the host adds the rest when it is back (`runs.salvage.Leftovers`)."""


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
    forsake_orphans()
    suspect_expired()
    shards = list(overdue().select_related("run"))
    return Reaped(
        requeued=_each(_requeue, [shard for shard in shards if shard.status in SHARD_RESTARTABLE]),
        lost=_each(_lose, [shard for shard in shards if shard.status not in SHARD_RESTARTABLE]),
        unstarted=_each(fail_if_late, _before_start()),
        finalized=_each(finalize_run, _unfinalized()),
        nudged=dispatch.nudge(),
    )


def reap_here() -> int:
    """The part that only this host can do well: shards whose supervisor died here, stored from their ledgers. For hosts
    that run no control worker. The number of shards that ended."""
    forsake_orphans()
    mine = Shard.objects.filter(host=host_name(), status=ShardStatus.RUNNING)
    if not mine.filter(passed("lease_until", LONGEST_LEASE_S)).exists():
        return 0
    suspect_expired()
    shards = list(overdue().filter(pk__in=mine).select_related("run"))
    lost = _each(_lose, shards)
    _each(finalize_run, {shard.run_id for shard in shards})
    return lost


def _each(work: Callable[[T], int], items: Iterable[T]) -> int:
    """The sum of `work` over `items`. One that fails is logged and does not keep the others waiting."""
    done = 0
    for item in items:
        try:
            done += work(item)
        except DATABASE_AWAY:
            raise
        except Exception:
            logger.exception("reap_failed: %s", item)
    return done


def _requeue(shard: Shard) -> int:
    """Its engine never got `go`, so nothing was sent: another worker may have it, if the run still waits."""
    owner = shard.owner
    if not take_over(shard, _me(), TAKE_LEASE_S):
        return 0
    orphan = shard.reason == COMMAND_KILLED
    gone = f"{COMMAND_KILLED if orphan else f'its worker {owner} went away'} before the start"
    if shard.run.status in RUN_BEFORE_START and release_shard(shard, gone):
        return 1
    to = ShardStatus.STOPPED if shard.run.status == RunStatus.STOPPING else ShardStatus.FAILED
    finish_shard(shard, to, gone)
    return 0


def _lose(shard: Shard) -> int:
    """Its engine may have sent: store what its ledger holds, then end it. Waits while the engine lives."""
    owner, lease_until, why = shard.owner, shard.lease_until, _why_lost(shard)
    if shard.host != host_name():
        return _lose_elsewhere(shard)
    if not take_over(shard, _me(), TAKE_LEASE_S):
        return 0
    try:
        tail = LedgerIngest(shard).rest()
    except LedgerHeldError:
        logger.warning("ledger_busy: shard %s: its engine still lives, next try later", shard.pk)
        give_back(shard, owner, lease_until)
        return 0
    except LeaseLostError:
        return 0
    except DATABASE_AWAY:
        raise
    except Exception as exc:
        # Whatever it is, it would come again with every pass, and the run would never end.
        logger.exception("ledger_unstored: shard %s", shard.pk)
        return int(finish_shard(shard, ShardStatus.LOST, unstored(shard.run_id, exc), complete=False))
    store_witness(shard)
    if tail is None and shard.ledger_offset:  # deleted, or another machine has the same name
        reason = f"{why}; {ledger_gone(shard)}"
        return int(finish_shard(shard, ShardStatus.LOST, reason, complete=False))
    to, reason = orphan_ending(tail, why, run_stops=shard.run.status == RunStatus.STOPPING)
    return int(finish_shard(shard, to, reason))


def _why_lost(shard: Shard) -> str:
    """A supervisor of which nothing is heard may be dead, or live and stand still: only of a command is it known."""
    if shard.reason == COMMAND_KILLED:
        return COMMAND_KILLED
    since = shard.lease_until or dbclock.now()
    silent_s = (dbclock.now() - since).total_seconds() + LEASE_S
    how_long = f" for {silent_s:.0f} s" if silent_s > LEASE_S else ""  # else the clock was put back
    return f"its supervisor {shard.owner} was silent{how_long}: it died, was paused, or could not reach the database"


def _lose_elsewhere(shard: Shard) -> int:
    waited = Shard.objects.filter(pk=shard.pk, suspect_since__lt=DbNow(-ELSEWHERE_S)).exists()
    if not waited or not take_over(shard, _me(), TAKE_LEASE_S):
        return 0
    reason = (
        f"{shard.host} went silent: its worker died, or its network did{REST_TO_COME} is stored when it is back, "
        f"or by `manage.py ingest {shard.run_id}` on that host"
    )
    return int(finish_shard(shard, ShardStatus.LOST, reason, complete=False))


def _before_start() -> list[int]:
    return list(Run.objects.filter(status__in=RUN_BEFORE_START).values_list("pk", flat=True))


def _unfinalized() -> list[int]:
    open_shards = Shard.objects.filter(run=OuterRef("pk"), status__in=SHARD_ACTIVE)
    ready = Run.objects.filter(~Exists(open_shards), status__in=RUN_ACTIVE)
    return list(ready.values_list("pk", flat=True))


def _me() -> str:
    return f"{REAPER} {host_name()}/{os.getpid()}"

"""Finishes what nobody else finishes: lost messages, dead supervisors, runs that never started or were half finalized.

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

from metrics.end_codes import Cause, EndCode, end_code_of
from runs import db_clock
from runs.completion.finalize import finalize_run
from runs.completion.ingest import LeaseLostError, LedgerIngest, ledger_gone, unstored
from runs.completion.orphans import forsake_orphans
from runs.completion.shard_outcome import orphan_ending
from runs.completion.witness_results import store_orphaned
from runs.db_clock import DATABASE_AWAY, DbNow, passed
from runs.engine.recording.ledger import LedgerHeldError
from runs.lifecycle.transitions import RUN_ACTIVE, RUN_BEFORE_START, SHARD_ACTIVE, SHARD_RESTARTABLE
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.workers import dispatch
from runs.workers.leases import (
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

logger = logging.getLogger(__name__)
T = TypeVar("T")
TAKE_LEASE_S = LONGEST_LEASE_S
"""How long a reaper may take to store the rest of one dead engine before another may try; it renews while it works."""
ELSEWHERE_S = 10.0
"""How long a lost shard waits for its own host (`reap_here`), which alone can read its ledger; then the run ends
without it, and the host adds the rest when it is back (`runs.completion.ledger_recovery.PendingLedgers`)."""


@dataclass(frozen=True)
class Reaped:
    """Counts of one pass."""

    nudged: int = 0
    requeued: int = 0
    lost: int = 0
    unstarted: int = 0
    finalized: int = 0


def reap_lost() -> Reaped:
    """One pass over everything that may be stuck. Safe to call anywhere, at any time and repeatedly."""
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
    """Store and end the shards whose supervisor died on this host, for hosts without a control worker. Returns the
    number of shards that ended."""
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
    """The sum of `work` over `items`. A failure is logged and does not affect the other items."""
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
    """The engine never got `go`, so nothing was sent: another worker may take the shard if the run still waits."""
    owner = shard.owner
    if not take_over(shard, _me(), TAKE_LEASE_S):
        return 0
    code, gone = EndCode.NOT_STARTED, f"its worker {owner} disappeared before the start"
    if _command_killed(shard):
        code, gone = EndCode.COMMAND_KILLED, f"{COMMAND_KILLED} before the start"
    if shard.run.status in RUN_BEFORE_START and release_shard(shard, gone):
        return 1
    to = ShardStatus.STOPPED if shard.run.status == RunStatus.STOPPING else ShardStatus.FAILED
    finish_shard(shard, to, code, gone)
    return 0


def _lose(shard: Shard) -> int:
    """The engine may have sent turns: store its ledger, then end the shard. Waits while the engine lives."""
    owner, lease_until, (code, why) = shard.owner, shard.lease_until, _why_lost(shard)
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
        # Otherwise the same error would return with every pass, and the run would never end.
        logger.exception("ledger_unstored: shard %s", shard.pk)
        why = unstored(shard.run_id, exc)
        return int(finish_shard(shard, ShardStatus.LOST, EndCode.LEDGER_UNSTORED, why, complete=False))
    store_orphaned(shard)
    if tail is None and shard.ledger_offset:  # deleted, or another machine has the same name
        reason = f"{why}; {ledger_gone(shard)}"
        return int(finish_shard(shard, ShardStatus.LOST, EndCode.LEDGER_TAKEN, reason, complete=False))
    end = orphan_ending(tail, code, why, run_stops=shard.run.status == RunStatus.STOPPING)
    return int(finish_shard(shard, *end))


def _command_killed(shard: Shard) -> bool:
    return end_code_of(shard.end_code, shard.reason) == EndCode.COMMAND_KILLED


def _why_lost(shard: Shard) -> Cause:
    """A silent supervisor may be dead or suspended; only for a command it is known."""
    if _command_killed(shard):
        return Cause(EndCode.COMMAND_KILLED, COMMAND_KILLED)
    since = shard.lease_until or db_clock.now()
    silent_s = (db_clock.now() - since).total_seconds() + LEASE_S
    how_long = f" for {silent_s:.0f} s" if silent_s > LEASE_S else ""  # otherwise the clock was put back
    why = f"its supervisor {shard.owner} was silent{how_long}: it died, was paused, or could not reach the database"
    return Cause(EndCode.SUPERVISOR_GONE, why)


def _lose_elsewhere(shard: Shard) -> int:
    waited = Shard.objects.filter(pk=shard.pk, suspect_since__lt=DbNow(-ELSEWHERE_S)).exists()
    if not waited or not take_over(shard, _me(), TAKE_LEASE_S):
        return 0
    reason = (
        f"{shard.host} went silent: its worker died, or its network did{REST_TO_COME} is stored when it is back, "
        f"or by `manage.py ingest {shard.run_id}` on that host"
    )
    return int(finish_shard(shard, ShardStatus.LOST, EndCode.HOST_SILENT, reason, complete=False))


def _before_start() -> list[int]:
    return list(Run.objects.filter(status__in=RUN_BEFORE_START).values_list("pk", flat=True))


def _unfinalized() -> list[int]:
    open_shards = Shard.objects.filter(run=OuterRef("pk"), status__in=SHARD_ACTIVE)
    ready = Run.objects.filter(~Exists(open_shards), status__in=RUN_ACTIVE)
    return list(ready.values_list("pk", flat=True))


def _me() -> str:
    return f"{REAPER} {host_name()}/{os.getpid()}"

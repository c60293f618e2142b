"""Lease of a shard: claim, ready, running, finish. Every write names the epoch that it holds.

A lease lasts LEASE_S and is renewed with each heartbeat. Once it has run out, the reaper waits SUSPECT_S more before
it takes the shard (a database that comes back finds supervisors that renew at once), so a supervisor that could not
renew for ORPHAN_S must take its shard for lost and stop its engine.
"""

from __future__ import annotations

import logging
import socket
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from metrics.end_codes import EndCode
from policy.panic import current
from runs import live_stream
from runs.db_clock import DbNow, ahead, passed
from runs.lifecycle.transitions import RUN_BEFORE_START, SHARD_HELD, move_run, move_shard, move_shards
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.workers.admission import TURN_S, stands_in_line
from runs.workers.availability import what_lacks

logger = logging.getLogger(__name__)
LEASE_S = 15.0
LONGEST_LEASE_S = 20.0
"""The longest lease that anybody takes, which is a reaper's. One that ends later was given before the clock was put
back."""
SUSPECT_S = 5.0
ORPHAN_S = LEASE_S + SUSPECT_S + 5.0
"""Invariant D allows 10 s after the loss, which is at the earliest LEASE_S + SUSPECT_S after the last renewal."""
START_DELAY_S = 1.0
"""From the moment at which all engines are ready to their common start: until then each supervisor must hear of it."""
START_DELAY_ALONE_S = 0.3
"""Of a run with one engine: its supervisor agrees with nobody, and tells the engine at once."""
READY_WITHIN_S = TURN_S
READY_WITHIN_LOCAL_S = 30.0
REASON_LIMIT = 1000
REAPER = "reaper"
"""First word of the owner of a shard whose ledger is stored after a death."""
COMMAND_KILLED = "its command was killed"
"""The reason of an orphan (`runs.completion.orphans`), and of its shards until they end."""
REST_TO_COME = "; what its ledger still holds"
"""In the reason of a shard whose host was unreachable: the beginning of the part that no longer holds once the host is
back."""


def host_name() -> str:
    """The name of this host in the database."""
    return socket.gethostname()


def claim_shard(shard_id: int, owner: str) -> Shard | None:
    """Take a queued shard of a run that has not started; None if there is none, or none in this region."""
    if current() is not None:  # all runs are being stopped
        return None
    with transaction.atomic():
        # The run's row is locked first, then the shard's, in the same order as in `stop_run`.
        here = Shard.objects.filter(pk=shard_id, region__in=("", settings.REGION))
        run_id = here.values_list("run_id", flat=True).first()
        if run_id is None:
            return None
        started = move_run(run_id, RunStatus.STARTING)
        mine = move_shards(
            Q(pk=shard_id, run__in=Run.objects.filter(status__in=RUN_BEFORE_START)),
            ShardStatus.CLAIMED,
            epoch=F("epoch") + 1,
            lease_until=DbNow(LEASE_S),
            suspect_since=None,
            owner=owner[:200],
            host=host_name(),
            version=settings.VERSION,
        )
        if not mine:
            return None
        shard = Shard.objects.select_related("run").get(pk=shard_id)
        # The uid: another database's run of the same number may have left its ledgers here. The epoch: an engine of
        # an older claim can never share a file with a newer one.
        directory = settings.LEDGER_DIR / f"run-{run_id}-{shard.run.uid.hex[:8]}"
        shard.ledger_path = str(directory / f"shard-{shard.index}-{shard.epoch}.jsonl")
        Shard.objects.filter(pk=shard_id).update(ledger_path=shard.ledger_path)
    if started:
        live_stream.publish_status(run_id, RunStatus.STARTING, "")
    return shard


def renew_lease(shard: Shard) -> bool:
    """Extend the lease to LEASE_S from now; False if this epoch no longer holds the shard."""
    held = Shard.objects.filter(pk=shard.pk, epoch=shard.epoch, status__in=SHARD_HELD)
    return held.update(lease_until=DbNow(LEASE_S), suspect_since=None) == 1


def mark_ready(shard: Shard, engine_pid: int, connections: int | None = None) -> bool:
    """The engine is ready and may open this many connections. False if the shard was lost meanwhile."""
    return _move(shard, ShardStatus.READY, engine_pid=engine_pid, connections=connections)


def agree_start(run_id: int) -> bool:
    """If every shard is ready, set the common start to a moment from now. True for the one call that did it."""
    is_alone = Shard.objects.filter(run=run_id).count() == 1
    waiting = Shard.objects.filter(run=OuterRef("pk")).exclude(status=ShardStatus.READY)
    agreed = move_run(
        run_id,
        RunStatus.RUNNING,
        guard=Q(start_at__isnull=True) & ~Q(Exists(waiting)),
        start_at=DbNow(START_DELAY_ALONE_S if is_alone else START_DELAY_S),
    )
    if agreed:
        live_stream.publish_status(run_id, RunStatus.RUNNING, "")
    return agreed


def agree_anew(run_id: int) -> bool:
    """Set the common start to START_DELAY_S from now if it lies further ahead than any that is ever written: engines
    would wait for as long as the clock was put back. True for the one call that did it."""
    untrue = Run.objects.filter(ahead("start_at", START_DELAY_S), pk=run_id, status=RunStatus.RUNNING)
    if untrue.update(start_at=DbNow(START_DELAY_S)) != 1:
        return False
    logger.warning("clock_put_back: run %s starts %g s from now", run_id, START_DELAY_S)
    return True


def mark_running(shard: Shard) -> bool:
    """Before `go` is sent: from here on the shard may have sent something and is never started again."""
    running = Q(run__in=Run.objects.filter(status=RunStatus.RUNNING, start_at__isnull=False))
    return _move(shard, ShardStatus.RUNNING, guard=running)


def release_shard(shard: Shard, reason: str) -> bool:
    """Return a shard whose engine sent nothing, for another supervisor to take."""
    return move_shard(
        shard.pk,
        ShardStatus.QUEUED,
        epoch=shard.epoch,
        lease_until=None,
        dispatched_at=None,
        version="",  # workers of earlier versions write none when they claim
        end_code="",
        reason=reason[:REASON_LIMIT],
    )


def finish_shard(shard: Shard, to: ShardStatus, code: str, reason: str = "", *, complete: bool = True) -> bool:
    """End the shard; `code` is one of `metrics.end_codes`. `complete`: its whole ledger is stored. False if this epoch
    no longer holds it."""
    return _move(shard, to, end_code=code, reason=reason[:REASON_LIMIT], ledger_complete=complete)


def _move(shard: Shard, to: ShardStatus, guard: Q | None = None, **fields: Any) -> bool:
    """Move the shard if this epoch holds it. Also True if this epoch has moved it before: the connection may have
    broken after the commit but before its answer, and a retry must not take that for a loss."""
    if move_shard(shard.pk, to, epoch=shard.epoch, guard=guard, **fields):
        return True
    return Shard.objects.filter(pk=shard.pk, epoch=shard.epoch, status=to).exists()


def fail_start(run_id: int, reason: str, code: EndCode = EndCode.NOT_STARTED) -> bool:
    """End a run that cannot start: unclaimed shards fail here, the other supervisors see it stopping."""
    with transaction.atomic():
        before_start = Q(status__in=RUN_BEFORE_START)
        end = {"end_code": code, "reason": reason[:REASON_LIMIT]}
        if not move_run(run_id, RunStatus.STOPPING, guard=before_start, **end):
            return False
        move_shards(Q(run_id=run_id, status=ShardStatus.QUEUED), ShardStatus.FAILED, **end)
    live_stream.publish_status(run_id, RunStatus.STOPPING, reason)
    return True


def fail_if_late(run_id: int) -> bool:
    """Fail a run whose engines were not all ready in time. True if this call did it."""
    over = passed("ready_by", READY_WITHIN_S)
    late = Run.objects.filter(over, pk=run_id, status__in=RUN_BEFORE_START).first()
    if late is None:
        return False
    within_s = READY_WITHIN_LOCAL_S if late.local else READY_WITHIN_S
    if Run.objects.filter(ahead("ready_by", READY_WITHIN_S), pk=run_id).update(ready_by=DbNow(within_s)):
        logger.warning("clock_put_back: run %s has %g s from now to get ready", run_id, within_s)
        return False
    if stands_in_line(late):
        Run.objects.filter(pk=run_id).update(ready_by=DbNow(TURN_S))
        return False
    return fail_start(run_id, _missing(late, within_s))


def _missing(run: Run, seconds: float) -> str:
    shards = list(Shard.objects.filter(run=run).values_list("status", "region"))
    statuses, of = [status for status, _ in shards], len(shards)
    found = sum(status != ShardStatus.QUEUED for status in statuses)
    if found == of:
        ready = sum(status == ShardStatus.READY for status in statuses)
        return f"{ready} of {of} engines were ready within {seconds:.0f} s: see the log of the load workers"
    if run.local:
        return f"{found} of {of} engines were started within {seconds:.0f} s: use fewer processes"
    lacks = what_lacks([region for status, region in shards if status == ShardStatus.QUEUED])
    why = lacks or "load workers have free slots: see their logs"
    return f"{found} of {of} shards found a worker within {seconds:.0f} s; {why}"


def suspect_expired() -> int:
    """Mark held shards whose lease has expired; a live holder clears the mark with its next renewal."""
    held = Shard.objects.filter(status__in=SHARD_HELD)
    new = held.filter(Q(suspect_since__isnull=True) | ahead("suspect_since", 0.0))
    untrue = new.filter(ahead("lease_until", LONGEST_LEASE_S)).update(suspect_since=DbNow())
    if untrue:
        logger.warning("clock_put_back: leases of %s shards end too far ahead: their holders must renew them", untrue)
    return untrue + new.filter(lease_until__lt=DbNow()).update(suspect_since=DbNow())


def overdue() -> QuerySet[Shard]:
    """Held shards whose holder must be considered dead."""
    expired = passed("lease_until", LONGEST_LEASE_S)
    return Shard.objects.filter(expired, status__in=SHARD_HELD, suspect_since__lt=DbNow(-SUSPECT_S))


def take_over(shard: Shard, owner: str, lease_s: float) -> bool:
    """For the reaper: the shard under a new epoch, if it is still suspect. The previous holder can no longer write."""
    mine = overdue().filter(pk=shard.pk, epoch=shard.epoch)
    taken = mine.update(epoch=F("epoch") + 1, lease_until=DbNow(lease_s), owner=owner[:200]) == 1
    if taken:
        shard.epoch += 1
    return taken


def give_back(shard: Shard, owner: str, lease_until: datetime | None) -> None:
    """Undo `take_over`, so that the next reaper may try again at once."""
    Shard.objects.filter(pk=shard.pk, epoch=shard.epoch).update(owner=owner, lease_until=lease_until)

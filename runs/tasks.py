"""Celery's side: thin. A message is a nudge; what is to be done stands in the database (see `runs.dispatch`)."""

from __future__ import annotations

import mmap
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down

from runs import deliveries, dispatch, registry, retention, scheduling
from runs.admission import next_shard
from runs.dbclock import DATABASE_AWAY
from runs.reaper import reap_lost
from runs.supervisor import supervise

# One byte of memory that a worker shares with the pool processes it forks. A lock-free store is all that a signal
# handler may do, and a child that was killed can leave no lock behind.
_shutting_down = mmap.mmap(-1, 1)


@worker_shutting_down.connect
def _note_shutdown(**_: Any) -> None:
    _shutting_down[0] = 1


def worker_is_shutting_down() -> bool:
    """Whether this worker was told to end (SIGTERM): its runs stop in order."""
    return _shutting_down[0] != 0


@shared_task(name="runs.tasks.execute_shard", ignore_result=True)
def execute_shard(shard_id: int) -> bool:
    """See one shard through, of the oldest run that waits; False if there was nothing to claim."""
    while (chosen := next_shard(shard_id)) is not None:
        if supervise(chosen, should_stop=worker_is_shutting_down):
            with suppress(*DATABASE_AWAY):  # the reaper does it later
                dispatch.nudge()  # whoever waited for this slot
            return True
    return False


@shared_task(name="runs.tasks.reap", ignore_result=True)
def reap() -> dict[str, int]:
    """Finish what nobody else finishes. Beat sends it every few seconds."""
    done = asdict(reap_lost())
    registry.note_pass("reap")
    return done


@shared_task(name="runs.tasks.start_due", ignore_result=True)
def start_due() -> dict[str, int]:
    """Start what schedules say. Beat sends it at each slot, and every few seconds besides."""
    started = dict(scheduling.start_due())
    registry.note_pass("start_due")
    return started


@shared_task(name="runs.tasks.deliver", ignore_result=True)
def deliver() -> int:
    """Tell webhooks of runs' ends: what is due by now. Beat sends it every few seconds."""
    delivered = deliveries.deliver_due()
    registry.note_pass("deliver")
    return delivered


@shared_task(name="runs.tasks.prune", ignore_result=True)
def prune() -> dict[str, int]:
    """Delete what was kept long enough. Beat sends it every hour."""
    return asdict(retention.prune())

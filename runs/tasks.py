"""Celery tasks. A message is only a nudge; the database says what to do (see `runs.workers.dispatch`)."""

from __future__ import annotations

import logging
import mmap
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings

from audit import syslog
from runs import approval, panic
from runs.completion import retention
from runs.completion.reaper import reap_lost
from runs.db_clock import DATABASE_AWAY
from runs.schedules import starter
from runs.supervisor.supervisor import supervise
from runs.webhooks import deliver as webhook_delivery
from runs.workers import dispatch, registry
from runs.workers.admission import next_shard

logger = logging.getLogger(__name__)
# One byte of memory that a worker shares with the pool processes it forks. A lock-free store is all that a signal
# handler may do, and a child that was killed can leave no lock behind.
_shutting_down = mmap.mmap(-1, 1)


@worker_shutting_down.connect
def _note_shutdown(**_: Any) -> None:
    _shutting_down[0] = 1


def worker_is_shutting_down() -> bool:
    """Whether this worker received SIGTERM: its runs stop cleanly."""
    return _shutting_down[0] != 0


@shared_task(name="runs.tasks.execute_shard", ignore_result=True)
def execute_shard(shard_id: int) -> bool:
    """Supervise one shard of the oldest waiting run; False if there was nothing to claim."""
    while (chosen := next_shard(shard_id)) is not None:
        if supervise(chosen, should_stop=worker_is_shutting_down):
            with suppress(*DATABASE_AWAY):  # the reaper does it later
                dispatch.nudge()  # runs that waited for this slot
            return True
    return False


@shared_task(name="runs.tasks.reap", ignore_result=True)
def reap() -> dict[str, int]:
    """Finish what nobody else finishes. Beat sends it every few seconds."""
    panic.enforce()
    approval.expire()
    done = asdict(reap_lost())
    registry.note_pass("reap")
    return done


@shared_task(name="runs.tasks.start_due", ignore_result=True)
def start_due() -> dict[str, int]:
    """Start due schedules. Beat sends it at each slot, and every few seconds besides."""
    started = dict(starter.start_due())
    registry.note_pass("start_due")
    return started


@shared_task(name="runs.tasks.deliver", ignore_result=True)
def deliver() -> int:
    """Notify webhooks about ended runs, as far as due. Beat sends it every few seconds."""
    delivered = webhook_delivery.deliver_due()
    registry.note_pass("deliver")
    return delivered


@shared_task(name="runs.tasks.send_audit", ignore_result=True)
def send_audit() -> int:
    """Send new events of the audit log to syslog. Beat sends it every few seconds."""
    if not settings.AUDIT_SYSLOG:
        return 0
    try:
        return syslog.send_new(settings.AUDIT_SYSLOG)
    except OSError as exc:  # the next pass sends what this one did not
        logger.warning("audit_not_sent: %s: %s", settings.AUDIT_SYSLOG, exc)
        return 0


@shared_task(name="runs.tasks.prune", ignore_result=True)
def prune() -> dict[str, int]:
    """Delete data after its retention time. Beat sends it every hour."""
    return asdict(retention.prune())

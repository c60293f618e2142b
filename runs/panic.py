"""The emergency stop: stops all runs, lets nothing start, and pauses all schedules, until it is undone.

The database holds it, so it works while the broker is away: supervisors and workers ask the database.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Final

from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from audit.services import record
from policy.limits import User
from policy.lock import one_at_a_time
from policy.models import Panic
from policy.models.panic import REASON_CHARS, WHO_CHARS
from policy.panic import current, locked
from runs import db_clock
from runs.lifecycle.transitions import RUN_STOPPABLE
from runs.models import PlanSchedule, Run, ScheduleSlot, SlotStatus
from runs.schedules.starter import PAUSED
from runs.services import stop_run

logger = logging.getLogger(__name__)
PAUSE_REASON: Final = "the emergency stop paused the schedule while it waited"


def begin(*, by: str, user: User = None, reason: str = "") -> Panic:
    """Switch it on, and stop everything that runs. If it is on already, whatever still runs is stopped once more."""
    with one_at_a_time():  # whoever requests a run after this commit sees it
        panic = current()
        if panic is None:
            panic = Panic(began_by_id=_id(user), began_by_name=by[:WHO_CHARS], reason=_line(reason))
            panic.save(force_insert=True)
            record("panic.begin", user=user, on=panic, details={"by": by, "reason": panic.reason})
    enforce()
    panic.refresh_from_db()
    return panic


def undo(*, by: str, user: User = None) -> Panic | None:
    """Switch it off and resume the schedules that it paused; None: it was not on. Stopped runs stay stopped."""
    with transaction.atomic():
        panic = locked()
        if panic is None:
            return None
        paused = PeriodicTask.objects.filter(enabled=False, plan_schedule__isnull=False)
        panic.paused_tasks = list(paused.filter(pk__in=panic.paused_tasks).order_by("pk").values_list("pk", flat=True))
        if PeriodicTask.objects.filter(pk__in=panic.paused_tasks).update(enabled=True):
            PeriodicTasks.update_changed()
        panic.is_on, panic.ended_at = False, timezone.now()
        panic.ended_by_id, panic.ended_by_name = _id(user), by[:WHO_CHARS]
        panic.save()
        record("panic.undo", user=user, on=panic, details={"by": by})
    return panic


def enforce() -> None:
    """Pause and stop what the emergency stop has not reached yet, if it is on: whoever began it may have died before
    the last run."""
    if current() is None:
        return
    with suppress(_UndoneError):
        panic = _with_schedules_paused()
        why = f"emergency stop by {panic.began_by_name}" + (f": {panic.reason}" if panic.reason else "")
        running = Run.objects.filter(status__in=RUN_STOPPABLE).order_by("pk").values_list("pk", flat=True)
        for run_id in list(running):
            _stop(run_id, why)


class _UndoneError(Exception):
    """Somebody undid it meanwhile."""


def _on() -> Panic:
    """Locked. Raises _UndoneError."""
    if (panic := locked()) is None:
        raise _UndoneError
    return panic


def _with_schedules_paused() -> Panic:
    with transaction.atomic():
        panic = _on()
        if not panic.schedules_paused:
            panic.paused_tasks, panic.schedules_paused = _pause(), True
            panic.save(update_fields=["paused_tasks", "schedules_paused"])
    return panic


def _stop(run_id: int, why: str) -> None:
    """Whatever is wrong with one run, the others are stopped. Raises _UndoneError."""
    try:
        stop_run(run_id, why, also=_note)
    except (_UndoneError, *db_clock.DATABASE_AWAY):
        raise
    except Exception:
        logger.exception("panic_stop_failed: run %s", run_id)


def _note(run_id: int) -> None:
    """That this run is stopped. Raises _UndoneError."""
    panic = _on()
    panic.stopped_runs = sorted({*panic.stopped_runs, run_id})
    panic.save(update_fields=["stopped_runs"])


def _pause() -> list[int]:
    """Pause each schedule that is not paused, as its own button would. Returns the periodic tasks."""
    tasks = list(PeriodicTask.objects.filter(plan_schedule__isnull=False, enabled=True).values_list("pk", flat=True))
    now = db_clock.now()
    PeriodicTask.objects.filter(pk__in=tasks).update(enabled=False)
    mine = PlanSchedule.objects.filter(task__in=tasks)
    mine.update(timing_seen=PAUSED, since=now, handled_until=now)
    waiting = ScheduleSlot.objects.filter(schedule__task__in=tasks, status=SlotStatus.QUEUED)
    waiting.update(status=SlotStatus.REFUSED, reason=PAUSE_REASON, decided_at=now)
    if tasks:
        PeriodicTasks.update_changed()
    return tasks


def _id(user: User) -> int | None:
    found: int | None = user.pk if user is not None and user.is_authenticated else None
    return found


def _line(text: str) -> str:
    return " ".join(text.split())[:REASON_CHARS]

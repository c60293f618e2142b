"""Making, changing, pausing and deleting schedules: what admin and API call. Slots start in `runs.scheduling`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from runs import dbclock
from runs.models import TestPlan
from runs.schedule_models import PlanSchedule
from runs.scheduling import START_DUE, slots_of, start_due, timing_text
from runs.timing import TimingError, When, parse_when, when_of

NAME_CHARS = 200
POLICIES = ("missed", "grace_s", "catch_up", "overlap", "queue_limit")
SHOWN = 5
"""Next run times on pages and in the API."""


class ScheduleError(ValueError):
    """A schedule that cannot be as asked; `field` names the part."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def create_schedule(
    *,
    name: str,
    plan: TestPlan,
    when: Any,
    enabled: bool = True,
    user: AbstractBaseUser | AnonymousUser | None = None,
    **policies: Any,
) -> PlanSchedule:
    """A schedule of `plan`; `when` as `runs.timing` takes it, policies as the model's columns. Raises ScheduleError."""
    schedule = PlanSchedule(plan=plan, created_by_id=user.pk if user is not None and user.is_authenticated else None)
    schedule.task = PeriodicTask(name=free_name(name), task=START_DUE, enabled=enabled)
    _apply(schedule, parsed(when), policies)
    return schedule


def change_schedule(schedule: PlanSchedule, **changes: Any) -> PlanSchedule:
    """Change what is named: name, plan, when, enabled, and policies. Raises ScheduleError.

    A timing that is the one it has already need not lie in the future.
    """
    when = None
    if "when" in changes and not same_timing(schedule, given := changes.pop("when")):
        when = parsed(given)
    start_due(only=schedule.pk)  # slots until now are those of the timing until now
    schedule = PlanSchedule.objects.select_related("task", "plan").get(pk=schedule.pk)
    if "name" in changes:
        schedule.task.name = free_name(changes.pop("name"), schedule.task.pk)
    schedule.plan = changes.pop("plan", schedule.plan)
    schedule.task.enabled = changes.pop("enabled", schedule.task.enabled)
    _apply(schedule, when, changes)
    return schedule


def set_enabled(schedule: PlanSchedule, enabled: bool) -> PlanSchedule:
    """Pause or resume it. Slots during a pause never were; what is queued is refused."""
    changed = change_schedule(schedule, enabled=enabled)
    start_due(only=schedule.pk)
    return changed


def delete_schedule(schedule: PlanSchedule) -> None:
    """Its periodic task takes it along. Its runs stay."""
    schedule.task.delete()


def next_runs(schedule: PlanSchedule, count: int = SHOWN, now: datetime | None = None) -> list[datetime]:
    """The next slots, in UTC; none while it is paused."""
    if not schedule.task.enabled:
        return []
    moment = now or dbclock.now()
    try:
        return slots_of(schedule).next(max(moment, schedule.handled_until), count)
    except TimingError:
        return []


def parsed(when: Any) -> When:
    """Raises ScheduleError for what `runs.timing.parse_when` refuses."""
    try:
        return parse_when(when, dbclock.now())
    except TimingError as exc:
        raise ScheduleError(exc.field, str(exc)) from exc


def same_timing(schedule: PlanSchedule, given: Any) -> bool:
    """Whether `given` says what the schedule has."""
    try:
        return parse_when(given, None) == when_of(schedule.task)
    except TimingError:
        return False


def _apply(schedule: PlanSchedule, when: When | None, policies: Mapping[str, Any]) -> None:
    for field, value in policies.items():
        if field not in POLICIES:
            raise ScheduleError(field, f"a schedule has no {field!r}")
        setattr(schedule, field, value)
    task = schedule.task
    with transaction.atomic():
        if when is not None:
            when.write_to(task)
        if (text := timing_text(schedule)) != schedule.timing_seen:
            schedule.since = schedule.handled_until = dbclock.now()
            schedule.timing_seen = text
        try:
            schedule.clean_fields(exclude={"task"})
            task.save()
        except ValidationError as exc:
            field, texts = next(iter(exc.message_dict.items()))
            raise ScheduleError(field, texts[0]) from exc
        schedule.task = task
        schedule.save()
        PeriodicTasks.update_changed()  # beat looks again once the schedule is there


def free_name(name: Any, own: int | None = None) -> str:
    """Raises ScheduleError if another periodic task has it."""
    text = str(name).strip()
    if not text or len(text) > NAME_CHARS:
        raise ScheduleError("name", f"give a name of 1 to {NAME_CHARS} characters")
    if PeriodicTask.objects.filter(name=text).exclude(pk=own).exists():
        raise ScheduleError("name", f"there is a schedule {text!r} already")
    return text

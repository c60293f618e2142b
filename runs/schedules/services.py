"""Creates, changes, pauses and deletes schedules, for admin and API. `runs.schedules.starter` starts slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from policy import panic
from policy.limits import User
from runs import db_clock
from runs.models import PlanSchedule, TestPlan
from runs.planning.credentials import check_credential
from runs.planning.errors import RequestError
from runs.planning.run_request import plan_request
from runs.schedules.starter import START_DUE, slots_of, start_due, timing_text
from runs.schedules.timing import TimingError, When, parse_when, when_of

NAME_CHARS = 200
POLICIES = ("missed", "grace_s", "catch_up", "overlap", "queue_limit")
SHOWN = 5
"""Next run times on pages and in the API."""


class ScheduleError(ValueError):
    """The requested schedule is not possible; `field` names the part, `by_field` has what is wrong with others too."""

    def __init__(self, field: str, message: str, by_field: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.by_field = {field: message, **(by_field or {})}


def create_schedule(
    *,
    name: str,
    plan: TestPlan,
    when: Any,
    enabled: bool = True,
    user: User = None,
    **policies: Any,
) -> PlanSchedule:
    """Create a schedule of `plan`; `when` as for `runs.schedules.timing`, policies as the model's columns. Raises
    ScheduleError."""
    timing, _, free = _all(lambda: parsed(when), lambda: check_plan(plan, user), lambda: free_name(name))
    schedule = PlanSchedule(plan=plan, created_by_id=user.pk if user is not None and user.is_authenticated else None)
    schedule.task = PeriodicTask(name=free, task=START_DUE, enabled=enabled)
    _apply(schedule, timing, policies)
    return schedule


def change_schedule(schedule: PlanSchedule, *, user: User = None, **changes: Any) -> PlanSchedule:
    """Change the given parts: name, plan, when, enabled, and policies. `user` is who changes it, and must be allowed to
    use the credential of its plan's target, unless the schedule is only paused. Of a new plan the policies of both the
    owner and `user` count. Raises ScheduleError. An unchanged timing need not lie in the future."""
    if changes != {"enabled": False}:
        check_user(changes.get("plan", schedule.plan), user)
    given = changes.pop("when", None)
    timing, _, free = _all(
        lambda: None if given is None or same_timing(schedule, given) else parsed(given),
        lambda: _check_for_both(changes["plan"], schedule, user) if "plan" in changes else None,
        lambda: free_name(changes.pop("name"), schedule.task.pk) if "name" in changes else None,
    )
    start_due(only=schedule.pk)  # slots until now belong to the previous timing
    schedule = PlanSchedule.objects.select_related("task", "plan").get(pk=schedule.pk)
    schedule.task.name = free or schedule.task.name
    schedule.plan = changes.pop("plan", schedule.plan)
    if "enabled" in changes:
        schedule.task.enabled = changes.pop("enabled")
        panic.let_go(schedule.task.pk)
    _apply(schedule, timing, changes)
    return schedule


def set_enabled(schedule: PlanSchedule, enabled: bool, user: User = None) -> PlanSchedule:
    """Pause or resume the schedule. Slots during a pause are not recorded; queued ones are refused. Raises
    ScheduleError if `user` may not resume it."""
    changed = change_schedule(schedule, user=user, enabled=enabled)
    start_due(only=schedule.pk)
    return changed


def delete_schedule(schedule: PlanSchedule) -> None:
    """Its periodic task is deleted with it. Its runs stay."""
    schedule.task.delete()


def next_runs(schedule: PlanSchedule, count: int = SHOWN, now: datetime | None = None) -> list[datetime]:
    """The next slots, in UTC; none while it is paused."""
    if not schedule.task.enabled:
        return []
    moment = now or db_clock.now()
    try:
        return slots_of(schedule).next(max(moment, schedule.handled_until), count)
    except TimingError:
        return []


def _all(*checks: Callable[[], Any]) -> list[Any]:
    """The results of all checks. Raises the first of their errors, with what the others found."""
    results, problems = [], []
    for check in checks:
        try:
            results.append(check())
        except ScheduleError as exc:
            problems.append(exc)
    if problems:
        first, *others = problems
        found = {field: text for problem in (*others, first) for field, text in problem.by_field.items()}
        raise ScheduleError(first.field, str(first), found) from first.__cause__
    return results


def check_plan(plan: TestPlan, user: User) -> None:
    """Raises ScheduleError for a plan whose runs would all be refused, or that `user` may not start."""
    check_user(plan, user)
    _check_policy(plan, user)


def _check_policy(plan: TestPlan, user: User) -> None:
    try:
        plan_request(plan, user).validate()
    except RequestError as exc:
        raise ScheduleError("plan", str(exc)) from exc


def _check_for_both(plan: TestPlan, schedule: PlanSchedule, user: User) -> None:
    """For whoever changes it, and for the owner, in whose name it runs: nobody lends the owner's limits."""
    check_plan(plan, user)
    _check_policy(plan, schedule.created_by)


def check_user(plan: TestPlan, user: User) -> None:
    """Raises ScheduleError if `user` may not use the credential of the plan's target."""
    try:
        check_credential(plan.target, user)
    except RequestError as exc:
        raise ScheduleError("plan", str(exc)) from exc


def parsed(when: Any) -> When:
    """Raises ScheduleError for a timing that `runs.schedules.timing.parse_when` refuses."""
    try:
        return parse_when(when, db_clock.now())
    except TimingError as exc:
        raise ScheduleError(exc.field, str(exc), exc.by_field) from exc


def same_timing(schedule: PlanSchedule, given: Any) -> bool:
    """Whether `given` equals the schedule's values."""
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
            schedule.since = schedule.handled_until = db_clock.now()
            schedule.timing_seen = text
        try:
            schedule.clean_fields(exclude={"task"})
            task.save()
        except ValidationError as exc:
            found = {field: " ".join(texts) for field, texts in exc.message_dict.items()}
            raise ScheduleError(*next(iter(found.items())), found) from exc
        schedule.task = task
        schedule.save()
        PeriodicTasks.update_changed()  # beat looks again once the schedule is there


def free_name(name: Any, own: int | None = None) -> str:
    """Raises ScheduleError if another periodic task has this name."""
    text = str(name).strip()
    if not text or len(text) > NAME_CHARS:
        raise ScheduleError("name", f"give a name of 1 to {NAME_CHARS} characters")
    if PeriodicTask.objects.filter(name=text).exclude(pk=own).exists():
        raise ScheduleError("name", f"there is a schedule {text!r} already")
    return text

"""Starts the slots of schedules, each once, whatever beats and workers do. Called every few seconds and at each slot.

All that a slot comes to is one transaction: its row, its run, and how far the schedule has been handled. Killed
anywhere, either all of it is there or nothing, and the next call does it. Any number of processes may call at once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from audit.services import coming_from
from metrics.number_format import duration
from runs import db_clock
from runs.db_clock import AHEAD_S, DATABASE_AWAY
from runs.lifecycle.transitions import RUN_ACTIVE
from runs.models import MissedPolicy, OverlapPolicy, PlanSchedule, Run, ScheduleSlot, SlotStatus, TestPlan
from runs.permissions import may_control
from runs.planning.errors import RequestError
from runs.schedules.slots import Due, Timing
from runs.schedules.timing import TimingError, timing, when_of
from runs.services import request_run

logger = logging.getLogger(__name__)
START_DUE: Final = "runs.tasks.start_due"
ROWS_AT_ONCE: Final = 500
"""Maximum number of missed slots with a row each after a long outage; one row represents all older ones."""
PAUSED: Final = "paused"
REASON_LIMIT: Final = 1000
NO_RIGHT: Final = (
    "{owner}, who created the schedule, may not start runs any more: give {owner} the permission again, or let "
    "somebody else create the schedule anew"
)


def start_due(now: datetime | None = None, only: int | None = None) -> Counter[str]:
    """Handle every slot that is due by `now` (default: the database's time). Returns the number of slots by status.

    `only` names one schedule. A schedule that fails is logged and does not keep the others waiting.
    """
    moment = now or db_clock.now()
    found: Counter[str] = Counter()
    schedules = with_timing()
    for schedule in schedules if only is None else schedules.filter(pk=only):
        try:
            if _has_work(schedule, moment):
                with coming_from("schedule", user=schedule.created_by):
                    found += _Tick(schedule, moment).run()
        except DATABASE_AWAY:
            raise
        except Exception:
            logger.exception("schedule_failed: %s", schedule)
    return found


def with_timing() -> QuerySet[PlanSchedule]:
    """Schedules with all that says when they are due, and whether a slot of theirs waits."""
    queued = ScheduleSlot.objects.filter(schedule=OuterRef("pk"), status=SlotStatus.QUEUED)
    rows = PlanSchedule.objects.annotate(waits=Exists(queued)).order_by("pk")
    return rows.select_related("task__crontab", "task__interval", "task__clocked")


def timing_text(schedule: PlanSchedule) -> str:
    """Equal as long as slots before now are those of this timing: a pause, or another one, begins anew."""
    if not schedule.task.enabled:
        return PAUSED
    try:
        return repr(when_of(schedule.task))
    except TimingError as exc:
        return f"no timing: {exc}"


def slots_of(schedule: PlanSchedule) -> Timing:
    """Raises TimingError if its periodic task was given a timing that no schedule has."""
    return timing(when_of(schedule.task), schedule.since)


class SlotDecision(NamedTuple):
    """`runs`: whether the slot is to be run, else it is missed."""

    slot: datetime
    runs: bool


def decisions(due: Due, now: datetime, missed: str, grace_s: float, catch_up: int) -> Iterator[SlotDecision]:
    """Which of the slots are run. Pure."""
    first_in_time = now - timedelta(seconds=grace_s)
    late = sum(slot < first_in_time for slot in due.latest)
    caught_up = {
        MissedPolicy.RECORD: 0,
        # What is due in time is the latest one, if there is any.
        MissedPolicy.RUN_LATEST: int(late == len(due.latest)),
        MissedPolicy.RUN_ALL: catch_up,
    }[MissedPolicy(missed)]
    for number, slot in enumerate(due.latest):
        yield SlotDecision(slot, number >= late - caught_up)


def _has_work(schedule: PlanSchedule, now: datetime) -> bool:
    """Without a lock: most calls find nothing to do."""
    if schedule.waits or timing_text(schedule) != schedule.timing_seen:  # type: ignore[attr-defined]  # annotated
        return True
    if not schedule.task.enabled:
        return False
    if _is_ahead(schedule, now):
        return True
    try:
        return any(slot <= now for slot in slots_of(schedule).next(schedule.handled_until, 1))
    except TimingError:
        return False  # said once, when it was first seen


def _is_ahead(schedule: PlanSchedule, now: datetime) -> bool:
    """What it has handled lies ahead: the clock was put back since, and it would do nothing until then."""
    return max(schedule.handled_until, schedule.since) > now + timedelta(seconds=AHEAD_S)


class _Tick:
    """One schedule's slots until `now`, in one transaction."""

    def __init__(self, schedule: PlanSchedule, now: datetime) -> None:
        self._schedule = schedule
        self._now = now
        self._found: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        with transaction.atomic():
            # The plan's row first: schedules of one plan must see each other's runs.
            TestPlan.objects.select_for_update().get(pk=self._schedule.plan_id)
            locked = PlanSchedule.objects.select_for_update(of=("self",))
            schedule = locked.select_related("plan__target", "task", "created_by").filter(pk=self._schedule.pk).first()
            if schedule is not None:
                self._schedule = schedule
                self._handle()
        return self._found

    def _handle(self) -> None:
        schedule = self._schedule
        if (text := timing_text(schedule)) != schedule.timing_seen:
            self._adopt(text)
        if _is_ahead(schedule, self._now):
            self._correct()
        if not schedule.task.enabled:
            self._refuse_queued("the schedule was paused while it waited")
            return
        self._start_queued()
        try:
            due = slots_of(schedule).due(schedule.handled_until, self._now, ROWS_AT_ONCE)
        except TimingError:
            return
        if due.latest:
            self._decide(due)
            schedule.handled_until = due.latest[-1]
            schedule.save(update_fields=["handled_until"])

    def _adopt(self, text: str) -> None:
        """Somebody paused, resumed or changed it, perhaps on django-celery-beat's own page: that holds from now on."""
        schedule = self._schedule
        schedule.timing_seen = text
        schedule.since = schedule.handled_until = self._now
        schedule.save(update_fields=["timing_seen", "since", "handled_until"])
        logger.info("schedule_adopted: %s: %s", schedule, text)

    def _correct(self) -> None:
        """Go on from now. A slot ahead that was started has its row, and is not started again; one that was called
        missed was not."""
        schedule = self._schedule
        logger.warning("clock_put_back: %s had handled slots until %s", schedule, schedule.handled_until)
        schedule.slots.filter(slot_at__gt=self._now, status=SlotStatus.MISSED).delete()
        schedule.handled_until = min(schedule.handled_until, self._now)
        schedule.since = min(schedule.since, self._now)
        schedule.save(update_fields=["since", "handled_until"])

    def _decide(self, due: Due) -> None:
        schedule = self._schedule
        known = set(schedule.slots.filter(slot_at__in=due.latest).values_list("slot_at", flat=True))
        policy = (schedule.missed, schedule.grace_s, schedule.catch_up)
        missed = []
        for slot, runs in decisions(due, self._now, *policy):
            if slot in known:
                continue  # the database's clock went back
            if runs:
                self._run(self._row(slot, SlotStatus.STARTED))
            else:
                delay = duration((self._now - slot).total_seconds())
                late = f"no scheduler was running; noticed {delay} late"
                missed.append(self._row(slot, SlotStatus.MISSED, late))
        ScheduleSlot.objects.bulk_create(missed)
        self._found[SlotStatus.MISSED] += len(missed)
        older = due.total - len(due.latest)
        if older and due.first is not None and not schedule.slots.filter(slot_at=due.first).exists():
            before = f"{due.latest[0]:%Y-%m-%d %H:%M:%S} UTC"
            text = f"no scheduler was running for {older} slots, from this one to before {before}"
            row = self._row(due.first, SlotStatus.MISSED, text)
            row.count = older
            row.save(force_insert=True)
            self._found[SlotStatus.MISSED] += older

    def _run(self, row: ScheduleSlot) -> None:
        """Claim the slot by its row, and start it, queue it or refuse it."""
        schedule = self._schedule
        row.save(force_insert=True)
        active = None if schedule.overlap == OverlapPolicy.ALLOW else self._active()
        if active is None:
            self._start(row)
        elif schedule.overlap == OverlapPolicy.REFUSE:
            self._end(row, SlotStatus.REFUSED, f"run {active.pk} of the plan was {active.status}")
        elif (waiting := self._queued().count()) < schedule.queue_limit:
            self._end(row, SlotStatus.QUEUED, f"waits for the end of run {active.pk}")
        else:
            full = f"run {active.pk} of the plan was {active.status}, and {waiting} slots waited: the queue is full"
            self._end(row, SlotStatus.REFUSED, full)

    def _start_queued(self) -> None:
        """The first queued slot, if no run of the plan is in progress."""
        if self._active() is None and (row := self._queued().order_by("slot_at").first()) is not None:
            row.decided_at = self._now
            self._start(row)

    def _start(self, row: ScheduleSlot) -> None:
        owner = self._schedule.created_by
        if owner is not None and not may_control(owner):
            self._end(row, SlotStatus.REFUSED, NO_RIGHT.format(owner=owner))
            return
        try:
            with transaction.atomic():
                row.run = request_run(self._schedule.plan, user=owner)
        except RequestError as exc:
            self._end(row, SlotStatus.REFUSED, f"the plan cannot run: {exc}")
        except DATABASE_AWAY:
            raise
        except Exception as exc:
            # Tried again, it would fail again, and every slot behind it would wait for ever.
            logger.exception("slot_failed: %s", row)
            self._end(row, SlotStatus.REFUSED, f"the run could not be requested: {type(exc).__name__}: {exc}")
        else:
            self._end(row, SlotStatus.STARTED, "")

    def _active(self) -> Run | None:
        running = Run.objects.filter(plan_id=self._schedule.plan_id, status__in=RUN_ACTIVE)
        return running.only("pk", "status").order_by("pk").first()

    def _queued(self) -> QuerySet[ScheduleSlot]:
        return self._schedule.slots.filter(status=SlotStatus.QUEUED)

    def _refuse_queued(self, reason: str) -> None:
        refused = self._queued().update(status=SlotStatus.REFUSED, reason=reason, decided_at=self._now)
        self._found[SlotStatus.REFUSED] += refused

    def _row(self, slot: datetime, status: SlotStatus, reason: str = "") -> ScheduleSlot:
        return ScheduleSlot(schedule=self._schedule, slot_at=slot, status=status, reason=reason, decided_at=self._now)

    def _end(self, row: ScheduleSlot, status: SlotStatus, reason: str) -> None:
        row.status, row.reason = status, reason[:REASON_LIMIT]
        row.save()
        self._found[status] += 1

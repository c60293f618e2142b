"""Slots become runs: each once, late ones and overlapping ones as the schedule says. With a clock of the test's own."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from runs import db_clock, services
from runs.models import PlanSchedule, Run, ScheduleSlot
from runs.schedules import starter
from runs.schedules.services import (
    ScheduleError,
    change_schedule,
    create_schedule,
    delete_schedule,
    next_runs,
    set_enabled,
)
from runs.schedules.slots import Due
from runs.schedules.starter import decisions, start_due
from tests.integration.web import made_up
from tests.unit.runs.schedules.minutes import T0, a_schedule, at, end, rows

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, datetime]:
    """What the database's clock says."""
    shown = {"now": T0}
    monkeypatch.setattr(db_clock, "now", lambda: shown["now"])
    monkeypatch.setattr("runs.workers.dispatch.nudge", lambda run_id=None: 0)
    return shown


def test_each_slot_is_run_once_however_often_one_looks() -> None:
    schedule = a_schedule(overlap="allow")
    for second in range(0, 300, 7):
        start_due(T0 + timedelta(seconds=second))
    assert start_due(at(4.9)) == Counter()
    assert rows(schedule) == [(n, "started") for n in range(1, 5)]
    runs = [slot.run for slot in schedule.slots.all()]
    assert {run.plan_id for run in runs if run} == {schedule.plan_id}
    assert Run.objects.count() == 4


def test_the_schedule_is_django_celery_beats_own() -> None:
    schedule = a_schedule({"crontab": "30 2 * * *", "time_zone": "Europe/Berlin"})
    task = PeriodicTask.objects.get()
    assert (task.task, task.enabled) == ("runs.tasks.start_due", True)
    assert str(task.crontab.timezone) == "Europe/Berlin"
    assert [f"{slot:%m-%d %H:%M}" for slot in next_runs(schedule, 3)] == ["03-29 01:00", "03-30 00:30", "03-31 00:30"]
    start_due(T0 + timedelta(days=2))
    assert [f"{slot.slot_at:%m-%d %H:%M}" for slot in schedule.slots.order_by("slot_at")] == [
        "03-29 01:00",
        "03-30 00:30",
    ]


def test_a_moment_is_run_once_and_then_it_is_over() -> None:
    schedule = a_schedule({"at": "2026-03-28T14:00", "time_zone": "Europe/Berlin"})
    assert next_runs(schedule) == [at(60)]
    start_due(at(61))
    start_due(at(90))
    assert rows(schedule) == [(60, "started")]
    assert next_runs(schedule, now=at(61)) == []


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"missed": "record"}, ["missed"] * 9 + ["started"]),
        ({"missed": "run_latest"}, ["missed"] * 9 + ["started"]),
        ({"missed": "run_all", "catch_up": 3}, ["missed"] * 6 + ["started"] * 4),
        ({"missed": "run_all", "catch_up": 100}, ["started"] * 10),
        ({"missed": "record", "grace_s": 3600}, ["started"] * 10),
        ({"missed": "record", "grace_s": 10}, ["missed"] * 10),
        ({"missed": "run_latest", "grace_s": 10}, ["missed"] * 9 + ["started"]),
        ({"missed": "run_all", "catch_up": 2, "grace_s": 10}, ["missed"] * 8 + ["started"] * 2),
    ],
)
def test_missed_slots_are_recorded_or_caught_up_as_set(policy: dict[str, Any], expected: list[str]) -> None:
    schedule = a_schedule(overlap="allow", **policy)
    found = start_due(at(10.5))
    assert [status for _, status in rows(schedule)] == expected
    assert found == Counter(expected)
    assert Run.objects.count() == expected.count("started")


def test_a_long_outage_leaves_no_slot_uncounted() -> None:
    schedule = a_schedule({"every": 1, "period": "seconds"}, missed="run_latest")
    start_due(T0 + timedelta(days=3))
    slots = schedule.slots
    assert sum(slots.values_list("count", flat=True)) == 3 * 86400
    assert slots.count() == starter.ROWS_AT_ONCE + 1
    assert slots.earliest("slot_at").slot_at == T0 + timedelta(seconds=1)


def test_overlapping_runs_are_refused_with_a_reason() -> None:
    schedule = a_schedule()
    start_due(at(1.1))
    start_due(at(2.1))
    assert rows(schedule) == [(1, "started"), (2, "refused")]
    first, second = schedule.slots.order_by("slot_at")
    assert second.reason == f"run {first.run_id} of the plan was queued"
    end(first.run)
    start_due(at(3.1))
    assert rows(schedule)[-1] == (3, "started")


def test_overlapping_runs_wait_in_a_queue_of_the_length_given() -> None:
    schedule = a_schedule(overlap="queue", queue_limit=2)
    for minute in range(1, 5):
        start_due(at(minute + 0.1))
    assert [status for _, status in rows(schedule)] == ["started", "queued", "queued", "refused"]
    assert "the queue is full" in schedule.slots.get(status="refused").reason
    for number in (1, 2):
        end(schedule.slots.order_by("slot_at")[number - 1].run)
        start_due(at(4.2 + number / 10))
        assert [status for _, status in rows(schedule)][: number + 1] == ["started"] * (number + 1)
    assert Run.objects.count() == 3


def test_schedules_of_one_plan_and_people_overlap_too() -> None:
    plan = made_up.plan()
    first = a_schedule(plan=plan)
    second = create_schedule(name="another", plan=plan, when={"every": 1, "period": "minutes"})
    services.request_run(plan)
    start_due(at(1.1))
    assert rows(first) == rows(second) == [(1, "refused")]


def test_a_pause_has_no_slots_and_ends_what_waits(clock: dict[str, datetime]) -> None:
    schedule = a_schedule(overlap="queue", missed="run_all", catch_up=100)
    start_due(at(1.1))
    start_due(at(2.1))
    clock["now"] = at(2.5)
    assert next_runs(set_enabled(schedule, False)) == []
    assert rows(schedule) == [(1, "started"), (2, "refused")]
    assert start_due(at(20)) == Counter()
    clock["now"] = at(20.5)
    resumed = set_enabled(schedule, True)
    assert next_runs(resumed, 1, at(20.5)) == [at(21.5)]
    end(schedule.slots.earliest("slot_at").run)
    start_due(at(21.6))
    assert rows(schedule) == [(1, "started"), (2, "refused"), (21.5, "started")]


def test_a_change_on_django_celery_beats_own_page_holds_from_when_it_is_seen() -> None:
    schedule = a_schedule({"crontab": "0 * * * *", "time_zone": "UTC"}, overlap="allow", missed="run_all")
    start_due(at(60.1))
    CrontabSchedule.objects.update(minute="*/10")
    assert start_due(at(85)) == Counter()
    start_due(at(91))
    assert rows(schedule) == [(60, "started"), (90, "started")]
    PeriodicTask.objects.update(enabled=False)
    start_due(at(101))
    PeriodicTask.objects.update(enabled=True)
    start_due(at(119))
    start_due(at(121))
    assert [minute for minute, _ in rows(schedule)] == [60, 90, 120]


def test_a_changed_timing_begins_now_and_what_was_due_before_is_done_first(clock: dict[str, datetime]) -> None:
    schedule = a_schedule(overlap="allow")
    clock["now"] = at(1.5)
    changed = change_schedule(schedule, when={"every": 10, "period": "minutes"}, name="slower", missed="run_all")
    assert rows(changed) == [(1, "started")]
    assert next_runs(changed, 2) == [at(11.5), at(21.5)]
    assert (changed.task.name, changed.missed) == ("slower", "run_all")
    # The same words again change nothing, and neither do other fields.
    again = change_schedule(changed, when={"every": 10, "period": "minutes"}, grace_s=5)
    assert next_runs(again, 1) == [at(11.5)]


def test_a_plan_that_cannot_run_is_said_at_the_slot() -> None:
    broken, sound = a_schedule(), a_schedule()
    broken.plan.mix.all().delete()
    start_due(at(1.1))
    assert rows(broken) == [(1, "refused")]
    assert "there is no scenario" in broken.slots.get().reason
    assert rows(sound) == [(1, "started")]


def test_an_unexpected_error_refuses_the_slot_and_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    unlucky, sound = a_schedule(), a_schedule()
    real = services.request_run

    def fails(plan: Any, **more: Any) -> Run:
        if plan.pk == unlucky.plan_id:
            real(plan, **more)
            raise KeyError("boom")
        return real(plan, **more)

    monkeypatch.setattr(starter, "request_run", fails)
    start_due(at(1.1))
    assert rows(unlucky) == [(1, "refused")]
    assert rows(sound) == [(1, "started")]
    assert Run.objects.count() == 1, "the run of the failed slot is rolled back"


@pytest.mark.parametrize("step", ["save", "bulk_create", "request_run"])
def test_killed_anywhere_nothing_or_all_is_there(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    schedule = a_schedule(overlap="allow", missed="run_all", catch_up=2)
    where: Any = {"save": PlanSchedule, "bulk_create": ScheduleSlot.objects, "request_run": starter}[step]
    with monkeypatch.context() as patch:
        patch.setattr(where, step, die)
        with pytest.raises(Killed):
            start_due(at(5.5))
    assert rows(schedule) == []
    assert not Run.objects.exists()
    start_due(at(5.5))
    assert [status for _, status in rows(schedule)] == ["missed"] * 2 + ["started"] * 3
    assert Run.objects.count() == 3


def test_a_clock_that_goes_back_runs_nothing_again() -> None:
    schedule = a_schedule(overlap="allow")
    start_due(at(3.1))
    PlanSchedule.objects.update(handled_until=T0)
    assert start_due(at(3.2)) == Counter()
    assert [minute for minute, _ in rows(schedule)] == [1, 2, 3]


def test_deleting_it_takes_its_periodic_task_along_and_leaves_its_runs() -> None:
    schedule = a_schedule()
    start_due(at(1.1))
    delete_schedule(schedule)
    assert not PlanSchedule.objects.exists() and not PeriodicTask.objects.exists()
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"when": {"crontab": "61 * * * *"}}, "crontab", "minute '61'"),
        ({"when": {"crontab": "* * *"}}, "crontab", "five fields"),
        ({"when": {"crontab": "61 * * * *"}}, "crontab", "give numbers from 0 to 59, ranges such as 0-4"),
        ({"when": {"crontab": "0 1,24 * * *"}}, "crontab", "hour '1,24' is wrong at '24': give numbers from 0 to 23"),
        ({"when": {"crontab": "0 0 0 * *"}}, "crontab", "day of month '0' is wrong: give numbers from 1 to 31"),
        ({"when": {"crontab": "0 0 * jan,foo *"}}, "crontab", "'foo': give numbers from 1 to 12, ranges such as 1-5"),
        ({"when": {"crontab": "*/0 * * * *"}}, "crontab", "/0' is wrong: give numbers"),
        ({"when": {"crontab": "1,,2 * * * *"}}, "crontab", "wrong at an empty place of its list"),
        ({"when": {"crontab": "5! * * * *"}}, "crontab", "minute '5!' is wrong: give numbers"),
        ({"when": {"crontab": "0 0 31 2 *"}}, "crontab", "never be due"),
        ({"when": {"crontab": "0 0 * * 7"}}, "crontab", "Sunday is 0"),
        ({"when": {"crontab": "0 0 * * *", "time_zone": "Berlin"}}, "time_zone", "no time zone"),
        ({"when": {"every": 0, "period": "minutes"}}, "every", "at least 1"),
        ({"when": {"every": 5, "period": "microseconds"}}, "period", "choose one of"),
        ({"when": {"at": "2026-03-28T11:59:59+00:00"}}, "at", "is in the past"),
        ({"when": {"at": "2026-03-29T02:30", "time_zone": "Europe/Berlin"}}, "at", "clocks go forward over it"),
        ({"when": {"at": "soon"}}, "at", "give a time"),
        ({"when": {"every": 1, "period": "days", "ends": "2026-03-28T10:00"}}, "ends", "in the future"),
        ({"when": {"every": 1, "period": "days", "ends": "2026-03-28T20:00"}}, "every", "never be due"),
        ({"when": {"every": 1, "period": "days", "at": "2027-01-01"}}, "when", "give one of"),
        ({"when": "daily"}, "when", "give an object"),
        ({"overlap": "maybe"}, "overlap", "'maybe' is not a valid choice"),
        ({"queue_limit": 0}, "queue_limit", "greater than or equal to 1"),
        ({"colour": "red"}, "colour", "a schedule has no"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(fields: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(ScheduleError, match=text) as refused:
        a_schedule(**fields)
    assert refused.value.field == field
    assert not PeriodicTask.objects.exists()


def test_a_name_is_given_once() -> None:
    schedule = a_schedule()
    with pytest.raises(ScheduleError, match="already"):
        create_schedule(name=str(schedule), plan=schedule.plan, when={"every": 1, "period": "days"})


def test_an_early_slot_is_never_missed() -> None:
    due = Due(1, T0, [T0])
    assert [decision.runs for decision in decisions(due, T0, "record", 0, 5)] == [True]


def test_what_only_django_celery_beats_own_page_takes_is_said_and_starts_nothing() -> None:
    schedule = a_schedule({"crontab": "0 * * * *", "time_zone": "UTC"})
    CrontabSchedule.objects.update(day_of_week="7")
    assert start_due(at(200)) == start_due(at(300)) == Counter()
    assert next_runs(PlanSchedule.objects.get()) == []
    CrontabSchedule.objects.update(day_of_week="*")
    start_due(at(310))
    start_due(at(361))
    assert rows(schedule) == [(360, "started")]

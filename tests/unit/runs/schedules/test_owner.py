"""A schedule runs in the name of whoever created it, and only as long as that person may start runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from runs.models import Run, ScheduleSlot
from runs.schedules.starter import start_due
from tests.integration.web import made_up
from tests.unit.runs.schedules.minutes import a_schedule, at, rows

pytestmark = pytest.mark.django_db


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def take_staff(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=False)


def take_right(user: User) -> None:
    user.user_permissions.clear()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.db_clock.now", lambda: at(0))
    monkeypatch.setattr("runs.workers.dispatch.nudge", lambda run_id=None: 0)


@pytest.mark.parametrize("demote", [deactivate, take_staff, take_right])
def test_without_the_right_of_its_owner_it_starts_nothing(demote: Callable[[User], None]) -> None:
    owner = made_up.user("runs.change_run")
    schedule = a_schedule(user=owner, overlap="allow")
    start_due(at(1))
    demote(owner)
    start_due(at(2))
    assert rows(schedule) == [(1, "started"), (2, "refused")]
    assert Run.objects.get().requested_by == owner
    reason = schedule.slots.get(status="refused").reason
    assert reason.startswith(f"{owner}, who created the schedule, may not start runs any more: give {owner} the ")


def test_a_slot_that_waited_is_refused_too_and_a_right_given_back_counts_from_then_on() -> None:
    owner = made_up.user("runs.change_run")
    schedule = a_schedule(user=owner, overlap="queue")
    start_due(at(1))
    start_due(at(2))
    take_right(owner)
    Run.objects.update(status="completed")
    start_due(at(2.5))
    assert rows(schedule) == [(1, "started"), (2, "refused")]
    owner.user_permissions.set([made_up.permission("runs.change_run")])
    start_due(at(3))
    assert ScheduleSlot.objects.filter(status="started").count() == 2


def test_one_that_nobody_owns_runs() -> None:
    schedule = a_schedule()
    start_due(at(1))
    assert rows(schedule) == [(1, "started")]

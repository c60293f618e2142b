"""What is deleted once it is old, what never is, and that no slot is started twice or lost for it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs import db_clock, tasks
from runs.completion import retention
from runs.completion.retention import Pruned, prune
from runs.models import PlanSchedule, Run, RunStatus, ScheduleSlot, SlotStatus, Webhook, WebhookDelivery
from runs.schedules.services import create_schedule
from runs.schedules.starter import start_due
from tests.integration.web import made_up
from tokenburn_site.config import celeryconf

pytestmark = pytest.mark.usefixtures("any_database")
OLD, YOUNG = timedelta(days=91), timedelta(days=89)


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.workers.dispatch.nudge", lambda run_id=None: 0)


def schedule_since(begun: datetime, **policies: Any) -> PlanSchedule:
    """One of every hour that has been there since `begun`, and has handled nothing since."""
    made = create_schedule(
        name=f"s{PlanSchedule.objects.count()}", plan=made_up.plan(), when={"every": 1, "period": "hours"}, **policies
    )
    PlanSchedule.objects.filter(pk=made.pk).update(since=begun, handled_until=begun)
    made.refresh_from_db()
    return made


def a_slot(schedule: PlanSchedule, at: datetime, status: str, **fields: Any) -> ScheduleSlot:
    fields = {"decided_at": at} | fields
    return ScheduleSlot.objects.create(schedule=schedule, slot_at=at, status=status, **fields)


def test_slots_go_when_they_are_old_and_nothing_needs_them() -> None:
    now = db_clock.now()
    schedule, other = schedule_since(now), schedule_since(now - timedelta(days=100))
    gone = [a_slot(schedule, now - OLD - timedelta(hours=n), status) for n, status in enumerate(SlotStatus.values)]
    gone = [slot for slot in gone if slot.status != SlotStatus.QUEUED]
    run = made_up.run(RunStatus.COMPLETED, schedule.plan)
    kept = {
        "it is queued": ScheduleSlot.objects.get(status=SlotStatus.QUEUED),
        "its run is there": a_slot(schedule, now - OLD * 2, SlotStatus.STARTED, run=run),
        "it is young": a_slot(schedule, now - YOUNG, SlotStatus.REFUSED),
        "it was found after an outage": a_slot(schedule, now - OLD * 3, SlotStatus.MISSED, decided_at=now, count=9),
        "its schedule has not handled it": a_slot(other, now - timedelta(days=95), SlotStatus.REFUSED),
    }
    assert prune() == Pruned(slots=len(gone)) == Pruned(slots=3)
    assert set(ScheduleSlot.objects.values_list("pk", flat=True)) == {slot.pk for slot in kept.values()}
    run.delete()
    assert prune() == Pruned(slots=1)


def test_deliveries_go_when_they_are_old_and_over() -> None:
    now, hook = db_clock.now(), Webhook.objects.create(name="hook", host="bot.example")
    for age in (OLD, YOUNG):
        for status in ("pending", "delivered", "failed"):
            WebhookDelivery.objects.create(webhook=hook, status=status, next_at=now - age)
    assert prune() == Pruned(deliveries=2)
    left = WebhookDelivery.objects.values_list("status", "next_at")
    assert set(left) == {("pending", now - OLD)} | {(s, now - YOUNG) for s in ("pending", "delivered", "failed")}


@pytest.mark.parametrize("missed", ["record", "run_latest", "run_all"])
def test_no_slot_comes_twice_and_none_is_lost_when_its_row_is_gone(missed: str) -> None:
    now = db_clock.now()
    begun = now - timedelta(days=100)
    schedule = schedule_since(begun, missed=missed, overlap="refuse")
    for hour in range(1, 6):
        start_due(begun + timedelta(hours=hour))
    assert schedule.slots.count() == 5
    seen = schedule.slots.count()
    deleted = prune().slots
    assert deleted == 4, "all but the one whose run is there"
    assert start_due(begun + timedelta(hours=5)) == Counter()
    found = start_due(now)  # no scheduler ran for 99 days
    assert seen + found.total() == 100 * 24
    assert prune() == Pruned(), "what was found just now is news"
    assert sum(schedule.slots.values_list("count", flat=True)) == 100 * 24 - deleted
    assert start_due(now) == Counter()


def test_a_queued_slot_is_started_however_old_it_is() -> None:
    now = db_clock.now()
    schedule = schedule_since(now - OLD - timedelta(minutes=90), overlap="queue", grace_s=86_400)
    run = made_up.run(RunStatus.RUNNING, schedule.plan)
    start_due(now - OLD)
    assert [slot.status for slot in schedule.slots.all()] == ["queued"]
    PlanSchedule.objects.update(handled_until=now)
    assert prune() == Pruned()
    Run.objects.filter(pk=run.pk).update(status=RunStatus.COMPLETED)
    assert start_due(now) == Counter(started=1)


def test_it_is_done_in_small_pieces_and_goes_on_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = db_clock.now()
    schedule = schedule_since(now)
    slots = [
        ScheduleSlot(
            schedule=schedule, slot_at=(at := now - OLD - timedelta(seconds=n)), decided_at=at, status="missed"
        )
        for n in range(25)
    ]
    ScheduleSlot.objects.bulk_create(slots)
    monkeypatch.setattr(retention, "BATCH", 10)
    monkeypatch.setattr(retention, "PASS_S", 0.0)
    assert prune() == Pruned(), "its time was over at once"
    monkeypatch.setattr(retention, "PASS_S", 60.0)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert prune() == Pruned(slots=25)
    deletes = [query["sql"] for query in queries if query["sql"].startswith("DELETE")]
    assert len([sql for sql in deletes if "scheduleslot" in sql]) == 3
    # Of models that somebody listens to, Django fetches the rows first and names them.
    assert all("LIMIT 10" in sql or sql.count(",") < 10 for sql in deletes)


def test_0_days_keep_it_for_ever_and_fewer_days_less(settings: LazySettings) -> None:
    now = db_clock.now()
    schedule = schedule_since(now)
    a_slot(schedule, now - timedelta(days=9000), SlotStatus.MISSED)
    settings.HISTORY_DAYS = 0
    assert prune() == Pruned()
    settings.HISTORY_DAYS = 8999
    assert prune() == Pruned(slots=1)


def test_beat_sends_it_every_hour() -> None:
    entry = next(entry for entry in celeryconf.beat_schedule.values() if entry["task"] == "runs.tasks.prune")
    assert entry["schedule"] == 3600
    assert tasks.prune.name == entry["task"]
    assert tasks.prune() == {"slots": 0, "deliveries": 0, "log_ins": 0, "uses": 0}

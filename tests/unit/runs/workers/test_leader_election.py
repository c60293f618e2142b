"""One leads at a time, by the database's clock; and what a leading beat takes for due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from runs import db_clock
from runs.models import Leader
from runs.schedules.beat import LeaderScheduler, SlotEntry
from runs.schedules.services import create_schedule
from runs.workers.leader_election import Leadership
from tests.integration.web import made_up
from tests.support.beats import scheduler_here
from tokenburn_site.celery import app

BEGIN = datetime(2050, 3, 26, 12, 0, tzinfo=UTC)


def expire(name: str = "beat") -> None:
    Leader.objects.filter(name=name).update(until=db_clock.DbNow(-1))


@pytest.mark.usefixtures("any_database")
def test_one_leads_until_it_ends_or_its_lease_runs_out() -> None:
    first, second, other = Leadership("beat"), Leadership("beat"), Leadership("webhooks")
    assert first.leads()
    assert not second.leads()
    assert other.leads(), "another office"
    assert first.hold() and first.leads() and not second.hold()
    first.release()
    assert second.leads()
    assert not first.leads()
    expire()
    assert first.leads()
    assert not second.hold()
    assert Leader.objects.get(name="beat").holder == first.holder


@pytest.mark.django_db
def test_who_was_stopped_for_longer_than_its_lease_no_longer_leads() -> None:
    first, second = Leadership("beat", renew_s=0.0), Leadership("beat")
    assert first.leads()
    expire()
    assert second.leads()
    assert not first.leads()


@pytest.mark.django_db(transaction=True)
def test_only_the_leader_sends_and_it_steps_back_when_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(LeaderScheduler, "apply_entry", lambda self, entry, producer=None: sent.append(entry.name))
    monkeypatch.setattr(LeaderScheduler, "producer", None)
    first, second = (scheduler_here() for _ in range(2))
    assert not PeriodicTask.objects.exists(), "who does not lead writes nothing"

    def ticks(scheduler: LeaderScheduler) -> None:
        for _ in range(10):
            assert scheduler.tick() <= 1.0

    ticks(first)
    ticks(second)
    assert sorted(PeriodicTask.objects.values_list("name", flat=True)) == sorted(app.conf.beat_schedule)
    assert sorted(sent) == sorted(app.conf.beat_schedule), "what never ran is due at once"
    sent.clear()
    expire()
    monkeypatch.setattr(first.leadership, "_renew_at", 0.0)  # five seconds have passed
    ticks(second)
    PeriodicTask.objects.update(last_run_at=db_clock.DbNow(-7200))
    PeriodicTasks.update_changed()
    ticks(first)
    ticks(second)
    assert sorted(sent) == sorted(app.conf.beat_schedule), "each once, by the one that leads now"

    def away() -> bool:
        raise OperationalError("the server is gone")

    monkeypatch.setattr(second.leadership, "hold", away)
    monkeypatch.setattr(second.leadership, "_renew_at", 0.0)
    ticks(second)
    assert len(sent) == len(app.conf.beat_schedule)


@pytest.mark.django_db
def test_a_plans_entry_is_due_at_its_slots_also_in_the_night_of_the_change(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {"now": BEGIN}
    monkeypatch.setattr(db_clock, "now", lambda: shown["now"])
    monkeypatch.setattr(SlotEntry, "_default_now", lambda self: shown["now"])
    schedule = create_schedule(
        name="nightly", plan=made_up.plan(), when={"crontab": "30 2 * * *", "time_zone": "Europe/Berlin"}
    )
    PeriodicTask.objects.update(last_run_at=BEGIN)
    entry = SlotEntry(PeriodicTask.objects.get(), app=app)
    assert "expires" not in entry.options  # a worker would judge it by a clock of its own
    at_gap_end = datetime(2050, 3, 27, 1, 0, tzinfo=UTC)
    shown["now"] = at_gap_end - timedelta(seconds=40)
    assert entry.is_due() == (False, 40)
    shown["now"] = at_gap_end
    assert entry.is_due().is_due
    entry = next(entry)
    assert not entry.is_due().is_due
    assert schedule.task.task == entry.task


@pytest.mark.django_db
def test_a_moment_that_was_handled_is_not_switched_off_before_its_slot_is_handled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """django-celery-beat disables a one-off task once it was sent; the message may have been lost."""
    monkeypatch.setattr(SlotEntry, "_default_now", lambda self: BEGIN)
    create_schedule(name="once", plan=made_up.plan(), when={"at": BEGIN.isoformat()})
    entry = next(SlotEntry(PeriodicTask.objects.get(), app=app))
    assert not entry.is_due().is_due
    entry.save()
    assert PeriodicTask.objects.get().enabled

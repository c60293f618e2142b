"""Wall clocks that jump: nothing that keeps time by one stands still for as long as it was ahead.

A jump is played by what it leaves behind: times in rows and keys that lie ahead of the clock, or behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from runs import db_clock
from runs.completion.ledger_recovery import NotOverError, recover_shard_ledger
from runs.db_clock import DbNow
from runs.models import Leader, Run, RunStatus, ScheduleSlot, Shard, ShardStatus, SlotStatus, Webhook, WebhookDelivery
from runs.schedules import starter
from runs.schedules.beat import LeaderScheduler, SlotEntry
from runs.schedules.services import create_schedule
from runs.webhooks import deliver
from runs.workers import dispatch, leases, registry
from runs.workers.leader_election import Leadership
from runs.workers.registry import Worker
from tests.integration.web import made_up
from tests.support.beats import scheduler_here
from tests.support.runs import a_run, shards
from tokenburn_site.celery import app
from tokenburn_site.web import health

MONTHS_3 = 90 * 86_400.0
AHEAD = pytest.mark.parametrize("ahead_s", [120.0, 600.0, MONTHS_3], ids=["two_minutes", "ten_minutes", "three_months"])
"""Two minutes: another beat's clock. Ten minutes, three months: the clock was put back by so much."""
BEGIN = datetime(2050, 3, 26, 12, 0, tzinfo=UTC)


@AHEAD
@pytest.mark.usefixtures("any_database")
def test_a_leaders_lease_in_the_future_is_free(ahead_s: float, caplog: pytest.LogCaptureFixture) -> None:
    first, second = Leadership("beat"), Leadership("beat")
    assert first.hold()
    Leader.objects.update(until=DbNow(ahead_s))
    assert second.hold() and not first.hold()
    assert "clock_put_back" in caplog.text
    assert 0 < (Leader.objects.get().until - db_clock.now()).total_seconds() <= 5


@pytest.mark.usefixtures("any_database")
def test_a_lease_that_may_be_true_is_believed() -> None:
    first, second = Leadership("webhooks", lease_s=30), Leadership("webhooks", lease_s=30)
    assert first.hold()
    assert not second.hold()


@pytest.mark.usefixtures("any_database")
def test_a_leader_whose_clock_went_ahead_and_back_leads_on() -> None:
    first, second = Leadership("beat"), Leadership("beat")
    assert first.hold()
    Leader.objects.update(until=DbNow(600))
    assert first.hold() and not second.hold()


@AHEAD
@pytest.mark.django_db(transaction=True)
def test_what_ran_last_in_the_future_is_due_after_one_period(
    ahead_s: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler_here().update_from_dict(app.conf.beat_schedule)
    real = datetime.now(UTC)
    PeriodicTask.objects.update(last_run_at=real + timedelta(seconds=ahead_s))
    entry = SlotEntry(PeriodicTask.objects.get(name="Reap lost runs"), app=app)
    found = entry.is_due()
    assert not found.is_due and 0 < found.next <= 5
    assert "clock_put_back" in caplog.text
    assert entry.last_run_at <= datetime.now(UTC)
    assert PeriodicTask.objects.get(name="Reap lost runs").last_run_at > real, "written when it runs"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("jumps", [(-600,), (-MONTHS_3,), (600, -600), (-600, 600)], ids=str)
def test_a_beat_goes_on_with_all_its_entries_whatever_its_clock_does(
    jumps: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its heap is in order of wall time: of four entries one went on, and three waited for ten minutes."""
    sent: list[str] = []
    clock = Clock()
    monkeypatch.setattr("runs.schedules.beat.datetime", clock)
    monkeypatch.setattr("django_celery_beat.models.now", clock.now)
    monkeypatch.setattr(SlotEntry, "_default_now", lambda self: clock.now())
    monkeypatch.setattr(LeaderScheduler, "apply_entry", lambda self, entry, producer=None: sent.append(entry.name))
    monkeypatch.setattr(LeaderScheduler, "producer", None)
    scheduler = scheduler_here()

    def pass_time(seconds: int) -> None:
        for _ in range(seconds):
            clock.offset += timedelta(seconds=1)
            for _ in app.conf.beat_schedule:
                scheduler.tick()

    pass_time(7)
    for jump in jumps:
        clock.offset += timedelta(seconds=jump)
        sent.clear()
        pass_time(13)
        every_five = {name for name, entry in app.conf.beat_schedule.items() if entry["schedule"] < 60}
        assert {name for name in every_five if sent.count(name) >= 2} == every_five, sent


class Clock:
    """Stands for `datetime.datetime` where only now() is called."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self, zone: object = UTC) -> datetime:
        return BEGIN + self.offset


@pytest.mark.django_db(transaction=True)
def test_a_change_is_seen_although_its_time_is_earlier_than_that_of_the_last_one() -> None:
    scheduler = scheduler_here()
    PeriodicTasks.update_changed()
    scheduler.schedule_changed()
    PeriodicTasks.objects.update(last_update=db_clock.DbNow(-600))
    assert scheduler.schedule_changed()
    assert not scheduler.schedule_changed()


def held(status: ShardStatus = ShardStatus.RUNNING) -> Shard:
    run = a_run()
    (shard,) = shards(run)
    claimed = leases.claim_shard(shard.pk, "somewhere/1")
    assert claimed is not None
    Run.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING)
    Shard.objects.filter(pk=shard.pk).update(status=status)
    return claimed


@AHEAD
@pytest.mark.usefixtures("any_database")
def test_a_lease_of_a_shard_that_lies_ahead_must_be_renewed(ahead_s: float, caplog: pytest.LogCaptureFixture) -> None:
    dead, living = held(), held()
    Shard.objects.update(lease_until=DbNow(ahead_s))
    assert leases.suspect_expired() == 2
    assert "clock_put_back" in caplog.text
    assert leases.suspect_expired() == 0
    assert leases.renew_lease(living)
    Shard.objects.filter(suspect_since__isnull=False).update(suspect_since=DbNow(-leases.SUSPECT_S - 1))
    assert [shard.pk for shard in leases.overdue()] == [dead.pk]
    assert leases.take_over(dead, "reaper", leases.LONGEST_LEASE_S)


@AHEAD
@pytest.mark.usefixtures("any_database")
def test_a_suspicion_that_lies_ahead_counts_from_now(ahead_s: float) -> None:
    held()
    Shard.objects.update(lease_until=DbNow(-1), suspect_since=DbNow(ahead_s))
    assert leases.suspect_expired() == 1
    assert (Shard.objects.get().suspect_since or BEGIN) <= db_clock.now()


@pytest.mark.usefixtures("any_database")
def test_a_clock_that_went_ahead_and_back_takes_nothing_from_a_holder_that_lives() -> None:
    shard = held()
    Shard.objects.update(lease_until=DbNow(-600))  # ahead by ten minutes
    leases.suspect_expired()
    assert leases.renew_lease(shard)
    Shard.objects.update(lease_until=DbNow(600 + leases.LEASE_S))  # and back
    leases.suspect_expired()
    assert not leases.overdue().exists()
    assert leases.renew_lease(shard)


@AHEAD
@pytest.mark.usefixtures("any_database")
def test_what_a_dead_supervisor_left_can_be_stored_by_hand(ahead_s: float) -> None:
    shard = held()
    with pytest.raises(NotOverError):
        recover_shard_ledger(Shard.objects.get(pk=shard.pk))
    Shard.objects.update(lease_until=DbNow(ahead_s))
    recover_shard_ledger(Shard.objects.get(pk=shard.pk))
    assert Shard.objects.get().status == ShardStatus.LOST


@AHEAD
@pytest.mark.usefixtures("any_database")
def test_a_run_that_waits_for_its_start_gets_its_time_anew_and_no_more(ahead_s: float) -> None:
    run = a_run()
    Run.objects.update(ready_by=DbNow(ahead_s))
    assert not leases.fail_if_late(run.pk)
    run.refresh_from_db()
    assert run.ready_by is not None
    assert 25 < (run.ready_by - db_clock.now()).total_seconds() <= leases.READY_WITHIN_LOCAL_S
    Run.objects.update(ready_by=DbNow(-1))
    assert leases.fail_if_late(run.pk)


@AHEAD
@pytest.mark.usefixtures("any_database", "valkey")
def test_a_nudge_that_was_sent_in_the_future_is_sent_again(ahead_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_send", lambda shard_id, queue: True)
    a_run(local=False)
    Shard.objects.update(dispatched_at=DbNow(ahead_s))
    assert dispatch.nudge() == 1
    assert dispatch.nudge() == 0


def a_delivery(attempts: int) -> WebhookDelivery:
    hook = Webhook(name=f"hook {attempts}")
    hook.set_secrets({"url": "http://127.0.0.1:9/"})
    hook.save()
    return WebhookDelivery.objects.create(webhook=hook, attempts=attempts, next_at=DbNow())


@AHEAD
@pytest.mark.usefixtures("any_database")
def test_a_message_whose_next_try_lies_too_far_ahead_is_due(ahead_s: float) -> None:
    for attempts in range(len(deliver.BACKOFF_S)):
        delivery = WebhookDelivery.objects.filter(pk=a_delivery(attempts).pk)
        due = deliver._due().filter(pk__in=delivery.values("pk"))
        pause_s = max((0.0, *deliver.BACKOFF_S)[attempts], deliver.LONGEST_TRY_S)
        delivery.update(next_at=DbNow(pause_s))
        assert not due.exists(), attempts
        delivery.update(next_at=DbNow(pause_s + ahead_s))
        assert due.exists(), attempts


@AHEAD
def test_a_worker_whose_key_outlives_it_is_not_there(valkey: str, ahead_s: float) -> None:
    registry.beat(Worker("load@a", ("load",)))
    registry.beat(Worker("load@b", ("load",)))
    client = redis.Redis.from_url(valkey)
    client.expire(registry.worker_key("load@a"), int(registry.EXPIRES_S + ahead_s))
    assert [worker.name for worker in registry.workers()] == ["load@b"]
    registry.beat(Worker("load@a", ("load",)))
    assert len(registry.workers()) == 2
    client.close()


@AHEAD
@pytest.mark.usefixtures("any_database")
def test_a_schedule_that_handled_the_future_goes_on_from_now(ahead_s: float, caplog: pytest.LogCaptureFixture) -> None:
    plan = made_up.plan()
    schedule = create_schedule(name="often", plan=plan, when={"crontab": "* * * * *"}, overlap="allow", grace_s=60)
    real = db_clock.now().replace(second=30, microsecond=0)
    schedule.since = schedule.handled_until = real
    schedule.save()
    ahead = real + timedelta(seconds=ahead_s)
    starter.start_due(ahead)
    started = set(ScheduleSlot.objects.filter(status=SlotStatus.STARTED).values_list("slot_at", flat=True))
    assert started

    for seconds in range(0, 300, 20):  # back again, and five minutes go by
        starter.start_due(real + timedelta(seconds=seconds))
    assert "clock_put_back" in caplog.text
    rows = ScheduleSlot.objects.filter(slot_at__gt=real, slot_at__lte=real + timedelta(seconds=280))
    assert set(rows.values_list("status", flat=True)) == {SlotStatus.STARTED}
    assert rows.count() == 5
    assert Run.objects.count() == len(started | set(rows.values_list("slot_at", flat=True))), "each slot once"


@pytest.mark.django_db
def test_an_interval_that_counts_from_the_future_counts_from_now() -> None:
    schedule = create_schedule(
        name="often", plan=made_up.plan(), when={"every": 60, "period": "seconds"}, overlap="allow"
    )
    real = db_clock.now()
    schedule.since = schedule.handled_until = real + timedelta(days=90)
    schedule.save()
    starter.start_due(real)
    assert starter.start_due(real + timedelta(seconds=61))[SlotStatus.STARTED] == 1


def reap_runs_out_in(client: redis.Redis, seconds: int) -> None:
    client.expire(registry.pass_key("reap"), seconds)


BREAKS: dict[str, tuple[Callable[[redis.Redis], object], str]] = {
    "never": (lambda client: client.delete(registry.pass_key("reap")), "has not run: reap"),
    "too_long_ago": (lambda client: reap_runs_out_in(client, registry.PASS_KEPT_S - 61), "last ran 61 s ago"),
    "in_the_future": (lambda client: reap_runs_out_in(client, registry.PASS_KEPT_S + 600), "has not run: reap"),
}


@pytest.mark.parametrize("broken", sorted(BREAKS))
def test_health_says_when_the_scheduler_last_ran_and_is_not_ok_once_that_is_too_long_ago(
    valkey: str, broken: str
) -> None:
    for name in registry.PASSES:
        registry.note_pass(name)
    assert health.scheduler() == health.Check("scheduler", True, "last ran 0 s ago")
    client = redis.Redis.from_url(valkey)
    breaks, says = BREAKS[broken]
    breaks(client)
    client.close()
    found = health.scheduler()
    assert not found.ok and found.detail.startswith(says)

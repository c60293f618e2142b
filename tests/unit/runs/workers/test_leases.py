from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models import F

from metrics.end_codes import EndCode
from runs.db_clock import DbNow, now
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.services import stop_run
from runs.workers import leases
from runs.workers.leases import (
    agree_anew,
    agree_start,
    claim_shard,
    fail_if_late,
    finish_shard,
    mark_ready,
    mark_running,
    release_shard,
    renew_lease,
)
from tests.support.runs import a_run, at_once, shards

pytestmark = pytest.mark.usefixtures("any_database")


def claimed(run: Run) -> list[Shard]:
    got = [claim_shard(shard.pk, f"worker {shard.index}") for shard in shards(run)]
    assert None not in got
    return [shard for shard in got if shard is not None]


def test_of_many_claims_at_once_one_wins() -> None:
    shard_id = shards(a_run())[0].pk
    got = at_once(*[lambda: claim_shard(shard_id, "me")] * 6)
    assert sum(shard is not None for shard in got) == 1
    shard = Shard.objects.get(pk=shard_id)
    assert (shard.status, shard.epoch, shard.owner) == (ShardStatus.CLAIMED, 1, "me")
    assert shard.lease_until is not None
    assert 10 < (shard.lease_until - now()).total_seconds() <= leases.LEASE_S


def test_the_first_claim_starts_the_run() -> None:
    run = a_run(2)
    claimed(run)
    run.refresh_from_db()
    assert run.status == RunStatus.STARTING


def test_a_shard_that_does_not_exist_is_nothing_to_claim() -> None:
    assert claim_shard(987654, "me") is None


def test_of_many_who_find_all_ready_one_sets_the_start() -> None:
    run = a_run(3)
    for shard in claimed(run):
        assert not agree_start(run.pk)
        assert mark_ready(shard, 4711)
    agreed = at_once(*[lambda: agree_start(run.pk)] * 5)
    assert sum(map(bool, agreed)) == 1
    run.refresh_from_db()
    assert run.status == RunStatus.RUNNING
    assert run.start_at is not None
    assert 0 < (run.start_at - now()).total_seconds() <= leases.START_DELAY_S


def test_the_start_waits_for_the_last_engine() -> None:
    run = a_run(2)
    first, second = claimed(run)
    mark_ready(first, 1)
    assert not agree_start(run.pk)
    assert not mark_running(first)  # no start is agreed: `go` must not be sent
    mark_ready(second, 2)
    assert agree_start(run.pk)
    assert mark_running(first)


def test_go_is_not_sent_once_the_run_stops() -> None:
    run = a_run()
    (shard,) = claimed(run)
    mark_ready(shard, 1)
    assert agree_start(run.pk)
    stop_run(run)
    assert not mark_running(shard)


def test_an_old_epoch_can_do_nothing() -> None:
    run = a_run()
    (shard,) = claimed(run)
    Shard.objects.filter(pk=shard.pk).update(epoch=F("epoch") + 1)
    assert not renew_lease(shard)
    assert not mark_ready(shard, 1)
    assert not finish_shard(shard, ShardStatus.FAILED, EndCode.NOT_STARTED)
    assert Shard.objects.get(pk=shard.pk).status == ShardStatus.CLAIMED


def test_of_a_reason_the_first_thousand_characters_are_kept() -> None:
    """An error of a target may be a whole page."""
    page = "".join(f"{number:04d}" for number in range(500))
    (shard,) = claimed(a_run())
    assert release_shard(shard, page)
    assert Shard.objects.get(pk=shard.pk).reason == page[:1000]
    (shard,) = claimed(a_run())
    assert finish_shard(shard, ShardStatus.FAILED, EndCode.NOT_STARTED, page)
    assert Shard.objects.get(pk=shard.pk).reason == page[:1000]


def test_leases_last_as_long_as_the_reaper_and_the_engine_take_them_to() -> None:
    """`runs.engine.silence` counts on them, and knows no database."""
    assert (leases.LEASE_S, leases.SUSPECT_S, leases.LONGEST_LEASE_S, leases.ORPHAN_S) == (15.0, 5.0, 20.0, 25.0)
    assert (leases.START_DELAY_S, leases.READY_WITHIN_LOCAL_S) == (1.0, 30.0)


def spans(ask: Callable[[], object], until: Callable[[], datetime | None]) -> tuple[float, float]:
    """The least and the most, in s, that lay between asking and the moment that was written then."""
    before = now()
    ask()
    moment, after = until(), now()
    assert moment is not None
    return (moment - after).total_seconds(), (moment - before).total_seconds()


def test_a_claim_and_a_renewal_put_the_lease_as_far_ahead_as_said() -> None:
    (shard,) = shards(a_run())

    def lease() -> datetime | None:
        return Shard.objects.get(pk=shard.pk).lease_until

    least, most = spans(lambda: claim_shard(shard.pk, "me"), lease)
    assert least <= leases.LEASE_S <= most
    Shard.objects.filter(pk=shard.pk).update(lease_until=DbNow(1))
    held = Shard.objects.get(pk=shard.pk)
    least, most = spans(lambda: renew_lease(held), lease)
    assert least <= leases.LEASE_S <= most


@pytest.mark.parametrize(("processes", "delay_s"), [(1, leases.START_DELAY_ALONE_S), (2, leases.START_DELAY_S)])
def test_the_start_lies_as_far_ahead_as_said(processes: int, delay_s: float) -> None:
    run = a_run(processes)
    for shard in claimed(run):
        assert mark_ready(shard, 1)
    least, most = spans(lambda: agree_start(run.pk), lambda: Run.objects.get(pk=run.pk).start_at)
    assert least <= delay_s <= most


def test_a_start_too_far_ahead_is_agreed_anew_once_and_one_that_may_be_true_is_kept() -> None:
    run, other = a_run(), a_run()
    for one in (run, other):
        (shard,) = claimed(one)
        assert mark_ready(shard, 1)
        assert agree_start(one.pk)
    assert not agree_anew(run.pk)
    Run.objects.update(start_at=DbNow(600))
    least, most = spans(lambda: agree_anew(run.pk), lambda: Run.objects.get(pk=run.pk).start_at)
    assert least <= leases.START_DELAY_S <= most
    assert not agree_anew(run.pk)
    assert agree_anew(other.pk)


def test_each_claim_has_a_ledger_of_its_own() -> None:
    run = a_run()
    (shard,) = claimed(run)
    folder = Path(settings.LEDGER_DIR) / f"run-{run.pk}-{run.uid.hex[:8]}"
    assert shard.ledger_path == str(folder / "shard-0-1.jsonl")
    assert leases.release_shard(shard, "its worker was shut down")
    (again,) = claimed(run)
    assert Shard.objects.get(pk=shard.pk).ledger_path == again.ledger_path == str(folder / "shard-0-2.jsonl")


def test_a_renewal_clears_the_suspicion() -> None:
    (shard,) = claimed(a_run())
    Shard.objects.filter(pk=shard.pk).update(lease_until=DbNow(-1))
    assert leases.suspect_expired() == 1
    assert leases.suspect_expired() == 0
    assert renew_lease(shard)
    Shard.objects.filter(pk=shard.pk).update(lease_until=DbNow(-1))
    assert not leases.overdue().exists()


def test_a_suspicion_begins_anew_only_if_a_clock_was_put_back_by_more_than_a_moment() -> None:
    (shard,) = claimed(a_run())
    for ahead_s, anew in ((0.7, 0), (5.0, 1)):
        Shard.objects.filter(pk=shard.pk).update(lease_until=DbNow(-1), suspect_since=DbNow(ahead_s))
        assert leases.suspect_expired() == anew


def test_a_suspect_is_taken_over_by_one_and_only_after_a_while() -> None:
    (shard,) = claimed(a_run())
    Shard.objects.filter(pk=shard.pk).update(lease_until=DbNow(-1))
    leases.suspect_expired()
    assert not leases.take_over(shard, "reaper", 10)
    Shard.objects.filter(pk=shard.pk).update(suspect_since=DbNow(-leases.SUSPECT_S - 1))
    takers = [Shard.objects.get(pk=shard.pk) for _ in range(4)]
    got = at_once(*[lambda taker=taker: leases.take_over(taker, "reaper", 10) for taker in takers])
    assert sum(map(bool, got)) == 1
    assert not renew_lease(shard)


def test_a_run_is_late_only_after_its_time_and_says_what_is_missing() -> None:
    run = a_run(2)
    claim_shard(shards(run)[0].pk, "me")
    assert not fail_if_late(run.pk)
    Run.objects.filter(pk=run.pk).update(ready_by=DbNow(-1))
    assert fail_if_late(run.pk)
    run.refresh_from_db()
    assert run.status == RunStatus.STOPPING
    assert run.reason == "1 of 2 engines were started within 30 s: use fewer processes"
    assert [shard.status for shard in shards(run)] == [ShardStatus.CLAIMED, ShardStatus.FAILED]


def test_engines_that_do_not_get_ready_are_counted_apart_from_missing_workers() -> None:
    run = a_run(2)
    mark_ready(claimed(run)[1], 1)
    Run.objects.filter(pk=run.pk).update(ready_by=DbNow(-1), local=False)
    assert fail_if_late(run.pk)
    run.refresh_from_db()
    assert run.reason.startswith("1 of 2 engines were ready within 60 s")


def test_a_move_that_was_committed_but_not_confirmed_is_not_taken_for_a_loss() -> None:
    run = a_run()
    (shard,) = claimed(run)
    assert mark_ready(shard, 1)
    assert mark_ready(shard, 1)
    assert agree_start(run.pk)
    assert mark_running(shard)
    assert mark_running(shard)
    assert finish_shard(shard, ShardStatus.DONE, EndCode.DONE)
    assert finish_shard(shard, ShardStatus.DONE, EndCode.DONE)
    assert not finish_shard(shard, ShardStatus.LOST, EndCode.ENGINE_DIED)

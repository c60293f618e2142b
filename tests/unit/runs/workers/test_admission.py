"""Runs get all their slots or none, in order of age; so they never wait for each other."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs.db_clock import DbNow
from runs.lifecycle.transitions import SHARD_HELD
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.services import stop_run
from runs.workers import admission, leases
from runs.workers.leases import claim_shard
from runs.workers.placement import fits
from runs.workers.registry import Worker
from tests.support.runs import a_run, shards

HOST = leases.host_name()


def worker(name: str, slots: int, *regions: str, host: str = HOST) -> Worker:
    queues = tuple("load" if not region else f"load.{region}" for region in regions or ("",))
    return Worker(name=name, queues=queues, slots=slots, host=host)


def farm(monkeypatch: pytest.MonkeyPatch, *workers: Worker) -> None:
    monkeypatch.setattr(admission, "known_workers", lambda: list(workers))
    # A broker of earlier tests may know others: refuse nothing.
    monkeypatch.setattr("runs.workers.availability.known_workers", list)
    monkeypatch.setattr("runs.workers.dispatch.nudge", lambda run_id=None: 0)


def take(nudged: int) -> Shard | None:
    """What a slot does with a nudge."""
    chosen = admission.next_shard(nudged)
    return None if chosen is None else claim_shard(chosen, "a slot")


def end(run: Run) -> None:
    Shard.objects.filter(run=run).update(status=ShardStatus.DONE)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.COMPLETED)


@pytest.mark.usefixtures("any_database")
def test_four_runs_of_two_shards_on_two_slots_run_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two took one slot each, waited for 60 s, and both failed."""
    farm(monkeypatch, worker("a", 1), worker("b", 1))
    runs = [a_run(2, local=False) for _ in range(4)]
    nudges = [shard.pk for run in runs for shard in shards(run)]
    random.Random(3).shuffle(nudges)
    for number, run in enumerate(runs):
        taken = [shard for shard in map(take, nudges) if shard is not None]
        assert {shard.run_id for shard in taken} == {run.pk}
        assert len(taken) == 2
        others = Run.objects.filter(pk__in=[later.pk for later in runs[number + 1 :]])
        assert set(others.values_list("status", flat=True)) <= {RunStatus.QUEUED}
        end(run)


@pytest.mark.usefixtures("any_database")
def test_a_run_waits_for_all_slots_and_younger_runs_take_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    farm(monkeypatch, worker("a", 2))
    busy, wide, narrow = a_run(1, local=False), a_run(2, local=False), a_run(1, local=False)
    assert take(shards(busy)[0].pk) is not None
    Shard.objects.filter(run=wide).update(dispatched_at=DbNow())
    assert take(shards(wide)[0].pk) is None
    assert take(shards(narrow)[0].pk) is None
    assert Shard.objects.get(pk=shards(wide)[0].pk).dispatched_at is None, "it is nudged again at once"
    assert not Shard.objects.filter(run=wide, status__in=SHARD_HELD).exists()
    end(busy)
    taken = [take(shards(narrow)[0].pk) for _ in range(2)]
    assert [shard and shard.run_id for shard in taken] == [wide.pk, wide.pk]


@pytest.mark.usefixtures("any_database")
def test_a_run_that_never_fits_blocks_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    farm(monkeypatch, worker("a", 2))
    a_run(3, local=False)
    small = a_run(2, local=False)
    assert [bool(take(shard.pk)) for shard in shards(small)] == [True, True]


@pytest.mark.usefixtures("any_database")
def test_without_a_list_of_workers_the_order_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    farm(monkeypatch)
    older, younger = a_run(2, local=False), a_run(2, local=False)
    taken = [take(shard.pk) for shard in reversed(shards(younger))]
    assert [shard and shard.run_id for shard in taken] == [older.pk, older.pk]


@pytest.mark.usefixtures("any_database")
def test_who_stood_in_line_gets_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    farm(monkeypatch, worker("a", 2))
    older, younger = a_run(2, local=False), a_run(2, local=False)
    Run.objects.update(ready_by=DbNow(-1))
    assert not leases.fail_if_late(younger.pk)
    assert leases.fail_if_late(older.pk)
    assert not leases.fail_if_late(younger.pk), "its time has begun anew"
    assert take(shards(younger)[0].pk) is not None


@pytest.mark.usefixtures("any_database")
def test_a_beginning_gives_time_to_get_ready_and_to_those_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    farm(monkeypatch, worker("a", 2))
    older, younger, local = a_run(2, local=False), a_run(2, local=False), a_run(1)
    Run.objects.update(ready_by=DbNow(-1))
    assert take(shards(younger)[0].pk) is not None
    for run in (older, younger):
        assert not leases.fail_if_late(run.pk)
    assert leases.fail_if_late(local.pk), "it waits for no slot"


@pytest.mark.usefixtures("any_database")
def test_a_run_that_has_begun_goes_before_an_older_one_that_fits_only_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would hold one slot and wait for the other, which is reserved."""
    farm(monkeypatch, worker("a", 2))
    wide, narrow = a_run(3, local=False), a_run(2, local=False)
    assert take(shards(narrow)[0].pk) is not None
    farm(monkeypatch, worker("a", 3))
    taken = take(shards(wide)[0].pk)
    assert taken is not None and taken.run_id == narrow.pk
    assert take(shards(wide)[0].pk) is None, "two of three slots are in use"


@pytest.mark.usefixtures("any_database")
def test_a_stopped_run_blocks_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    farm(monkeypatch, worker("a", 2))
    first, second, third = (a_run(2, local=False) for _ in range(3))
    assert take(shards(first)[0].pk) is not None
    stop_run(first)
    stop_run(second)
    end(first)
    assert [bool(take(shard.pk)) for shard in shards(third)] == [True, True]


@pytest.mark.usefixtures("any_database")
def test_another_regions_run_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    farm(monkeypatch, worker("a", 1, "", "eu"), worker("b", 1, "us", host="elsewhere"))
    monkeypatch.setattr("django.conf.settings.REGION", "eu")
    over_there, here = a_run(1, local=False, regions=["us"]), a_run(1, local=False, regions=["eu"])
    taken = take(shards(over_there)[0].pk)
    assert taken is not None and taken.run_id == here.pk


def test_slots_in_use_are_those_that_the_database_knows() -> None:
    two = [worker("a", 1), worker("b", 1, host="other")]
    assert fits(["", ""], two, {})
    assert not fits(["", ""], two, {"other": 1})
    assert fits([""], two, {"other": 5})
    eu = [worker("a", 2, "", "eu"), worker("b", 1, "eu")]
    assert fits(["", "", "eu"], eu, {}), "the slot of eu alone is taken first"
    assert not fits(["", "", "eu", "eu"], eu, {})


@pytest.mark.django_db
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    slots=st.lists(st.integers(1, 2), min_size=1, max_size=3),
    seed=st.integers(0, 2**16),
)
def test_every_run_that_fits_ends_whatever_the_order_of_nudges(sizes: list[int], slots: list[int], seed: int) -> None:
    """At no time does a run hold a part of its slots while no nudge can give it the rest."""
    draw = random.Random(seed)
    Run.objects.all().delete()
    with pytest.MonkeyPatch.context() as patch:
        farm(patch, *(worker(f"w{number}", count) for number, count in enumerate(slots)))
        runs = [a_run(size, local=False) for size in sizes]
        ended: list[int] = []
        for _ in range(len(runs)):
            nudges = list(Shard.objects.filter(status=ShardStatus.QUEUED).values_list("pk", flat=True))
            draw.shuffle(nudges)
            free = sum(slots) - Shard.objects.filter(status__in=SHARD_HELD).count()
            for nudged in nudges:
                if free > 0 and take(nudged) is not None:
                    free -= 1
            begun = [run for run in runs if shards(run)[0].status in SHARD_HELD]
            for run in begun:
                assert all(shard.status in SHARD_HELD for shard in shards(run)), "a part of its slots"
            if begun:
                end(chosen := draw.choice(begun))
                ended.append(chosen.pk)
        assert sorted(ended) == [run.pk for run, size in zip(runs, sizes, strict=True) if size <= sum(slots)]

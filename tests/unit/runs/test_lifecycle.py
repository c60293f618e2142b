from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from runs import lifecycle
from runs.dbclock import DbNow
from runs.models import Run, RunStatus, Shard, ShardStatus

pytestmark = pytest.mark.django_db


def a_run(status: RunStatus = RunStatus.QUEUED) -> Run:
    return Run.objects.create(name="r", status=status, target_spec={}, scenario_specs=[], load={}, seed=1)


@pytest.mark.parametrize("to", RunStatus)
@pytest.mark.parametrize("begin", RunStatus)
def test_a_run_moves_exactly_where_the_table_says(begin: RunStatus, to: RunStatus) -> None:
    run = a_run(begin)
    allowed = to in lifecycle.RUN_MOVES[begin]
    assert lifecycle.move_run(run.pk, to) is allowed
    run.refresh_from_db()
    assert run.status == (to if allowed else begin)
    assert (run.ended_at is not None) == (allowed and to in lifecycle.RUN_TERMINAL)


@pytest.mark.parametrize("to", ShardStatus)
@pytest.mark.parametrize("begin", ShardStatus)
def test_a_shard_moves_exactly_where_the_table_says(begin: ShardStatus, to: ShardStatus) -> None:
    shard = Shard.objects.create(run=a_run(), index=0, status=begin)
    allowed = to in lifecycle.SHARD_MOVES[begin]
    assert lifecycle.move_shard(shard.pk, to) is allowed
    shard.refresh_from_db()
    assert shard.status == (to if allowed else begin)


def test_what_may_have_sent_is_never_queued_again() -> None:
    reach, more = {ShardStatus.RUNNING}, True
    while more:
        onward = {to for status in reach for to in lifecycle.SHARD_MOVES[status]}
        more = not onward <= reach
        reach |= onward
    assert reach == {ShardStatus.RUNNING} | lifecycle.SHARD_TERMINAL


def test_every_status_is_in_the_tables_and_can_end() -> None:
    assert set(lifecycle.RUN_MOVES) == set(RunStatus)
    assert set(lifecycle.SHARD_MOVES) == set(ShardStatus)
    assert RunStatus.FINALIZING in lifecycle.run_sources(RunStatus.COMPLETED)


def test_an_old_epoch_moves_nothing() -> None:
    shard = Shard.objects.create(run=a_run(), index=0, status=ShardStatus.RUNNING, epoch=4)
    assert not lifecycle.move_shard(shard.pk, ShardStatus.DONE, epoch=3)
    assert lifecycle.move_shard(shard.pk, ShardStatus.DONE, epoch=4)


def test_a_shard_that_ends_gives_up_its_lease() -> None:
    shard = Shard.objects.create(run=a_run(), index=0, status=ShardStatus.RUNNING)
    Shard.objects.filter(pk=shard.pk).update(lease_until=DbNow(15), suspect_since=DbNow())
    assert lifecycle.move_shard(shard.pk, ShardStatus.LOST)
    shard.refresh_from_db()
    assert (shard.lease_until, shard.suspect_since) == (None, None)


def test_no_other_module_writes_a_status() -> None:
    """Of a run or shard: slots and deliveries have statuses of their own."""
    update = r"\.update\([^)]*\bstatus=(?!SlotStatus|DeliveryStatus)"
    writes = re.compile(update + r"|\.status = (Run|Shard)Status|[\"']status[\"'][^\n]*update_fields")
    root = Path(settings.BASE_DIR)
    sources = [p for p in (root / "runs").rglob("*.py") if p.name != "lifecycle.py" and "migrations" not in p.parts]
    found = [p.name for p in sources if writes.search(p.read_text(encoding="utf-8"))]
    assert found in ([], ["supervisor.py"])  # the supervisor notes a move that has been made on its own copy of the row

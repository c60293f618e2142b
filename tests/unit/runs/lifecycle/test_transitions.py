"""Where runs and shards may move. The moves stand here a second time, as the design has them: a line that is added to
the code's own table, or taken out of it, fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from runs.db_clock import DbNow
from runs.lifecycle import transitions
from runs.models import Run, RunStatus, Shard, ShardStatus

pytestmark = pytest.mark.django_db

RUN_MOVES = """
waiting     queued stopping finalizing
queued      starting stopping finalizing
starting    running stopping finalizing
running     stopping finalizing
stopping    finalizing
finalizing  completed stopped aborted failed
completed
stopped
aborted
failed
"""
SHARD_MOVES = """
queued   claimed stopped failed
claimed  ready queued stopped failed
ready    running queued stopped failed
running  done stopped aborted failed lost
done
stopped
aborted
failed
lost
"""


def moves(table: str) -> dict[str, set[str]]:
    """Where each status may go."""
    lines = [line.split() for line in table.strip().splitlines()]
    return {begin: set(onward) for begin, *onward in lines}


RUN, SHARD = moves(RUN_MOVES), moves(SHARD_MOVES)


def a_run(status: RunStatus = RunStatus.QUEUED) -> Run:
    return Run.objects.create(name="r", status=status, target_spec={}, scenario_specs=[], load={}, seed=1)


@pytest.mark.parametrize("begin", RunStatus)
def test_a_run_moves_exactly_where_it_may(begin: RunStatus) -> None:
    for to in RunStatus:
        run = a_run(begin)
        allowed = to in RUN[begin]
        assert transitions.move_run(run.pk, to) is allowed, to
        run.refresh_from_db()
        assert run.status == (to if allowed else begin)
        assert (run.ended_at is not None) == (allowed and RUN[to] == set()), to


@pytest.mark.parametrize("begin", ShardStatus)
def test_a_shard_moves_exactly_where_it_may(begin: ShardStatus) -> None:
    for index, to in enumerate(ShardStatus):
        shard = Shard.objects.create(run=a_run(), index=index, status=begin)
        allowed = to in SHARD[begin]
        assert transitions.move_shard(shard.pk, to) is allowed, to
        shard.refresh_from_db()
        assert shard.status == (to if allowed else begin)


def test_the_tables_have_every_status_and_the_sets_follow_from_them() -> None:
    assert set(transitions.RUN_MOVES) == set(RunStatus) == set(RUN)
    assert set(transitions.SHARD_MOVES) == set(ShardStatus) == set(SHARD)
    assert {"completed", "stopped", "aborted", "failed"} == transitions.RUN_TERMINAL
    assert {"waiting", "queued", "starting", "running", "stopping", "finalizing"} == transitions.RUN_ACTIVE
    assert {"waiting", "queued", "starting", "running"} == transitions.RUN_STOPPABLE
    assert {"done", "stopped", "aborted", "failed", "lost"} == transitions.SHARD_TERMINAL
    assert {"claimed", "ready", "running"} == transitions.SHARD_HELD
    assert {"claimed", "ready"} == transitions.SHARD_RESTARTABLE  # what may have sent is never queued again
    assert transitions.run_sources(RunStatus.STOPPING) == {"waiting", "queued", "starting", "running"}
    assert transitions.shard_sources(ShardStatus.QUEUED) == {"claimed", "ready"}


def test_an_old_epoch_moves_nothing() -> None:
    shard = Shard.objects.create(run=a_run(), index=0, status=ShardStatus.RUNNING, epoch=4)
    assert not transitions.move_shard(shard.pk, ShardStatus.DONE, epoch=3)
    assert transitions.move_shard(shard.pk, ShardStatus.DONE, epoch=4)


def test_a_shard_that_ends_gives_up_its_lease() -> None:
    shard = Shard.objects.create(run=a_run(), index=0, status=ShardStatus.RUNNING)
    Shard.objects.filter(pk=shard.pk).update(lease_until=DbNow(15), suspect_since=DbNow())
    assert transitions.move_shard(shard.pk, ShardStatus.LOST)
    shard.refresh_from_db()
    assert (shard.lease_until, shard.suspect_since) == (None, None)


def test_no_other_module_writes_a_status() -> None:
    """Of a run or shard: slots and deliveries have statuses of their own."""
    update = r"\.update\([^)]*\bstatus=(?!SlotStatus|DeliveryStatus)"
    writes = re.compile(update + r"|\.status = (Run|Shard)Status|[\"']status[\"'][^\n]*update_fields")
    root = Path(settings.BASE_DIR)
    sources = [p for p in (root / "runs").rglob("*.py") if p.name != "transitions.py" and "migrations" not in p.parts]
    found = [p.name for p in sources if writes.search(p.read_text(encoding="utf-8"))]
    assert found in (
        [],
        ["common_start.py"],
    )  # notes a move that was made, on its own copy

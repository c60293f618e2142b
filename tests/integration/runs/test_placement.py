"""Shards over the free slots of two workers, as real processes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from runs import registry
from runs.engine.spec import ClosedLoad
from runs.lifecycle import RUN_TERMINAL
from runs.models import Run, RunStatus
from tests.integration.runs.conftest import Counting, Start, check_invariants
from tests.support.runs import shards, until


@pytest.mark.usefixtures("postgres_database", "valkey")
def test_shards_spread_over_workers_and_regions_are_kept(
    counting: Counting, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for region in ("eu", "us"):
        monkeypatch.setenv("TOKENBURN_REGION", region)
        start_worker("load", "-c", "4")
    monkeypatch.delenv("TOKENBURN_REGION")
    until(lambda: len([w for w in registry.workers() if w.slots]) == 2, 40, "two workers")
    by_pid = {worker.pid: worker.region for worker in registry.workers()}
    assert sorted(by_pid.values()) == ["eu", "us"]

    spread = counting.run(4, ClosedLoad(users=8, conversations=16), local=False)
    until(lambda: ended(spread), 40, "the run's end")
    check_invariants(spread, counting)
    assert Counter(by_pid[worker_of(shard.owner)] for shard in shards(spread)) == {"eu": 2, "us": 2}

    there = counting.run(3, ClosedLoad(users=3, conversations=3), local=False, regions=["us"])
    until(lambda: ended(there), 40, "the run's end")
    assert Run.objects.get(pk=there.pk).status == RunStatus.COMPLETED
    assert {by_pid[worker_of(shard.owner)] for shard in shards(there)} == {"us"}


def worker_of(owner: str) -> int:
    """The main process of the pool process that held a shard."""
    stat = Path(f"/proc/{owner.rpartition('/')[2]}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def ended(run: Run) -> bool:
    return Run.objects.values_list("status", flat=True).get(pk=run.pk) in RUN_TERMINAL

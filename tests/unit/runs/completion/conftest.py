"""Runs that died and left ledgers."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from metrics.end_codes import EndCode
from runs.completion.finalize import finalize_run
from runs.completion.ingest import unstored
from runs.completion.reaper import ELSEWHERE_S, reap_lost
from runs.db_clock import DbNow
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.workers.leases import (
    agree_start,
    claim_shard,
    finish_shard,
    host_name,
    mark_ready,
    mark_running,
)
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.runs import a_run, shards


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run in the middle of which everything died: half a ledger, nothing stored."""
    run = a_run()
    shard = claim_shard(shards(run)[0].pk, "worker")
    assert shard is not None
    mark_ready(shard, 1)
    assert agree_start(run.pk)
    assert mark_running(shard)
    path = tmp_path / "ledger.jsonl"
    data = ledger_bytes(LedgerMaker(200, run_id=run.pk, shard_id=shard.pk, users=10))
    path.write_bytes(data[: len(data) // 2])
    Shard.objects.filter(pk=shard.pk).update(lease_until=DbNow(-1), ledger_path=str(path))
    return run


@pytest.fixture
def forsaken(run: Run) -> Run:
    """Ended by others while this host could not be reached."""
    Shard.objects.update(host="far-away", suspect_since=DbNow(-ELSEWHERE_S - 1))
    assert reap_lost().lost == 1
    Shard.objects.update(host=host_name())
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert run.reason.startswith("far-away went silent: its worker died, or its network did; what its ledger still")
    return run


@pytest.fixture
def disk_was_full(tmp_path: Path) -> Run:
    """A run of two shards whose supervisors could not store what their engines did."""
    run = a_run(2)
    taken = [claim_shard(shard.pk, "worker") for shard in shards(run)]
    for shard in taken:
        assert shard is not None and mark_ready(shard, 1)
    assert agree_start(run.pk)
    for shard in taken:
        assert shard is not None and mark_running(shard)
        path = tmp_path / f"ledger-{shard.index}.jsonl"
        path.write_bytes(ledger_bytes(LedgerMaker(60, run_id=run.pk, shard_id=shard.pk, users=5)))
        Shard.objects.filter(pk=shard.pk).update(ledger_path=str(path))
        finish_shard(
            shard,
            ShardStatus.LOST,
            EndCode.LEDGER_UNSTORED,
            unstored(run.pk, OSError(errno.ENOSPC, "No space left")),
            complete=False,
        )
    assert finalize_run(run.pk)
    run.refresh_from_db()
    return run

"""`manage.py ingest` of runs that cannot be, need not be or were already completed."""

from __future__ import annotations

from pathlib import Path

import pytest

from metrics.models import SessionMetric
from runs.db_clock import DbNow
from runs.lifecycle.transitions import move_run
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.workers.leases import (
    claim_shard,
)
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.runs import a_run, shards
from tests.unit.runs.completion.ingesting import check_whole, ingest

pytestmark = pytest.mark.django_db


def refused(capsys: pytest.CaptureFixture[str], what: object) -> str:
    """The one line with which it is refused, as by `load` and `stop`."""
    with pytest.raises(SystemExit) as caught:
        ingest(what)
    out, line = capsys.readouterr()
    assert (caught.value.code, out, line.count("\n"), line[:8]) == (2, "", 1, "ingest: ")
    return line


def test_a_run_that_is_supervised_is_left_alone(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Shard.objects.update(lease_until=DbNow(10))
    assert "held by worker" in refused(capsys, run.pk)
    assert not SessionMetric.objects.exists()


def test_a_shard_that_never_started_only_fails() -> None:
    run = a_run()
    claim_shard(shards(run)[0].pk, "worker")
    Shard.objects.update(lease_until=DbNow(-1))
    assert "never sent anything" in ingest(run.pk)
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED


def test_a_report_that_could_not_be_built_is_built_again(run: Run) -> None:
    ingest(run.pk)
    Run.objects.update(report=None)
    ingest(run.pk)
    check_whole(run)
    assert not move_run(run.pk, RunStatus.FINALIZING)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("nonsense", "neither a ledger file nor a run"),
        ("99999", "there is no run 99999 in this database"),
        ("9" * 30, "there is no run 999"),
        ("{run}/7", "has no shard 7"),
        (__file__, "is not a ledger: its first line is not a head"),
    ],
)
def test_what_cannot_be_found_is_said(run: Run, what: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(capsys, what.format(run=run.pk))


def test_a_ledger_of_another_database_is_refused(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    other.write_bytes(ledger_bytes(LedgerMaker(5, run_id=4711, shard_id=4711)))
    assert "no such shard" in refused(capsys, other)


def test_a_run_whose_engine_was_done_is_completed_by_hand_too(run: Run) -> None:
    (shard,) = shards(run)
    Path(shard.ledger_path).write_bytes(ledger_bytes(LedgerMaker(200, run_id=run.pk, shard_id=shard.pk, users=10)))
    assert "it ends with 'done'" in ingest(run.pk)
    run.refresh_from_db()
    (shard,) = shards(run)
    assert (run.status, run.reason, shard.status) == (RunStatus.COMPLETED, "", ShardStatus.DONE)


def test_a_ledger_that_is_gone_is_not_called_stored_by_hand(run: Run) -> None:
    (shard,) = shards(run)
    Path(shard.ledger_path).unlink()
    Shard.objects.update(ledger_offset=10)
    assert "its ledger was taken away" in ingest(run.pk)
    run.refresh_from_db()
    (shard,) = shards(run)
    assert (run.status, shard.status, shard.ledger_complete) == (RunStatus.FAILED, ShardStatus.LOST, False)
    assert "its ledger was taken away" in run.reason

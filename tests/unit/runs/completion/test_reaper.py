from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import pytest

from metrics.models import SessionMetric
from metrics.storage import store
from runs.completion.reaper import ELSEWHERE_S, Reaped, reap_lost
from runs.db_clock import DbNow
from runs.lifecycle.transitions import move_run
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.services import stop_run
from runs.workers import dispatch, leases
from runs.workers.leases import agree_start, claim_shard, mark_ready, mark_running
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.runs import a_run, shards

pytestmark = pytest.mark.usefixtures("any_database")


@pytest.fixture(autouse=True)
def nudged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The shards for which a message was sent."""
    sent: list[int] = []

    def send(shard_id: int, queue: str) -> bool:
        sent.append(shard_id)
        return True

    monkeypatch.setattr(dispatch, "_send", send)
    return sent


def forsaken(run: Run, to: ShardStatus, path: Path | None = None) -> Shard:
    """The run's first shard, brought to `to` by a supervisor that then died long ago."""
    shard = claim_shard(shards(run)[0].pk, "worker")
    assert shard is not None
    if to != ShardStatus.CLAIMED:
        mark_ready(shard, 1)
    if to == ShardStatus.RUNNING:
        assert agree_start(run.pk)
        assert mark_running(shard)
    long_ago = DbNow(-leases.SUSPECT_S - 1)
    Shard.objects.filter(pk=shard.pk).update(
        lease_until=long_ago, suspect_since=long_ago, ledger_path=str(path or "/nowhere/ledger")
    )
    return shard


def ledger(path: Path, shard: Shard, share: float = 0.5) -> Path:
    data = ledger_bytes(LedgerMaker(200, run_id=shard.run_id, shard_id=shard.pk, users=10))
    path.write_bytes(data[: int(len(data) * share)])
    return path


def end_of(run: Run) -> tuple[str, str]:
    run.refresh_from_db()
    return run.status, run.reason


def test_a_pass_over_nothing_does_nothing() -> None:
    assert reap_lost() == Reaped()


def test_a_lost_nudge_is_sent_again(nudged: list[int]) -> None:
    run = a_run(2, local=False)
    nudged.clear()
    assert reap_lost().nudged == 0
    Shard.objects.update(dispatched_at=DbNow(-dispatch.AGAIN_AFTER_S - 1))
    assert reap_lost().nudged == 2
    assert nudged == [shard.pk for shard in shards(run)]


@pytest.mark.parametrize("status", [ShardStatus.CLAIMED, ShardStatus.READY])
def test_a_shard_that_sent_nothing_goes_to_another_worker(status: ShardStatus, nudged: list[int]) -> None:
    shard = forsaken(a_run(2, local=False), status)
    nudged.clear()
    assert reap_lost().requeued == 1
    assert shard.pk in nudged
    again = claim_shard(shard.pk, "another")
    assert again is not None
    assert again.epoch > shard.epoch
    assert again.ledger_path != shard.ledger_path


def test_a_dead_supervisor_before_the_start_of_a_stopping_run_ends_the_run() -> None:
    run = a_run()
    forsaken(run, ShardStatus.CLAIMED)
    stop_run(run, "by ann")
    assert reap_lost().finalized == 1
    assert end_of(run) == (RunStatus.STOPPED, "by ann")


def test_a_shard_that_may_have_sent_is_stored_and_lost_never_queued(tmp_path: Path) -> None:
    run = a_run()
    shard = forsaken(run, ShardStatus.RUNNING)
    path = ledger(tmp_path / "ledger", shard)
    Shard.objects.update(ledger_path=path)
    assert reap_lost() == Reaped(lost=1, finalized=1)
    shard.refresh_from_db()
    assert (shard.status, shard.ledger_complete) == (ShardStatus.LOST, True)
    assert shard.ledger_offset == path.stat().st_size
    status, reason = end_of(run)
    assert status == RunStatus.FAILED
    assert "paused, or could not reach the database; its engine died too" in reason
    assert run.report is not None
    assert run.report["turns"]["ok"] == SessionMetric.objects.filter(outcome="ok").count() > 0
    assert run.report["run"]["status"] == RunStatus.FAILED
    assert reap_lost() == Reaped()


def test_an_engine_that_lives_is_waited_for(tmp_path: Path) -> None:
    run = a_run()
    shard = forsaken(run, ShardStatus.RUNNING)
    path = ledger(tmp_path / "ledger", shard)
    Shard.objects.update(ledger_path=path)
    with path.open("ab") as engine:
        fcntl.flock(engine, fcntl.LOCK_EX)
        assert reap_lost().lost == 0
        assert end_of(run)[0] == RunStatus.RUNNING
    assert reap_lost().lost == 1, "the next pass tries again, and does not wait for the first reaper's lease"
    assert "its supervisor worker was silent for" in end_of(run)[1]


def test_a_lease_that_ran_out_just_now_is_suspected_first() -> None:
    run = a_run()
    shard = forsaken(run, ShardStatus.RUNNING)
    Shard.objects.update(suspect_since=None)
    assert reap_lost() == Reaped()
    shard.refresh_from_db()
    assert shard.suspect_since is not None
    assert shard.status == ShardStatus.RUNNING


def test_a_ledger_on_another_host_is_left_for_that_host_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run()
    forsaken(run, ShardStatus.RUNNING)
    Shard.objects.update(host="elsewhere")
    assert reap_lost() == Reaped()
    Shard.objects.update(suspect_since=DbNow(-ELSEWHERE_S - 1))
    assert reap_lost() == Reaped(lost=1, finalized=1)
    status, reason = end_of(run)
    assert status == RunStatus.FAILED
    assert f"`manage.py ingest {run.pk}` on that host" in reason
    assert not shards(run)[0].ledger_complete


def test_a_ledger_that_was_there_and_is_gone_is_not_called_complete() -> None:
    run = a_run()
    forsaken(run, ShardStatus.RUNNING)
    Shard.objects.update(ledger_offset=10)
    assert reap_lost() == Reaped(lost=1, finalized=1)
    assert not shards(run)[0].ledger_complete
    assert "its ledger was taken away while it was written: /nowhere/ledger no longer exists" in end_of(run)[1]


def test_a_run_whose_engine_was_done_is_completed_though_its_supervisor_is_gone(tmp_path: Path) -> None:
    run = a_run()
    shard = forsaken(run, ShardStatus.RUNNING)
    Shard.objects.update(ledger_path=ledger(tmp_path / "ledger", shard, share=1.0))
    assert reap_lost() == Reaped(lost=1, finalized=1)
    assert end_of(run) == (RunStatus.COMPLETED, "")
    (ended,) = shards(run)
    assert (ended.status, ended.ledger_complete) == (ShardStatus.DONE, True)


def test_a_ledger_that_is_shorter_than_what_is_stored_of_it_is_not_called_complete(tmp_path: Path) -> None:
    run = a_run()
    shard = forsaken(run, ShardStatus.RUNNING)
    path = ledger(tmp_path / "ledger", shard)
    Shard.objects.update(ledger_path=path, ledger_offset=path.stat().st_size + 1)
    assert reap_lost() == Reaped(lost=1, finalized=1)
    assert "(it is shorter than what is stored of it)" in end_of(run)[1]
    assert not shards(run)[0].ledger_complete


def test_a_ledger_that_cannot_be_completed_does_not_keep_the_run_open(tmp_path: Path) -> None:
    run = a_run()
    forsaken(run, ShardStatus.RUNNING, tmp_path)  # a directory: no file that could be opened
    assert reap_lost() == Reaped(lost=1, finalized=1)
    status, reason = end_of(run)
    assert status == RunStatus.FAILED
    assert f"fix that, then run `manage.py ingest {run.pk}`" in reason


def test_a_run_without_enough_workers_fails_and_says_how_many(nudged: list[int], valkey: str) -> None:
    run = a_run(2, local=False)
    Run.objects.update(ready_by=DbNow(-1))
    assert reap_lost() == Reaped(unstarted=1, finalized=1)
    reason = "0 of 2 shards found a worker within 60 s; no load worker is running: start one"
    assert end_of(run) == (RunStatus.FAILED, reason)


@pytest.mark.parametrize("status", [RunStatus.STOPPING, RunStatus.FINALIZING])
def test_a_run_that_was_left_half_finished_goes_on(status: RunStatus) -> None:
    run = a_run()
    assert move_run(run.pk, status)
    Shard.objects.update(status=ShardStatus.DONE)
    assert reap_lost().finalized == 1
    assert end_of(run) == (RunStatus.FAILED, "no turn was sent: the load ended before its first message")


def test_a_report_that_cannot_be_built_does_not_keep_the_run_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> None:
        raise ZeroDivisionError("by zero")

    run = a_run()
    Shard.objects.update(status=ShardStatus.DONE)
    monkeypatch.setattr("runs.completion.finalize.collect", broken)
    assert reap_lost().finalized == 1
    assert end_of(run) == (RunStatus.FAILED, "its report could not be built: ZeroDivisionError: by zero")


def test_a_ledger_that_cannot_be_stored_ends_its_run_and_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, healthy = a_run(), a_run()
    for number, run in enumerate((poisoned, healthy)):
        shard = forsaken(run, ShardStatus.RUNNING)
        Shard.objects.filter(pk=shard.pk).update(ledger_path=ledger(tmp_path / f"{number}", shard))

    def write(batch: Any) -> None:
        if batch.run_id == poisoned.pk:
            raise ValueError("a row that no database takes")
        stored(batch)

    stored = store.write
    monkeypatch.setattr(store, "write", write)
    assert reap_lost() == Reaped(lost=2, finalized=2)
    reason = end_of(poisoned)[1]
    assert "could not be stored (ValueError: a row that no database takes)" in reason
    assert "everything" not in end_of(healthy)[1]
    assert SessionMetric.objects.filter(run=healthy).exists()

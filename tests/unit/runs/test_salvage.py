from __future__ import annotations

import errno
import fcntl
import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from metrics.columns import OUTCOMES
from metrics.models import SessionMetric
from runs.attendant import Attendant
from runs.dbclock import DbNow
from runs.finalize import finalize_run
from runs.ingest import ledger_gone, unstored
from runs.leases import (
    REASON_LIMIT,
    SUSPECT_S,
    agree_start,
    claim_shard,
    finish_shard,
    host_name,
    mark_ready,
    mark_running,
)
from runs.lifecycle import move_run
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.reaper import ELSEWHERE_S, reap_lost
from runs.salvage import STORED, Leftovers, stored_reason
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.runs import a_run, shards

pytestmark = pytest.mark.django_db


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


def ingest(what: object) -> str:
    out = StringIO()
    call_command("ingest", str(what), stdout=out)
    return out.getvalue()


def check_whole(run: Run) -> None:
    run.refresh_from_db()
    (shard,) = shards(run)
    assert (run.status, shard.status, shard.ledger_complete) == (RunStatus.FAILED, ShardStatus.LOST, True)
    assert run.report is not None
    assert run.report["turns"]["ok"] == SessionMetric.objects.filter(outcome="ok").count() > 0


def test_by_run_by_shard_or_by_file_a_dead_run_is_stored_and_ended(run: Run) -> None:
    said = ingest(run.pk)
    assert "it ends with 'engine_died'" in said
    check_whole(run)
    turns = SessionMetric.objects.count()
    for what in (run.pk, f"{run.pk}/0", shards(run)[0].ledger_path):
        assert "complete already" in ingest(what)
    assert SessionMetric.objects.count() == turns


def test_a_lost_shard_whose_ledger_was_elsewhere_is_completed_from_a_copy(run: Run, tmp_path: Path) -> None:
    (shard,) = shards(run)
    copy = tmp_path / "copied.jsonl"
    shutil.move(shard.ledger_path, copy)
    finish_shard(shard, ShardStatus.LOST, "gone", complete=False)
    reap_lost()
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert run.report is not None
    assert run.report["turns"]["ok"] == 0
    ingest(copy)
    check_whole(run)


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


def test_a_host_that_is_back_stores_what_others_took_for_lost_and_the_report_says_so(forsaken: Run) -> None:
    assert forsaken.report is not None
    assert [(shard["host"], shard["stored"]) for shard in forsaken.report["shards"]] == [("far-away", False)]
    leftovers = Leftovers()
    assert leftovers.store() == 1
    check_whole(forsaken)
    assert forsaken.reason == (
        "far-away went silent: its worker died, or its network did; its ledger was stored afterwards"
    )
    assert forsaken.report["run"]["reason"] == forsaken.reason
    (shard,) = forsaken.report["shards"]
    assert (shard["stored"], shard["turns"]) == (True, sum(forsaken.report["turns"][word] for word in OUTCOMES))
    assert leftovers.store() == 0


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
        finish_shard(shard, ShardStatus.LOST, unstored(run.pk, OSError(errno.ENOSPC, "No space left")), complete=False)
    assert finalize_run(run.pk)
    run.refresh_from_db()
    return run


def test_what_was_to_be_done_stands_in_the_reason_until_it_is_done_and_no_longer(disk_was_full: Run) -> None:
    run, first = disk_was_full, shards(disk_was_full)[0]
    why = "its ledger could not be stored (No space left)"
    order = f"{why}: mend that, then run `manage.py ingest {run.pk}`"
    assert run.reason == f"shard 1 of 2 lost: {order} (and 1 more like it)"
    ingest(first.ledger_path)
    run.refresh_from_db()
    assert run.reason == f"shard 2 of 2 lost: {order} (and 1 more like it)"
    ingest(run.pk)
    run.refresh_from_db()
    assert run.reason == f"shard 1 of 2 lost: {why}; its ledger was stored afterwards (and 1 more like it)"
    assert [shard.reason for shard in shards(run)] == [f"{why}; its ledger was stored afterwards"] * 2
    assert run.report is not None and run.report["run"]["reason"] == run.reason
    ingest(run.pk)
    run.refresh_from_db()
    assert run.report is not None and run.report["run"]["reason"] == run.reason


def test_a_reason_that_says_something_else_stays(disk_was_full: Run) -> None:
    Run.objects.update(reason="stopped by ann")
    ingest(disk_was_full.pk)
    disk_was_full.refresh_from_db()
    assert disk_was_full.reason == "stopped by ann"


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        ("its ledger could not be stored (full): mend that, then run `manage.py ingest 12`", "its ledger could not be "
         "stored (full)"),
        ("its supervisor a/1 died; the rest of its ledger is no longer at /a b/c.jsonl", "its supervisor a/1 died"),
        (ledger_gone(Shard(ledger_path="/a b/c.jsonl")), "its ledger had been moved"),
        (f"its supervisor a/1 died; {ledger_gone(Shard(ledger_path='/a b/c.jsonl'))}", "its supervisor a/1 died"),
        ("the rest of its ledger is no longer at /a b/c.jsonl: what came after is lost", "its ledger had been moved"),
        ("b went silent; what its ledger still holds is stored when it is back", "b went silent"),
        ("its engine was killed by signal 9 in the middle", "its engine was killed by signal 9 in the middle"),
        ("it died; its ledger was stored afterwards", "it died"),
        ("x" * 1000, "x" * (REASON_LIMIT - len(STORED))),
    ],
)  # fmt: skip
def test_of_a_shards_reason_only_what_was_still_to_be_done_goes(reason: str, left: str) -> None:
    assert stored_reason(reason) == f"{left}; its ledger was stored afterwards"
    assert stored_reason(stored_reason(reason)) == stored_reason(reason)


def test_a_ledger_whose_engine_still_lives_is_tried_again_later(forsaken: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    leftovers, (shard,) = Leftovers(), shards(forsaken)
    with Path(shard.ledger_path).open("ab") as engine:
        fcntl.flock(engine, fcntl.LOCK_EX)
        assert leftovers.store() == 0
    assert leftovers.store() == 0, "it waits a while before it tries again"
    assert Leftovers().store() == 1


def test_what_lies_on_no_disk_here_or_on_another_host_is_left_alone(forsaken: Run) -> None:
    (shard,) = shards(forsaken)
    Shard.objects.update(host="elsewhere")
    assert Leftovers().store() == 0
    Shard.objects.update(host=host_name(), ledger_path=f"{shard.ledger_path}.gone")
    assert Leftovers().store() == 0
    assert not shards(forsaken)[0].ledger_complete


def test_a_round_of_a_load_host_stores_its_dead_supervisors_shards_and_reads_the_clock(run: Run) -> None:
    attendant = Attendant()
    attendant.round()
    assert shards(run)[0].status == ShardStatus.RUNNING, "its lease ran out just now: it is suspected first"
    Shard.objects.update(suspect_since=DbNow(-SUSPECT_S - 1))
    attendant.round()
    check_whole(run)
    assert "paused, or could not reach the database; its engine died too" in run.reason
    assert attendant.clock_offset_ms is not None
    assert abs(attendant.clock_offset_ms) < 1000


def test_a_run_that_is_supervised_is_left_alone(run: Run) -> None:
    Shard.objects.update(lease_until=DbNow(10))
    with pytest.raises(CommandError, match="held by worker"):
        ingest(run.pk)
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
        ("99999", "no run 99999"),
        ("{run}/7", "has no shard 7"),
        (__file__, "does not begin like a ledger"),
    ],
)
def test_what_cannot_be_found_is_said(run: Run, what: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        ingest(what.format(run=run.pk))


def test_a_ledger_of_another_database_is_refused(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(ledger_bytes(LedgerMaker(5, run_id=4711, shard_id=4711)))
    with pytest.raises(CommandError, match="no such shard"):
        ingest(other)


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

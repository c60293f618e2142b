from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from metrics.columns import OUTCOMES
from metrics.end_codes import EndCode
from metrics.models import SessionMetric
from runs.completion import ledger_recovery
from runs.completion.host_recovery import HostRecovery
from runs.completion.ingest import ledger_gone
from runs.completion.ledger_recovery import STORED, PendingLedgers, stored_reason
from runs.completion.reaper import reap_lost
from runs.db_clock import DbNow
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.workers.leases import (
    REASON_LIMIT,
    SUSPECT_S,
    finish_shard,
    host_name,
)
from tests.support.runs import shards
from tests.unit.runs.completion.ingesting import check_whole, ingest

pytestmark = pytest.mark.django_db


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
    finish_shard(shard, ShardStatus.LOST, EndCode.ENGINE_DIED, "gone", complete=False)
    reap_lost()
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert run.report is not None
    assert run.report["turns"]["ok"] == 0
    ingest(copy)
    check_whole(run)


def test_a_host_that_is_back_stores_what_others_took_for_lost_and_the_report_says_so(forsaken: Run) -> None:
    assert forsaken.report is not None
    assert [(shard["host"], shard["stored"]) for shard in forsaken.report["shards"]] == [("far-away", False)]
    pending = PendingLedgers()
    assert pending.store() == 1
    check_whole(forsaken)
    assert forsaken.reason == (
        "far-away went silent: its worker died, or its network did; its ledger was stored afterwards"
    )
    assert forsaken.report["run"]["reason"] == forsaken.reason
    (shard,) = forsaken.report["shards"]
    assert (shard["stored"], shard["turns"]) == (True, sum(forsaken.report["turns"][word] for word in OUTCOMES))
    assert pending.store() == 0


def test_what_was_to_be_done_stands_in_the_reason_until_it_is_done_and_no_longer(disk_was_full: Run) -> None:
    run, first = disk_was_full, shards(disk_was_full)[0]
    why = "its ledger could not be stored (No space left)"
    order = f"{why}: fix that, then run `manage.py ingest {run.pk}`"
    assert run.reason == f"shard 1 of 2 lost: {order} (and 1 more like it)"
    ingest(first.ledger_path)
    run.refresh_from_db()
    assert run.reason == f"shard 2 of 2 lost: {order} (and 1 more like it)"
    assert run.end_code == EndCode.LEDGER_UNSTORED
    ingest(run.pk)
    run.refresh_from_db()
    assert run.reason == f"shard 1 of 2 lost: {why}; its ledger was stored afterwards (and 1 more like it)"
    assert [shard.reason for shard in shards(run)] == [f"{why}; its ledger was stored afterwards"] * 2
    assert {run.end_code, *(shard.end_code for shard in shards(run))} == {EndCode.LEDGER_STORED_LATE}
    assert run.report is not None and run.report["run"]["end_code"] == EndCode.LEDGER_STORED_LATE
    assert run.report is not None and run.report["run"]["reason"] == run.reason
    ingest(run.pk)
    run.refresh_from_db()
    assert run.report is not None and run.report["run"]["reason"] == run.reason


def test_a_reason_that_says_something_else_stays(disk_was_full: Run) -> None:
    Run.objects.update(reason="stopped by ann")
    ingest(disk_was_full.pk)
    disk_was_full.refresh_from_db()
    assert (disk_was_full.reason, disk_was_full.end_code) == ("stopped by ann", EndCode.LEDGER_STORED_LATE)


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        ("its ledger could not be stored (full): fix that, then run `manage.py ingest 12`", "its ledger could not be "
         "stored (full)"),
        ("its supervisor a/1 died; the rest of its ledger is no longer at /a b/c.jsonl", "its supervisor a/1 died"),
        (ledger_gone(Shard(ledger_path="/a b/c.jsonl")), "its ledger had been moved"),
        (f"its supervisor a/1 died; {ledger_gone(Shard(ledger_path='/a b/c.jsonl'))}", "its supervisor a/1 died"),
        ("the rest of its ledger is no longer at /a b/c.jsonl: what came after is lost", "its ledger had been moved"),
        ("b went silent; what its ledger still holds is stored when it is back", "b went silent"),
        ("its engine was killed by signal 9 during the run", "its engine was killed by signal 9 during the run"),
        ("it died; its ledger was stored afterwards", "it died"),
        ("x" * 1000, "x" * (REASON_LIMIT - len(STORED))),
    ],
)  # fmt: skip
def test_of_a_shards_reason_only_what_was_still_to_be_done_goes(reason: str, left: str) -> None:
    assert stored_reason(reason) == f"{left}; its ledger was stored afterwards"
    assert stored_reason(stored_reason(reason)) == stored_reason(reason)


def test_a_ledger_whose_engine_still_lives_is_tried_again_later(forsaken: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pending, (shard,) = PendingLedgers(), shards(forsaken)
    with Path(shard.ledger_path).open("ab") as engine:
        fcntl.flock(engine, fcntl.LOCK_EX)
        assert pending.store() == 0
    assert pending.store() == 0, "it waits a while before it tries again"
    assert PendingLedgers().store() == 1


def test_a_ledger_that_cannot_be_stored_is_tried_less_and_less_often(
    forsaken: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_shard: Shard) -> None:
        raise ValueError("unreadable")

    monkeypatch.setattr(ledger_recovery, "recover_shard_ledger", fails)
    pending, tried_s = PendingLedgers(), list[int]()
    for second in range(40):
        before, now_s = len(caplog.messages), 1000.0 + second
        monkeypatch.setattr(ledger_recovery, "time", SimpleNamespace(monotonic=lambda now_s=now_s: now_s))
        pending.store()
        tried_s += [second] * (len(caplog.messages) - before)
    assert tried_s == [0, 5, 15, 35]


def test_what_lies_on_no_disk_here_or_on_another_host_is_left_alone(forsaken: Run) -> None:
    (shard,) = shards(forsaken)
    Shard.objects.update(host="elsewhere")
    assert PendingLedgers().store() == 0
    Shard.objects.update(host=host_name(), ledger_path=f"{shard.ledger_path}.gone")
    assert PendingLedgers().store() == 0
    assert not shards(forsaken)[0].ledger_complete


def test_a_round_of_a_load_host_stores_its_dead_supervisors_shards_and_reads_the_clock(run: Run) -> None:
    recovery = HostRecovery()
    recovery.round()
    assert shards(run)[0].status == ShardStatus.RUNNING, "its lease ran out just now: it is suspected first"
    Shard.objects.update(suspect_since=DbNow(-SUSPECT_S - 1))
    recovery.round()
    check_whole(run)
    assert "paused, or could not reach the database; its engine died too" in run.reason
    assert recovery.clock_offset_ms is not None
    assert abs(recovery.clock_offset_ms) < 1000

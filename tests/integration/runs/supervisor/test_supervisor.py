"""The supervisor against engines that misbehave: each costs the run one clear reason, and no process is left."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from runs.completion.reaper import reap_lost
from runs.db_clock import DbNow
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.services import stop_run
from runs.supervisor import common_start, supervisor
from runs.supervisor.engine_process import EngineProcess
from runs.supervisor.supervisor import supervise
from runs.workers.leases import agree_start
from tests.support.runs import SECRET, a_run, children_of, in_background, shards, until

FAKE = Path(__file__).resolve().parents[3] / "support" / "fake_engine.py"
pytestmark = pytest.mark.django_db(transaction=True)


def fake(mode: str) -> tuple[str, ...]:
    return (sys.executable, str(FAKE), mode)


@pytest.fixture(autouse=True)
def no_engine_left() -> Iterator[None]:
    yield
    assert [command for command in children_of(os.getpid()).values() if "engine" in command] == []


def status_of(run: Run) -> str:
    return Run.objects.values_list("status", flat=True).get(pk=run.pk)


def ended(run: Run) -> tuple[str, str]:
    run.refresh_from_db()
    return run.status, run.reason


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("fatal", "order_invalid: what is this: give another"),
        ("crash", "its engine exited with code 1 before it was ready: no luck with ***"),
        ("full", "ledger_failed: no space: free space on its disk"),
    ],
)
def test_an_engine_that_cannot_do_its_work_fails_the_run_in_its_own_words(mode: str, reason: str) -> None:
    run = a_run()
    assert supervise(shards(run)[0].pk, command=fake(mode))
    assert ended(run) == (RunStatus.FAILED, reason)
    assert SECRET not in repr(list(Shard.objects.values()))
    assert run.report is not None


def test_an_engine_that_cannot_start_ends_the_wait_of_the_others() -> None:
    run = a_run(2)
    first, second = shards(run)
    thread = in_background(lambda: supervise(first.pk, command=fake("slow")))
    until(lambda: Shard.objects.get(pk=first.pk).status == ShardStatus.READY)
    supervise(second.pk, command=fake("fatal"))
    thread.join()
    assert ended(run)[0] == RunStatus.FAILED
    assert [shard.status for shard in shards(run)] == [ShardStatus.STOPPED, ShardStatus.FAILED]


def test_engines_that_are_never_ready_are_given_up_in_time() -> None:
    run = a_run()
    thread = in_background(lambda: supervise(shards(run)[0].pk, command=fake("mute")))
    until(lambda: status_of(run) == RunStatus.STARTING)
    Run.objects.filter(pk=run.pk).update(ready_by=DbNow(-1))
    thread.join()
    assert ended(run) == (RunStatus.FAILED, "0 of 1 engines were ready within 30 s: see the log of the load workers")


def test_a_run_with_an_unclaimed_shard_fails_in_time() -> None:
    run = a_run(2)
    thread = in_background(lambda: supervise(shards(run)[0].pk, command=fake("slow")))
    until(lambda: shards(run)[0].status == ShardStatus.READY)
    Run.objects.filter(pk=run.pk).update(ready_by=DbNow(-1))
    thread.join()
    reason = "1 of 2 engines were started within 30 s: use fewer processes"
    assert ended(run) == (RunStatus.FAILED, reason)


def test_a_stop_while_it_waits_for_the_start_ends_it_without_a_request() -> None:
    run = a_run(2)
    thread = in_background(lambda: supervise(shards(run)[0].pk, command=fake("slow")))
    until(lambda: shards(run)[0].status == ShardStatus.READY)
    stop_run(run, "by ann")
    thread.join()
    assert ended(run) == (RunStatus.STOPPED, "by ann")
    assert not Path(shards(run)[0].ledger_path).exists()


def test_an_engine_that_is_deaf_is_killed_and_counted_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STOP_LIMIT_S", 1.0)
    run = a_run()
    thread = in_background(lambda: supervise(shards(run)[0].pk, command=fake("deaf")))
    until(run.sessions.exists)
    stop_run(run, "by ann")
    thread.join()
    status, reason = ended(run)
    assert status == RunStatus.FAILED
    assert "was killed by signal 9" in reason
    assert run.sessions.get().outcome == "lost"


@pytest.mark.parametrize("ahead_s", [60.0, 600.0, 90 * 86_400.0])
def test_a_start_that_lies_ahead_since_the_clock_was_put_back_is_agreed_anew(
    ahead_s: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of two shards, which must begin at one moment."""
    starts: list[tuple[int, int]] = []

    def go(self: EngineProcess, start_mono_ns: int, error_ns: int) -> None:
        starts.append((start_mono_ns, time.monotonic_ns()))

    def put_back(run_id: int) -> bool:
        agreed = agree_start(run_id)
        if agreed:
            Run.objects.filter(pk=run_id).update(start_at=DbNow(ahead_s))
        return agreed

    monkeypatch.setattr(EngineProcess, "go", go)
    monkeypatch.setattr(common_start, "agree_start", put_back)
    run = a_run(2)
    threads = [in_background(partial(supervise, shard.pk, command=fake("slow"))) for shard in shards(run)]
    until(lambda: len(starts) == 2, 40, "both engines' start")
    stop_run(run)
    for thread in threads:
        thread.join()
    (first, told), (second, _) = starts
    assert first - told <= 2_000_000_000 and abs(first - second) < 500_000_000
    assert caplog.text.count("clock_put_back") == 1


def test_a_supervisor_without_its_lease_stops_the_engine_and_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "RENEW_S", 0.1)
    run = a_run()
    thread = in_background(lambda: supervise(shards(run)[0].pk, command=fake("slow")))
    until(lambda: shards(run)[0].status == ShardStatus.READY or status_of(run) == RunStatus.RUNNING)
    Shard.objects.update(epoch=99, owner="somebody else")
    thread.join()
    (shard,) = shards(run)
    assert (shard.epoch, shard.owner) == (99, "somebody else")
    assert shard.ended_at is None


def test_a_worker_that_shuts_down_stops_its_run() -> None:
    run, down = a_run(2), threading.Event()
    thread = in_background(lambda: supervise(shards(run)[0].pk, command=fake("slow"), should_stop=down.is_set))
    until(lambda: shards(run)[0].status == ShardStatus.READY)
    down.set()
    thread.join()
    assert ended(run) == (RunStatus.STOPPED, "its worker was shut down")


def test_a_shard_that_another_has_is_not_supervised() -> None:
    run = a_run()
    Shard.objects.filter(run=run).update(status=ShardStatus.RUNNING)
    assert not supervise(shards(run)[0].pk, command=fake("fatal"))


def test_the_reaper_leaves_a_supervised_shard_alone() -> None:
    run = a_run(2)
    thread = in_background(lambda: supervise(shards(run)[0].pk, command=fake("slow")))
    until(lambda: shards(run)[0].status == ShardStatus.READY)
    assert reap_lost().lost == 0
    stop_run(run)
    thread.join()

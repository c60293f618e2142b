"""The farm for real: Celery workers, beat and Valkey as processes, each killed in the middle of a run."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import redis

from runs import live_stream, redis_client
from runs.completion.reaper import reap_lost
from runs.db_clock import DbNow
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.load.profile import ClosedLoad
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.workers import dispatch
from tests.integration.runs.conftest import USERS, Counting, Start, age_leases, check_invariants, tree, verdict_codes
from tests.support.runs import alive, shards, until
from tests.support.services import reserve_port, valkey_server
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = pytest.mark.timeout(400)  # what is waited for here, one after the other, may take as long
C_S = 60.0
"""Invariant C: a run is terminal at most this long after its last shard was lost."""


@pytest.fixture
def answer_s() -> float:
    return 0.25


def start_control(start_worker: Start, tmp_path: Path) -> None:
    start_worker("control", "-c", "1", "-B", "-s", str(tmp_path / "beat"))


def in_full_swing(run: Run, counting: Counting) -> bool:
    return counting.count() > 3 * USERS and run.turns.count() > USERS


def ended(run: Run) -> bool:
    return Run.objects.values_list("status", flat=True).get(pk=run.pk) in RUN_TERMINAL


def ended_by_us(run: Run) -> bool:
    """Doing what a control worker does every few seconds."""
    reap_lost()
    return ended(run)


def no_engine_lives(run: Run) -> bool:
    return not any(shard.engine_pid and alive(shard.engine_pid) for shard in shards(run))


@pytest.mark.usefixtures("postgres_database", "valkey")
@pytest.mark.parametrize("with_engines", [True, False], ids=["whole_tree", "workers_only"])
def test_workers_killed_in_mid_run_leave_a_true_account(
    with_engines: bool, counting: Counting, start_worker: Start, tmp_path: Path
) -> None:
    worker = start_worker("load", "-c", "2")
    if with_engines:
        start_control(start_worker, tmp_path)
    run = counting.run(2, local=False)
    until(lambda: in_full_swing(run, counting), 90, "the run's full swing")
    killed_ns = time.monotonic_ns()
    engines = {shard.engine_pid for shard in shards(run)}
    doomed = tree(worker.pid)
    assert engines <= set(doomed)
    for pid in doomed:
        if with_engines or pid not in engines:
            os.kill(pid, signal.SIGKILL)
    if with_engines:
        until(lambda: ended(run), C_S, "the run's end")
    else:
        until(lambda: no_engine_lives(run), C_S, "the end of engines that nobody speaks to")
        age_leases()
        until(lambda: ended_by_us(run), C_S, "the run's end")
    assert (counting.received()[-1][0] - killed_ns) / 1e9 < 10
    outcomes = check_invariants(run, counting)
    assert run.status == RunStatus.FAILED
    assert "its supervisor" in run.reason
    assert {shard.status for shard in shards(run)} == {ShardStatus.LOST}
    assert (outcomes["unknown"] > 0) is with_engines
    assert no_engine_lives(run)

    # The message of the dead worker may come again: nothing is sent twice.
    received = counting.count()
    start_worker("load", "-c", "1")
    second = counting.run(1, ClosedLoad(users=1, conversations=1), local=False)
    until(lambda: ended(second), 90, "the next run's end")
    assert counting.count() == received + 5
    assert {shard.epoch for shard in shards(run)} == {2}


@pytest.mark.usefixtures("postgres_database", "valkey")
def test_a_run_that_lost_one_engine_and_one_supervisor_is_not_trusted(counting: Counting, start_worker: Start) -> None:
    """It was, silently, in 19 of 28 such runs. The third share continues to its end."""
    start_worker("load", "-c", "3")
    run = counting.run(3, ClosedLoad(users=30, duration_s=12), local=False)
    until(lambda: all(shard.turns.count() > 30 for shard in shards(run)), 90, "turns of all engines")
    engineless, orphaned, whole = shards(run)
    assert engineless.engine_pid is not None
    os.kill(engineless.engine_pid, signal.SIGKILL)
    os.kill(int(orphaned.owner.rpartition("/")[2]), signal.SIGKILL)
    until(lambda: Shard.objects.get(pk=whole.pk).status == ShardStatus.DONE, 60, "the end of the whole share")
    age_leases()
    until(lambda: ended(run), C_S, "the run's end")
    check_invariants(run, counting)
    assert run.status == RunStatus.FAILED
    assert run.report is not None
    assert not run.report["verdict"]["trusted"]
    assert verdict_codes(run) >= {"engine_died", "load_missing"}
    assert [shard["end"] for shard in run.report["shards"]] == ["engine_died", "supervisor_gone", "done"]
    assert "silent" in shards(run)[1].reason


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("valkey")
def test_a_worker_that_is_told_to_end_stops_its_run_in_order(
    counting: Counting, start_worker: Start, tmp_path: Path
) -> None:
    worker = start_worker("load", "-c", "2")
    run = counting.run(2, local=False)
    until(lambda: in_full_swing(run, counting), 90, "the run's full swing")
    worker.send_signal(signal.SIGTERM)
    until(lambda: ended(run), 20, "the run's end")
    check_invariants(run, counting)
    assert (run.status, run.reason) == (RunStatus.STOPPED, "its worker was shut down")
    worker.wait(20)


@pytest.mark.usefixtures("postgres_database", "valkey")
def test_runs_of_two_shards_at_once_on_two_slots_all_end_in_order_of_age(
    counting: Counting, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of them took one slot each and waited for the other's, until both failed."""
    monkeypatch.setattr(dispatch, "nudge", lambda _: 0)
    runs = [counting.run(2, ClosedLoad(users=2, conversations=2), local=False) for _ in range(4)]
    for _, shard_id in sorted((shard.index, shard.pk) for run in runs for shard in shards(run)):
        assert dispatch._send(shard_id, dispatch.LOAD_QUEUE)  # the first of each run before the second of any
    Shard.objects.update(dispatched_at=DbNow())
    start_worker("load", "-c", "2")
    until(lambda: all(map(ended, runs)), 100, "the end of all")
    for run in runs:
        run.refresh_from_db()
        assert (run.status, run.reason) == (RunStatus.COMPLETED, "")
    for earlier, later in pairwise(runs):
        assert earlier.ended_at is not None and later.start_at is not None
        assert earlier.ended_at < later.start_at


@pytest.mark.django_db(transaction=True)
def test_a_run_outlives_its_broker(
    counting: Counting, start_worker: Start, family: ProcessGroups, tmp_path: Path, settings: Any
) -> None:
    port = reserve_port()
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    with ExitStack() as stack:
        stack.enter_context(valkey_server(family, port, tmp_path / "valkey", durable=True))
        start_worker("load", "-c", "2")
        start_control(start_worker, tmp_path)
        run = counting.run(1, ClosedLoad(users=USERS, duration_s=8), local=False)
        Shard.objects.update(dispatched_at=None)  # this process's own broker got the nudge: as good as lost
        until(lambda: in_full_swing(run, counting), 90, "the run's full swing")
        client = redis.Redis.from_url(settings.REDIS_URL)
        os.kill(client.info("server")["process_id"], signal.SIGKILL)
    until(lambda: ended(run), 30, "the run's end without a broker")
    assert check_invariants(run, counting)["ok"] > 3 * USERS
    assert (run.status, run.reason) == (RunStatus.COMPLETED, "")

    with valkey_server(family, port, tmp_path / "valkey", durable=True):
        redis_client._client.cache_clear()
        assert live_stream.read_since(run.pk), "what was published before is kept"
        again = counting.run(1, ClosedLoad(users=2, conversations=2), local=False)
        Shard.objects.filter(run=again).update(dispatched_at=None)
        until(lambda: ended(again), 50, "a run after the broker came back")
        again.refresh_from_db()
        assert again.status == RunStatus.COMPLETED

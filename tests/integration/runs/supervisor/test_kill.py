"""Whole runs with living engines, and kill -9 of an engine or a supervisor in the middle: invariants A to D."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from runs.completion.reaper import reap_lost
from runs.load.profile import ClosedLoad
from runs.models import Run, RunStatus, ShardStatus
from runs.services import stop_run
from runs.supervisor.local import run_local
from runs.supervisor.supervisor import supervise
from runs.supervisor.ticks import TickInfo
from tests.integration.runs.conftest import USERS, Counting, age_leases, check_invariants, ledger_lines, verdict_codes
from tests.support.processes import ROOT, child_env
from tests.support.runs import alive, in_background, shards, until
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = pytest.mark.usefixtures("any_database")
SUPERVISE = (
    "import sys, django; django.setup(); from runs.supervisor.supervisor import supervise; supervise(int(sys.argv[1]))"
)


@pytest.fixture
def answer_s() -> float:
    return 0.25


def in_full_swing(run: Run, counting: Counting) -> bool:
    return counting.count() > 3 * USERS and run.turns.filter(outcome="ok").count() > USERS


def quiet_after(counting: Counting, moment_ns: int) -> float:
    """Seconds from then until the target's last request."""
    return (counting.received()[-1][0] - moment_ns) / 1e9


def test_a_run_that_ends_by_itself_is_counted_as_the_target_counts(counting: Counting) -> None:
    run = counting.run(2, ClosedLoad(users=USERS, conversations=200))
    ticks: list[TickInfo] = []
    assert not run_local(run, ticks.append)
    assert (run.status, run.reason) == (RunStatus.COMPLETED, "")
    outcomes = check_invariants(run, counting)
    assert outcomes == {"ok": 1000}
    starts = [line["t0_mono_ns"] for line in ledger_lines(run) if line["k"] == "head"]
    assert len(starts) == 2
    assert abs(starts[0] - starts[1]) < 20e6, "the shards did not start together"
    shown = [info.tick for info in ticks if info.tick]
    assert shown
    assert shown[-1]["counters"]["ok"] == 1000


def test_a_stop_is_quick_and_everything_is_counted(counting: Counting) -> None:
    run = counting.run()
    thread = in_background(lambda: run_local(run))
    until(lambda: in_full_swing(run, counting))
    stopped_ns = time.monotonic_ns()
    stop_run(run.pk, "enough")
    thread.join()
    assert quiet_after(counting, stopped_ns) < 10
    assert Run.objects.get(pk=run.pk).status == RunStatus.STOPPED
    assert check_invariants(run, counting)["ok"] > USERS


def test_an_engine_that_is_killed_leaves_a_true_account(counting: Counting) -> None:
    run = counting.run(groups=3)
    thread = in_background(lambda: run_local(run))
    until(lambda: in_full_swing(run, counting))
    pid = shards(run)[0].engine_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    thread.join(60)
    assert not thread.is_alive()
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "was killed by signal 9 during the run" in run.reason
    assert check_invariants(run, counting)["unknown"] > 0
    assert "engine_died" in verdict_codes(run)
    assert not alive(pid)


def test_a_supervisor_that_is_killed_takes_its_engine_along_and_the_reaper_finishes(
    counting: Counting, family: ProcessGroups
) -> None:
    run = counting.run()
    argv = (sys.executable, "-c", SUPERVISE, str(shards(run)[0].pk))
    child = family.start(argv, cwd=ROOT, env=child_env(), stderr=subprocess.DEVNULL)
    until(lambda: in_full_swing(run, counting))
    pid = shards(run)[0].engine_pid
    assert pid is not None
    killed_ns = time.monotonic_ns()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    until(lambda: not alive(pid), 20, "the engine's end")
    assert quiet_after(counting, killed_ns) < 10
    assert reap_lost().lost == 0  # no shard is suspect yet
    age_leases()
    assert reap_lost().lost == 1
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert "everything is stored" in run.reason
    check_invariants(run, counting)
    assert not supervise(shards(run)[0].pk)  # a message that comes again finds nothing to do


def test_engine_and_supervisor_killed_together_leave_a_true_account(counting: Counting, family: ProcessGroups) -> None:
    run = counting.run(groups=3)
    argv = (sys.executable, "-c", SUPERVISE, str(shards(run)[0].pk))
    child = family.start(argv, cwd=ROOT, env=child_env(), stderr=subprocess.DEVNULL)
    until(lambda: in_full_swing(run, counting))
    pid = shards(run)[0].engine_pid
    assert pid is not None
    os.kill(child.pid, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    child.wait()
    until(lambda: not alive(pid), 20, "the engine's end")
    age_leases()
    assert reap_lost().lost == 1
    (shard,) = shards(run)
    assert shard.status == ShardStatus.LOST
    assert check_invariants(run, counting)["unknown"] > 0

"""A run of this very process, as the command line has it: interrupted, and with a supervisor that breaks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runs import local
from runs.dbclock import DbNow
from runs.leases import claim_shard
from runs.models import RunStatus, Shard, ShardStatus
from runs.supervisor import STORING_NICE
from tests.integration.runs.conftest import Counting, check_invariants
from tests.support.processes import ROOT, child_env
from tests.support.runs import a_run, shards, until
from tokenburn_site.local.family import Family

pytestmark = pytest.mark.django_db(transaction=True)
RUN_LOCAL = """
import sys, django; django.setup()
from runs.local import run_local
from runs.models import Run
sys.exit(42 if run_local(Run.objects.get(pk=sys.argv[1])) else 0)
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_run_in_order(signum: signal.Signals, counting: Counting, family: Family) -> None:
    run = counting.run(2)
    argv = (sys.executable, "-c", RUN_LOCAL, str(run.pk))
    child = family.start(argv, cwd=ROOT, env=child_env(), stderr=subprocess.DEVNULL)
    until(lambda: run.turns.count() > 200)
    os.kill(child.pid, signum)
    assert child.wait(60) == 42
    assert check_invariants(run, counting)["ok"] > 200
    assert (run.status, run.reason) == (RunStatus.STOPPED, "interrupted")


def nice(stat: Path) -> int:
    """Field 19 of a process's or thread's stat file; the name before it may hold anything."""
    return int(stat.read_text().rpartition(")")[2].split()[16])


def test_storing_steps_back_behind_the_engine(counting: Counting, family: Family) -> None:
    run = counting.run(2)
    child = family.start((sys.executable, "-c", RUN_LOCAL, str(run.pk)), cwd=ROOT, env=child_env())
    until(lambda: run.turns.count() > 20)
    engines = [nice(Path(f"/proc/{shard.engine_pid}/stat")) for shard in shards(run)]
    threads = [nice(stat) for stat in Path(f"/proc/{child.pid}/task").glob("*/stat")]
    child.terminate()
    child.wait(60)
    assert engines == [nice(Path("/proc/self/stat"))] * 2
    assert threads.count(STORING_NICE) == 2


def test_a_supervisor_that_breaks_is_reaped_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run()

    def broken(shard_id: int, **_: Any) -> bool:
        """Breaks once it holds the shard; its lease is made to run out at once."""
        claim_shard(shard_id, "broken")
        Shard.objects.update(lease_until=DbNow(-9), suspect_since=DbNow(-9))
        raise ZeroDivisionError

    monkeypatch.setattr(local, "supervise", broken)
    assert not local.run_local(run)
    assert run.status == RunStatus.FAILED
    assert run.reason == "its supervisor failed before the start: see the log"
    assert shards(run)[0].status == ShardStatus.STOPPED

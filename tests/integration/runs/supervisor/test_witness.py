"""A run's witness: a process of its own, counted apart, which ends with the run whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from runs.completion.reaper import reap_lost
from runs.load.profile import ClosedLoad, OpenLoad
from runs.load.witness_rule import witness_is_useful
from runs.models import Run, RunStatus
from runs.supervisor.local import run_local
from tests.integration.runs.conftest import Counting, age_leases
from tests.integration.runs.supervisor.run_local import RUN_LOCAL
from tests.support.processes import ROOT, child_env
from tests.support.runs import alive, children_of, shards, until
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = pytest.mark.django_db(transaction=True)


def with_witness(counting: Counting, duration_s: float) -> Run:
    """The same requests as any run of `counting`, by fewer users."""
    run = counting.run(load=ClosedLoad(users=4, duration_s=duration_s, grace_s=5))
    Run.objects.filter(pk=run.pk).update(with_witness=True)
    return run


def split(run: Run, counting: Counting) -> tuple[list[str], list[str]]:
    """The target's requests: the load's, and the witness's."""
    turns = [turn for _, turn in counting.received()]
    mark = f"tb-{run.pk}-w"
    return [turn for turn in turns if not turn.startswith(mark)], [turn for turn in turns if turn.startswith(mark)]


def test_it_measures_the_same_target_and_is_in_no_figure_of_the_load(counting: Counting) -> None:
    run = with_witness(counting, 4)
    run_local(run)
    run.refresh_from_db()
    load, own = split(run, counting)
    assert run.status == RunStatus.COMPLETED
    assert run.report is not None and run.witness is not None
    assert run.report["turns"]["sent"] == run.turns.count() == len(load)
    assert run.witness["turns"]["sent"] == run.witness["turns"]["ok"] == len(own) >= 5
    assert run.report["witness"] == run.witness
    assert run.witness["metrics"]["e2e_ms"]["p50"] > 0


def engine_pids(run: Run) -> list[int]:
    return [shard.engine_pid for shard in shards(run) if shard.engine_pid is not None]


def check_witness(run: Run, counting: Counting) -> None:
    """Invariant A for the witness: each request is said; what was in flight when it died may not have arrived."""
    run.refresh_from_db()
    assert run.witness is not None
    said, seen = run.witness["turns"], len(split(run, counting)[1])
    assert said["sent"] - said["unknown"] <= seen <= said["sent"]
    assert seen > 1
    assert run.report is not None
    assert run.report["witness"] == run.witness


@pytest.mark.parametrize("victim", ["supervisor", "witness"])
def test_a_killed_witness_leaves_nothing_and_does_not_affect_the_run(
    counting: Counting, family: ProcessGroups, victim: str
) -> None:
    run = with_witness(counting, 6 if victim == "witness" else 60)
    argv = (sys.executable, "-c", RUN_LOCAL, str(run.pk))
    child = family.start(argv, cwd=ROOT, env=child_env(), stderr=subprocess.DEVNULL)
    until(lambda: len(split(run, counting)[1]) > 1, what="the witness's second turn")
    [witness] = [pid for pid, command in children_of(child.pid).items() if "runs.engine.witness" in command]
    os.kill(child.pid if victim == "supervisor" else witness, signal.SIGKILL)
    if victim == "witness":
        assert child.wait(30) == 0
        run.refresh_from_db()
        assert run.status == RunStatus.COMPLETED
        assert run.witness is not None
        check_witness(run, counting)
    else:
        until(lambda: not alive(witness), within_s=20, what="the witness's end")
        until(lambda: not any(alive(pid) for pid in engine_pids(run)), within_s=20, what="the engines' end")
        age_leases()
        assert reap_lost().lost == 1
        check_witness(run, counting)


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (ClosedLoad(users=1, duration_s=10), True),
        (ClosedLoad(users=1, duration_s=9.9), False),
        (ClosedLoad(users=1, conversations=100), True),
        (OpenLoad(rate_per_s=1, conversations=99), False),
    ],
)
def test_only_a_run_of_some_length_is_worth_one(load: ClosedLoad | OpenLoad, expected: bool) -> None:
    assert witness_is_useful(load) is expected

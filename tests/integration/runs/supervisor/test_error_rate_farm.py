"""A target that fails, on Celery workers: what all engines see together ends the run, whole and soon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runs.lifecycle.transitions import RUN_TERMINAL
from runs.load.profile import parse_load
from runs.models import Run, RunStatus, ShardStatus
from tests.integration.runs.conftest import Start, tree
from tests.support.processes import Mock
from tests.support.runs import a_run, alive, shards, until

LONG_S = 60
RATE = {"error_rate": {"above": 0.2, "window_s": 3, "turns": 50}}
NOTHING_ELSE = {"no_success_timeout_s": 1}


def aborted(mock: Mock, budget: dict[str, Any]) -> Run:
    """A run of two shards on the workers, seen to its end."""
    load = {"kind": "closed", "users": 6, "duration_s": LONG_S, "budget": budget}
    run = a_run(2, parse_load(load), f"{mock.url}/v1", local=False)
    until(lambda: Run.objects.filter(pk=run.pk, status__in=RUN_TERMINAL).exists(), 50, "the run's end")
    run.refresh_from_db()
    return run


def check_ended(run: Run, mock: Mock, ended_by: str) -> None:
    assert run.status == RunStatus.ABORTED, run.reason
    assert "\n" not in run.reason
    found = shards(run)
    assert [shard.status for shard in found] == [ShardStatus.STOPPED] * 2
    assert {shard.reason for shard in found} == {run.reason}, "both engines' ends say why"
    assert all(shard.engine_pid and not alive(shard.engine_pid) for shard in found)
    assert run.start_at is not None and run.ended_at is not None
    assert (run.ended_at - run.start_at).total_seconds() < LONG_S / 2
    assert run.report is not None
    assert (run.report["run"]["status"], run.report["run"]["reason"]) == (RunStatus.ABORTED, run.reason)
    assert run.report["budget"] is not None
    assert run.report["budget"]["ended_by"] == ended_by
    assert all(shard["turns"] for shard in run.report["shards"]), "partial results of both"
    assert run.report["turns"]["sent"] == mock.stats()["chat_requests"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("valkey")
def test_errors_of_two_shards_end_a_run_on_workers(start_worker: Start, start_mock: Callable[..., Mock]) -> None:
    """By their rate, and by nothing else coming."""
    often = start_mock("--delay-ms", "40-80", "--tokens", "3", "--error-rate", "0.6", "--errors", "503")
    always = start_mock("--delay-ms", "40-80", "--tokens", "3", "--error-rate", "1", "--errors", "500")
    worker = start_worker("load", "-c", "2")
    run = aborted(often, RATE)
    check_ended(run, often, "error_rate")
    assert run.reason.startswith("budget: error_rate: ")
    assert run.reason.endswith("in 3 s failed, the budget allows 20%; most often http_503")
    assert run.report is not None and run.report["turns"]["ok"] > 0
    pool = set(tree(worker.pid))

    run = aborted(always, NOTHING_ELSE)
    check_ended(run, always, "no_success")
    assert run.reason.startswith("budget: no_success: no turn was good since the start, and ")
    assert run.reason.endswith(" failed; most often http_500")
    assert set(tree(worker.pid)) == pool, "the worker keeps no process of a run"

"""What a shard's end is called, and why, by what its engine left behind."""

import pytest

from metrics.end_codes import EndCode, end_code_of
from runs.completion.ingest import Tail
from runs.completion.shard_outcome import orphan_ending, shard_ending
from runs.models import ShardStatus
from runs.supervisor.engine_exit import EngineExit
from runs.supervisor.engine_process import Exited, Fatal

KILLED = EngineExit(None, Exited(-9), "")


def tail_of(reason: str) -> Tail:
    return Tail(end_code_of("", reason), reason, 5, 2)


@pytest.mark.parametrize(
    ("reason", "run_stops", "status", "why"),
    [
        ("done", False, ShardStatus.DONE, ""),
        ("aborted: connect_refused: nobody listens", False, ShardStatus.ABORTED, "connect_refused: nobody listens"),
        ("budget: tokens: 600 of 500", False, ShardStatus.STOPPED, "budget: tokens: 600 of 500"),
        ("budget: errors: 9 of 5", False, ShardStatus.ABORTED, "budget: errors: 9 of 5"),
        ("engine_died", False, ShardStatus.LOST, "its engine was killed by signal 9 during the run"),
        ("stopped: by ann", True, ShardStatus.STOPPED, "by ann"),
        ("stopped: by ann", False, ShardStatus.FAILED, "its engine stopped by itself: by ann"),
        ("supervisor_gone", True, ShardStatus.FAILED, "its engine stopped by itself: supervisor_gone"),
        (
            "supervisor_silent",
            False,
            ShardStatus.FAILED,
            "its engine stopped by itself: its supervisor was paused for 20 s or more",
        ),
    ],
)
def test_the_last_line_of_the_ledger_says_how_it_ended(
    reason: str, run_stops: bool, status: ShardStatus, why: str
) -> None:
    assert shard_ending(tail_of(reason), KILLED.why, run_stops=run_stops) == (status, end_code_of("", reason), why)


@pytest.mark.parametrize(
    ("engine_exit", "why"),
    [
        (KILLED, "its engine was killed by signal 9 before its first request"),
        (
            EngineExit(None, Exited(1), "Trace: it | broke"),
            "its engine exited with code 1 before its first request: Trace: it | broke",
        ),
        (EngineExit(Fatal("ledger_failed", "cannot write", ""), Exited(3), "noise"), "ledger_failed: cannot write"),
        (EngineExit(Fatal("local_resources", "too many", "raise it"), None, ""), "local_resources: too many: raise it"),
    ],
)
def test_without_one_the_engine_s_exit_does(engine_exit: EngineExit, why: str) -> None:
    assert shard_ending(None, engine_exit.why, run_stops=True) == (ShardStatus.FAILED, EndCode.NOT_STARTED, why)


@pytest.mark.parametrize(
    ("reason", "run_stops", "status", "why"),
    [
        ("done", False, ShardStatus.DONE, ""),
        ("aborted: http_401: log in", False, ShardStatus.ABORTED, "http_401: log in"),
        ("budget: tokens: 600 of 500", False, ShardStatus.STOPPED, "budget: tokens: 600 of 500"),
        ("stopped: by ann", True, ShardStatus.STOPPED, "by ann"),
        (
            "supervisor_gone",
            True,
            ShardStatus.LOST,
            "it was killed; the engine stopped by itself (supervisor_gone), and everything is stored",
        ),
        (
            "engine_died",
            False,
            ShardStatus.LOST,
            "it was killed; its engine died too: what was in flight is counted as unknown",
        ),
        (None, False, ShardStatus.LOST, "it was killed before the first request"),
    ],
)
def test_an_engine_that_came_to_its_own_end_does_not_miss_its_supervisor(
    reason: str | None, run_stops: bool, status: ShardStatus, why: str
) -> None:
    tail = tail_of(reason) if reason else None
    code = end_code_of("", reason) if reason else EndCode.SUPERVISOR_GONE
    end = orphan_ending(tail, EndCode.SUPERVISOR_GONE, "it was killed", run_stops=run_stops)
    assert end == (status, code, why)

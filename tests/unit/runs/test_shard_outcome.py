"""What a shard's end is called, and why, by what its engine left behind."""

import pytest

from runs.engine_process import Exited, Fatal
from runs.ingest import Tail
from runs.models import ShardStatus
from runs.shard_outcome import Gone, orphan_ending, shard_ending

KILLED = Gone(None, Exited(-9), "")


@pytest.mark.parametrize(
    ("reason", "run_stops", "status", "why"),
    [
        ("done", False, ShardStatus.DONE, ""),
        ("aborted: connect_refused: nobody listens", False, ShardStatus.ABORTED, "connect_refused: nobody listens"),
        ("budget: tokens: 600 of 500", False, ShardStatus.STOPPED, "budget: tokens: 600 of 500"),
        ("budget: errors: 9 of 5", False, ShardStatus.ABORTED, "budget: errors: 9 of 5"),
        ("engine_died", False, ShardStatus.LOST, "its engine was killed by signal 9 in the middle"),
        ("stopped: by ann", True, ShardStatus.STOPPED, "by ann"),
        ("stopped: by ann", False, ShardStatus.FAILED, "its engine stopped by itself: by ann"),
        ("supervisor_gone", True, ShardStatus.FAILED, "its engine stopped by itself: supervisor_gone"),
        (
            "supervisor_silent",
            False,
            ShardStatus.FAILED,
            "its engine stopped by itself: its supervisor was paused, or hung, for 20 s or more",
        ),
    ],
)
def test_the_last_line_of_the_ledger_says_how_it_ended(
    reason: str, run_stops: bool, status: ShardStatus, why: str
) -> None:
    assert shard_ending(Tail(reason, 5, 2), KILLED, run_stops=run_stops) == (status, why)


@pytest.mark.parametrize(
    ("gone", "why"),
    [
        (KILLED, "its engine was killed by signal 9 before its first request"),
        (
            Gone(None, Exited(1), "Trace: it | broke"),
            "its engine exited with code 1 before its first request: Trace: it | broke",
        ),
        (Gone(Fatal("ledger_failed", "cannot write", ""), Exited(3), "noise"), "ledger_failed: cannot write"),
        (Gone(Fatal("local_resources", "too many", "raise it"), None, ""), "local_resources: too many: raise it"),
    ],
)
def test_without_one_the_engine_s_exit_does(gone: Gone, why: str) -> None:
    assert shard_ending(None, gone, run_stops=True) == (ShardStatus.FAILED, why)


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
            "it was killed; the engine stopped by itself (supervisor_gone), everything it did is stored",
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
    tail = Tail(reason, 5, 2) if reason else None
    assert orphan_ending(tail, "it was killed", run_stops=run_stops) == (status, why)

"""What a shard's end is called, and why, by what its engine left behind."""

import pytest

from runs.engine_process import Exited, Fatal
from runs.ingest import Tail
from runs.models import ShardStatus
from runs.shard_outcome import Gone, shard_ending

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

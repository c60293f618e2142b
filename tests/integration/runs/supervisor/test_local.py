"""A run of this very process, as the command line has it: interrupted, and with a supervisor that breaks."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from metrics.end_codes import EndCode
from runs.completion.finalize import finalize_run
from runs.completion.ingest import unstored
from runs.db_clock import DbNow
from runs.load.profile import ClosedLoad
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.services import stop_run
from runs.supervisor import local
from runs.supervisor.supervisor import STORING_NICE
from runs.workers.leases import (
    agree_start,
    claim_shard,
    finish_shard,
    mark_ready,
    mark_running,
)
from tests.integration.runs.conftest import Counting, check_invariants, verdict_codes
from tests.integration.runs.supervisor.run_local import RUN_LOCAL
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.processes import ROOT, child_env
from tests.support.runs import a_run, in_background, shards, until
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def answer_s() -> float:
    return 0.25


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_stops_the_run_in_order(signum: signal.Signals, counting: Counting, family: ProcessGroups) -> None:
    run = counting.run(2)
    argv = (sys.executable, "-c", RUN_LOCAL, str(run.pk))
    child = family.start(argv, cwd=ROOT, env=child_env(), stderr=subprocess.DEVNULL)
    until(lambda: run.turns.count() > 200, 60)
    os.kill(child.pid, signum)
    assert child.wait(60) == 42
    assert check_invariants(run, counting)["ok"] > 200
    assert (run.status, run.reason) == (RunStatus.STOPPED, "interrupted")


def test_the_next_run_stores_what_a_full_disk_kept_out_of_the_database(tmp_path: Path) -> None:
    lost = a_run()
    shard = claim_shard(shards(lost)[0].pk, "burn")
    assert shard is not None and mark_ready(shard, 1) and agree_start(lost.pk) and mark_running(shard)
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_bytes(ledger_bytes(LedgerMaker(60, run_id=lost.pk, shard_id=shard.pk, users=5)))
    Shard.objects.filter(pk=shard.pk).update(ledger_path=str(ledger))
    finish_shard(
        shard,
        ShardStatus.LOST,
        EndCode.LEDGER_UNSTORED,
        unstored(lost.pk, OSError(errno.EFBIG, "File too large")),
        complete=False,
    )
    assert finalize_run(lost.pk)
    local.run_local(a_run(), command=("false",))
    lost.refresh_from_db()
    assert (lost.turns.count(), [shard.ledger_complete for shard in shards(lost)]) == (60, [True])
    assert lost.reason == "its ledger could not be stored (File too large); its ledger was stored afterwards"


def test_a_ledger_that_is_removed_in_mid_run_is_said_to_be_gone(counting: Counting) -> None:
    """The run ended "before its first request" after 1,320 stored turns, and "stored" was true."""
    run = counting.run(1, ClosedLoad(users=10, duration_s=120))
    thread = in_background(lambda: local.run_local(run))
    until(lambda: run.turns.count() > 50, 60)
    path = Path(shards(run)[0].ledger_path)
    path.unlink()
    stop_run(run.pk, "enough")
    thread.join(60)
    run.refresh_from_db()
    assert (run.status, run.reason) == (
        RunStatus.FAILED,
        f"its ledger was taken away while it was written: {path} no longer exists: turns that were not "
        "stored yet are lost",
    )
    assert run.report is not None
    assert [shard["stored"] for shard in run.report["shards"]] == [False]
    assert run.report["turns"]["ok"] > 50
    assert verdict_codes(run) & {"engine_died", "load_missing"} == {"load_missing"}


def test_who_was_told_to_ignore_the_terminals_end_does() -> None:
    kept = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with local.interrupts() as interrupted:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupted.wait(0.1)
    finally:
        signal.signal(signal.SIGHUP, kept)


INTERRUPTED_IMPORT = """
import builtins, runpy, sys
real = builtins.__import__
def interrupted(name, *rest):
    if name.startswith("tokenburn_site."):
        raise KeyboardInterrupt
    return real(name, *rest)
builtins.__import__ = interrupted
sys.argv = ["manage.py", "burn", "--url", "http://127.0.0.1:9/v1", "--preset", "openai-chat", "--prompt", "x"]
runpy.run_path("manage.py", run_name="__main__")
"""


def test_ctrl_c_while_it_imports_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (130, "manage.py: interrupted\n")


def nice(stat: Path) -> int:
    """Field 19 of a process's or thread's stat file; the name before it may hold anything."""
    return int(stat.read_text().rpartition(")")[2].split()[16])


def nice_threads(pid: int) -> list[int]:
    found = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            found.append(nice(stat))
    return found


def test_storing_steps_back_behind_the_engine(counting: Counting, family: ProcessGroups) -> None:
    run = counting.run(2)
    child = family.start((sys.executable, "-c", RUN_LOCAL, str(run.pk)), cwd=ROOT, env=child_env())
    until(lambda: STORING_NICE in nice_threads(child.pid), 60)
    assert Run.objects.get(pk=run.pk).start_at is not None, "before the start, it would be late on a busy machine"
    until(lambda: run.turns.count() > 20, 60)
    engines = [nice(Path(f"/proc/{shard.engine_pid}/stat")) for shard in shards(run)]
    threads = nice_threads(child.pid)
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


def test_a_refused_address_ends_a_run_with_a_code_of_its_own_and_what_to_do(
    counting: Counting, settings: Settings
) -> None:
    settings.ALLOW_PRIVATE = False
    many = counting.run(1, ClosedLoad(users=25, conversations=50))
    local.run_local(many)
    many.refresh_from_db()
    assert (many.status, many.end_code) == (RunStatus.ABORTED, EndCode.ADDRESS_BLOCKED)
    assert "'127.0.0.1' is a private address: an administrator can allow it: TOKENBURN_ALLOW_PRIVATE" in many.reason
    run = counting.run(1, ClosedLoad(users=1, conversations=3))
    local.run_local(run)
    run.refresh_from_db()
    assert (run.status, run.end_code) == (RunStatus.FAILED, EndCode.ADDRESS_BLOCKED)
    assert "address_blocked, 3 of 3 failures: '127.0.0.1' is a private address" in run.reason
    assert run.reason.endswith("; point the target at another address: the detail says which one is refused, and why")
    assert run.report is not None and run.report["run"]["end_code"] == EndCode.ADDRESS_BLOCKED

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
from uuid import uuid4

import pytest

from runs import local, orphans
from runs.dbclock import DbNow
from runs.engine.spec import ClosedLoad
from runs.finalize import finalize_run
from runs.ingest import unstored
from runs.leases import (
    REAPER,
    agree_start,
    claim_shard,
    finish_shard,
    host_name,
    mark_ready,
    mark_running,
    renew_lease,
)
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.reaper import reap_lost
from runs.services import stop_run
from runs.supervisor import STORING_NICE
from tests.integration.runs.conftest import Counting, check_invariants, verdict_codes
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.processes import ROOT, child_env
from tests.support.runs import a_run, in_background, shards, until
from tokenburn_site.local.family import Family

pytestmark = pytest.mark.django_db(transaction=True)
RUN_LOCAL = """
import sys, django; django.setup()
from runs.local import run_local
from runs.models import Run
sys.exit(42 if run_local(Run.objects.get(pk=sys.argv[1])) else 0)
"""


@pytest.fixture
def answer_s() -> float:
    return 0.1


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_stops_the_run_in_order(signum: signal.Signals, counting: Counting, family: Family) -> None:
    run = counting.run(2)
    argv = (sys.executable, "-c", RUN_LOCAL, str(run.pk))
    child = family.start(argv, cwd=ROOT, env=child_env(), stderr=subprocess.DEVNULL)
    until(lambda: run.turns.count() > 200, 60)
    os.kill(child.pid, signum)
    assert child.wait(60) == 42
    assert check_invariants(run, counting)["ok"] > 200
    assert (run.status, run.reason) == (RunStatus.STOPPED, "interrupted")


@pytest.mark.usefixtures("any_database")
def test_the_very_next_command_stores_and_ends_what_one_that_was_killed_left(
    counting: Counting, family: Family
) -> None:
    """The second one did: the first found the lease alive, and only marked it."""
    run = counting.run(2)
    child = family.start((sys.executable, "-c", RUN_LOCAL, str(run.pk)), cwd=ROOT, env=child_env())
    until(lambda: run.turns.count() > 200, 60)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(5)
    assert local.store_orphans() == [run.pk]
    assert check_invariants(run, counting)["ok"] > 200
    assert run.status == RunStatus.FAILED
    assert run.reason.startswith("shard 1 of 2 lost: its command was killed; the engine stopped by itself")
    assert {shard.status for shard in shards(run)} == {ShardStatus.LOST}
    assert verdict_codes(run) >= {"load_missing"}
    assert local.store_orphans() == []
    assert not orphans._path(run.uid).exists()


def test_the_next_run_stores_what_a_full_disk_kept_out_of_the_database(tmp_path: Path) -> None:
    lost = a_run()
    shard = claim_shard(shards(lost)[0].pk, "burn")
    assert shard is not None and mark_ready(shard, 1) and agree_start(lost.pk) and mark_running(shard)
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_bytes(ledger_bytes(LedgerMaker(60, run_id=lost.pk, shard_id=shard.pk, users=5)))
    Shard.objects.filter(pk=shard.pk).update(ledger_path=str(ledger))
    finish_shard(shard, ShardStatus.LOST, unstored(lost.pk, OSError(errno.EFBIG, "File too large")), complete=False)
    assert finalize_run(lost.pk)
    local.run_local(a_run(), command=("false",))
    lost.refresh_from_db()
    assert (lost.turns.count(), [shard.ledger_complete for shard in shards(lost)]) == (60, [True])
    assert lost.reason == "its ledger could not be stored (File too large); its ledger was stored afterwards"


KILLED_WHERE = """
import os, sys, django; django.setup()
from runs import supervisor
from runs.local import run_local
from runs.models import Run
place, name = {"rest": (supervisor.LedgerIngest, "rest"), "finish": (supervisor, "finalize_run")}[sys.argv[2]]
setattr(place, name, lambda *_: os.kill(os.getpid(), 9))
run_local(Run.objects.get(pk=sys.argv[1]))
"""


@pytest.mark.parametrize("moment", ["rest", "finish"])
def test_a_run_that_was_over_when_its_command_was_killed_is_completed(
    moment: str, counting: Counting, family: Family
) -> None:
    """It was `failed`, though its engine said `done` and everything was stored."""
    run = counting.run(1, ClosedLoad(users=5, conversations=20))
    child = family.start((sys.executable, "-c", KILLED_WHERE, str(run.pk), moment), cwd=ROOT, env=child_env())
    assert child.wait(60) == -signal.SIGKILL
    assert local.store_orphans() == [run.pk]
    assert check_invariants(run, counting) == {"ok": 100}
    assert (run.status, run.reason) == (RunStatus.COMPLETED, "")
    assert {shard.status for shard in shards(run)} == {ShardStatus.DONE}


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
        f"its ledger was taken away while it was written: {path} is gone, and with it all turns that were not "
        "stored yet",
    )
    assert run.report is not None
    assert [shard["stored"] for shard in run.report["shards"]] == [False]
    assert run.report["turns"]["ok"] > 50
    assert verdict_codes(run) & {"engine_died", "load_missing"} == {"load_missing"}


def as_killed(run: Run, host: str = "") -> Path:
    """The file of its command, as one that was killed leaves it."""
    path = orphans._path(run.uid)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(host or host_name())
    return path


@pytest.mark.usefixtures("any_database")
def test_a_command_that_was_killed_before_the_start_leaves_nothing_that_waits() -> None:
    queued, claimed, ready = a_run(), a_run(2), a_run(2)
    for run in (claimed, ready):
        shard = claim_shard(shards(run)[0].pk, "gone")
        assert shard is not None
        assert run is claimed or mark_ready(shard, 1)
    for run in (queued, claimed, ready):
        as_killed(run)
    assert local.store_orphans() == [run.pk for run in (queued, claimed, ready)]
    for run in (queued, claimed, ready):
        run.refresh_from_db()
        assert (run.status, run.reason) == (RunStatus.FAILED, "its command was killed before the start")


def test_a_run_whose_command_lives_here_or_on_another_host_is_left_alone(counting: Counting, family: Family) -> None:
    run = counting.run()
    child = family.start((sys.executable, "-c", RUN_LOCAL, str(run.pk)), cwd=ROOT, env=child_env())
    until(lambda: run.turns.count() > 20, 60)
    elsewhere, unknown = a_run(), a_run()  # now: they have 30 s to begin
    path = as_killed(elsewhere, "another-host")
    assert local.store_orphans() == []
    reap_lost()
    for other in (elsewhere, unknown):
        other.refresh_from_db()
        assert other.status == RunStatus.QUEUED
    assert path.exists()
    child.terminate()
    assert child.wait(60) == 42
    check_invariants(run, counting)
    assert run.status == RunStatus.STOPPED
    assert not orphans._path(run.uid).exists()


def test_a_run_that_another_stores_at_this_moment_is_left_to_it(counting: Counting) -> None:
    run = a_run()
    shard = claim_shard(shards(run)[0].pk, f"{REAPER} elsewhere/1")
    assert shard is not None
    as_killed(run)
    orphans.forsake_orphans()
    assert renew_lease(shard)
    assert Shard.objects.filter(pk=shard.pk, suspect_since=None).exists()


def test_a_command_that_ends_without_its_run_is_known_to_have_ended() -> None:
    """Interrupted twice, or its database was away at the end."""
    run, never = a_run(), uuid4()
    with pytest.raises(KeyboardInterrupt), orphans.commanded(run.uid), orphans.commanded(never):
        with orphans.commanded(run.uid):
            assert orphans.forsake_orphans() == []
        raise KeyboardInterrupt
    assert orphans._path(run.uid).exists(), "until the process is gone, and longer"
    assert not orphans._path(never).exists(), "there is no such run"


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


def test_storing_steps_back_behind_the_engine(counting: Counting, family: Family) -> None:
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

"""One supervisor and an engine that follows a script: what it is told, and what is stored when it is gone.

Engines that are processes, and misbehave, are in tests/integration/runs/supervisor/test_supervisor.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from django.db import OperationalError
from django.db.models import F

from metrics.end_codes import EndCode
from runs.backoff import Backoff
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.services import stop_run
from runs.supervisor import supervisor
from runs.supervisor.engine_process import Done, EngineProcess, Event, Exited, Ready
from runs.supervisor.supervisor import Supervisor
from runs.workers.leases import claim_shard
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.runs import a_run, shards

pytestmark = pytest.mark.django_db
Step = Event | Callable[[], object]
"""What the engine says next; or what happens meanwhile, again and again until it is true."""
READY, GONE = Ready(4711, "user"), Exited(0)
LIMIT_S = 60.0


class Scripted:
    """Stands for an EngineProcess: notes what it is told."""

    def __init__(self) -> None:
        self.script: list[Step] = []
        self.told: list[tuple[Any, ...]] = []
        self._until = time.monotonic() + LIMIT_S

    def next_event(self, timeout_s: float) -> Event | None:
        assert time.monotonic() < self._until, f"{self.script[:1]} never came true; told {self.told}"
        step = self.script[0]
        if not callable(step):
            return cast("Event", self.script.pop(0))
        if step():
            self.script.pop(0)
        else:
            time.sleep(min(timeout_s, 0.02))
        return None

    def is_told(self, what: str) -> bool:
        return any(call[0] == what for call in self.told)

    def calls(self, what: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.told if call[0] == what]

    def stderr_tail(self) -> str:
        return ""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *given: self.told.append((name, *given))


@pytest.fixture
def engine() -> Scripted:
    return Scripted()


def supervised(
    engine: Scripted, script: Sequence[Step], ledger: Path, stops: Callable[[], bool] = lambda: False
) -> Run:
    """A run whose only shard was seen through, and its row afterwards."""
    run = a_run()
    shard = claim_shard(shards(run)[0].pk, "me")
    assert shard is not None
    shard.ledger_path = str(ledger)
    shard.save(update_fields=["ledger_path"])
    engine.script = [*script]
    Supervisor(shard, cast("EngineProcess", engine), None, stops).run()
    assert engine.script == []
    run.refresh_from_db()
    return run


def the_run() -> Run:
    return Run.objects.get()


def writes(ledger: Path, reason: str = "stopped: enough") -> Step:
    """What an engine leaves that stopped in order, or came to its end ("done")."""

    def write() -> int:
        (shard,) = Shard.objects.all()
        lines = ledger_bytes(LedgerMaker(60, run_id=shard.run_id, shard_id=shard.pk, users=5))
        return ledger.write_bytes(lines.replace(b'"reason":"done"', f'"reason":"{reason}"'.encode()))

    return write


def test_an_engine_that_is_ready_is_told_the_common_start_once_and_its_ledger_is_stored(
    engine: Scripted, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    script: list[Step] = [READY, lambda: engine.is_told("go"), writes(ledger, "done"), Done("done", "done"), GONE]
    run = supervised(engine, script, ledger)
    assert (run.status, run.turns.count()) == (RunStatus.COMPLETED, 60)
    (shard,) = shards(run)
    assert (shard.status, shard.engine_pid, shard.ledger_complete) == (ShardStatus.DONE, READY.pid, True)
    ((start_ns, error_ns),) = engine.calls("go")
    assert run.start_at is not None
    off_s = (time.time() - run.start_at.timestamp()) - (time.monotonic_ns() - start_ns) / 1e9
    assert abs(off_s) <= error_ns / 1e9 + 0.1
    assert not engine.is_told("stop")


def test_a_run_that_stops_stops_its_engine_once_and_by_its_reason(engine: Scripted, tmp_path: Path) -> None:
    script: list[Step] = [
        READY,
        lambda: engine.is_told("go"),
        lambda: stop_run(the_run(), "enough"),
        lambda: engine.is_told("stop"),
        writes(tmp_path / "ledger"),
        GONE,
    ]
    run = supervised(engine, script, tmp_path / "ledger")
    assert [(reason, code) for reason, code, _ in engine.calls("stop")] == [("enough", EndCode.STOPPED)]
    assert (run.status, run.reason) == (RunStatus.STOPPED, "enough")
    assert shards(run)[0].status == ShardStatus.STOPPED


def test_a_run_that_stops_before_its_start_starts_no_engine(engine: Scripted, tmp_path: Path) -> None:
    script: list[Step] = [lambda: stop_run(the_run(), "not today"), lambda: engine.is_told("stop"), READY, GONE]
    run = supervised(engine, script, tmp_path / "none")
    assert not engine.is_told("go")
    assert (run.status, run.reason) == (RunStatus.STOPPED, "not today")
    assert shards(run)[0].status == ShardStatus.STOPPED


def test_a_worker_that_shuts_down_stops_the_run(engine: Scripted, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    script: list[Step] = [READY, lambda: engine.is_told("go"), lambda: engine.is_told("stop"), writes(ledger), GONE]
    run = supervised(engine, script, ledger, stops=lambda: engine.is_told("go"))
    assert [code for _, code, _ in engine.calls("stop")] == [EndCode.WORKER_SHUT_DOWN]
    assert (run.status, run.end_code) == (RunStatus.STOPPED, EndCode.WORKER_SHUT_DOWN)


def test_a_shard_that_another_took_is_left_to_it(
    engine: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "RENEW_S", 0.0)
    taken = {"epoch": F("epoch") + 1, "owner": "another"}
    script: list[Step] = [
        READY,
        lambda: engine.is_told("go"),
        lambda: Shard.objects.update(**taken),
        lambda: engine.is_told("stop"),
        GONE,
    ]
    run = supervised(engine, script, tmp_path / "none")
    assert [call[:2] for call in engine.calls("stop")] == [("another took the shard", EndCode.LEASE_LOST)]
    (shard,) = shards(run)
    assert (run.status, shard.status, shard.owner) == (RunStatus.RUNNING, ShardStatus.RUNNING, "another")


def test_an_engine_that_does_not_end_after_a_stop_is_killed(
    engine: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_LIMIT_S", 0.0)
    script: list[Step] = [
        READY,
        lambda: engine.is_told("go"),
        lambda: stop_run(the_run(), "enough"),
        lambda: engine.is_told("kill"),
        writes(tmp_path / "ledger"),
        Exited(-9),
    ]
    assert supervised(engine, script, tmp_path / "ledger").status == RunStatus.STOPPED
    assert [call[0] for call in engine.told][:3] == ["go", "stop", "kill"]


def test_a_database_that_is_away_for_a_while_costs_the_engine_nothing(
    engine: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, failed = Supervisor._check, list[int]()

    def away_at_first(self: Supervisor) -> None:
        if engine.is_told("go") and len(failed) < 2:
            failed.append(1)
            raise OperationalError("away")
        check(self)

    monkeypatch.setattr(Supervisor, "_check", away_at_first)
    monkeypatch.setattr("runs.supervisor.database_retries.BACKOFF", Backoff(0.05, 0.05))
    monkeypatch.setattr("runs.supervisor.database_retries.connection.close", lambda: None)
    script: list[Step] = [
        READY,
        lambda: len(failed) == 2,
        lambda: stop_run(the_run(), "enough"),
        lambda: engine.is_told("stop"),
        writes(tmp_path / "ledger"),
        GONE,
    ]
    assert supervised(engine, script, tmp_path / "ledger").status == RunStatus.STOPPED
    assert [call[0] for call in engine.told] == ["go", "stop"]

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.spec import TargetSpec
from runs.engine.core.shard_spec import ShardSpec, WeightedScenario
from runs.load.profile import ClosedLoad
from runs.supervisor import engine_process
from runs.supervisor.engine_process import Done, EngineProcess, Event, Exited, Fatal, Ready, engine_environment
from scenarios.definition.spec import parse_scenario
from tests.support.engines import sole_order
from tests.support.runs import SECRET, alive, talk, target

WAIT_S = 10.0


def an_order(path: str = "/nowhere", spec: TargetSpec | None = None) -> ShardSpec:
    return sole_order(
        path,
        target=spec or target(),
        scenarios=(WeightedScenario(scenario=parse_scenario(talk())),),
        load=ClosedLoad(users=1, duration_s=60),
    )


@contextmanager
def engine(code: str, orphan_s: float = 25.0) -> Iterator[EngineProcess]:
    process = EngineProcess(an_order(), (sys.executable, "-c", "import os, sys, time\n" + code), orphan_s)
    try:
        yield process
    finally:
        process.close(0.5)


def next_event(process: EngineProcess) -> Event:
    event = process.next_event(WAIT_S)
    assert event is not None, "no event in time"
    return event


def test_the_order_comes_whole_on_stdin_and_nowhere_else(tmp_path: Path) -> None:
    code = f"""
open({str(tmp_path / "order")!r}, "w").write(sys.stdin.readline())
open({str(tmp_path / "seen")!r}, "w").write(repr((sys.argv, dict(os.environ))))
"""
    with engine(code) as process:
        assert next_event(process) == Exited(0)
    assert ShardSpec.model_validate_json((tmp_path / "order").read_text()) == an_order()
    assert SECRET not in (tmp_path / "seen").read_text()


def test_an_engine_gets_neither_keys_nor_database() -> None:
    given = {"PATH": "/bin", "DATABASE_URL": "postgres://u:p@h/d", "TOKENBURN_KEYS": "k", "REDIS_URL": "r", "LANG": "C"}
    assert engine_environment(given) == {"PATH": "/bin", "LANG": "C", "PYTHONUNBUFFERED": "1"}


def test_an_engine_of_a_measured_process_is_measured() -> None:
    """`make check-coverage`: without this variable of coverage.py, an engine's lines count as never run."""
    assert engine_environment({"COVERAGE_PROCESS_CONFIG": "{}"})["COVERAGE_PROCESS_CONFIG"] == "{}"


def test_events_come_in_order_and_noise_is_passed_over() -> None:
    code = """
print('{"ev":"ready","pid":5,"timestamps":"kernel"}')
print("Warning: a library prints")
print('{"ev":"what"}')
print('{"ev":"fatal","code":"c","message":"m","advice":""}')
print('{"ev":"done","end_code":"stopped","reason":"stopped: x"}')
sys.exit(3)
"""
    with engine(code) as process:
        got = [next_event(process) for _ in range(4)]
    assert got == [Ready(5, "kernel"), Fatal("c", "m", ""), Done("stopped", "stopped: x"), Exited(3)]


def test_commands_arrive_and_the_first_reason_of_a_stop_is_kept() -> None:
    code = """
sys.stdin.readline()
print('{"ev":"done","reason":' + __import__("json").dumps(sys.stdin.readline() + sys.stdin.readline()) + '}')
"""
    with engine(code) as process:
        process.go(123, 45)
        process.stop("by ann")
        process.stop("again")
        got = next_event(process)
        stop = '{"cmd":"stop","end_code":"stopped","run_end_code":"","reason":"stopped: by ann"}'
        go = '{"cmd":"go","start_mono_ns":123,"clock_error_ns":45}'
        assert got == Done("", go + "\n" + stop + "\n")
        assert process.stop_reason == "by ann"


def test_heartbeats_continue_without_the_supervisor_and_stop_an_abandoned_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_process, "BEAT_S", 0.05)
    code = """
sys.stdin.readline()
beats = 0
for line in sys.stdin:
    if '"stop"' in line:
        break
    beats += 1
print('{"ev":"done","reason":"%d"}' % beats)
"""
    with engine(code, orphan_s=1.0) as process:
        event = next_event(process)
        assert isinstance(event, Done)
        assert int(event.reason) > 1
        assert "could not renew the lease" in process.stop_reason


PAUSED = """
print('{"ev":"ready","pid":%d,"timestamps":"user"}' % os.getpid(), flush=True)
for line in sys.stdin:
    if '"stop"' in line:
        print('{"ev":"done","reason":' + line.strip().partition('"reason":')[2], flush=True)
"""


def test_a_supervisor_that_stood_still_has_time_to_renew_and_then_loses_its_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock is ahead by a minute all at once, as after a pause of the machine."""
    monkeypatch.setattr(engine_process, "BEAT_S", 0.05)
    monkeypatch.setattr(engine_process, "RESUME_S", 0.5)
    ahead, monotonic = [0.0], time.monotonic
    monkeypatch.setattr("runs.supervisor.engine_process.time.monotonic", lambda: monotonic() + ahead[0])
    with engine(PAUSED) as process:
        assert isinstance(next_event(process), Ready)
        process.keep()
        ahead[0] = 60.0
        time.sleep(0.2)
        assert process.stop_reason == "", "it was stopped before it could renew"
        process.keep()
        ahead[0] = 120.0
        event = next_event(process)
        assert isinstance(event, Done)
        assert event.reason.startswith("lease_lost: its supervisor could not renew the lease")


def test_closing_ends_an_engine_that_does_not_want_to() -> None:
    code = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"ev":"ready","pid":%d,"timestamps":"user"}' % os.getpid())
time.sleep(600)
"""
    with engine(code) as process:
        assert isinstance(next_event(process), Ready)
        assert process.close(0.2) == -signal.SIGKILL
        assert not alive(process.pid)


def test_its_stderr_tail_are_kept_short_and_without_secrets() -> None:
    with engine(f"sys.exit('x' * 9000 + ' token {SECRET}')") as process:
        next_event(process)
        process.close()
        assert len(process.stderr_tail()) <= 500
    with engine(f"sys.exit('no luck with {SECRET}')") as process:
        next_event(process)
        process.close()
        assert process.stderr_tail() == "no luck with ***"


def test_an_engine_leads_a_session_of_its_own() -> None:
    code = 'print(\'{"ev":"done","reason":"%d %d"}\' % (os.getpid(), os.getsid(0)))'
    with engine(code) as process:
        event = next_event(process)
        assert isinstance(event, Done)
        assert event.reason.split() == [str(process.pid)] * 2 != [str(os.getpid())] * 2

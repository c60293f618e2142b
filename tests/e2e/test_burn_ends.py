"""`manage.py burn` that does not reach its end: interrupted, killed, without a reader or a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.burning import FAULTLESS, LIMIT_S, Burner, database, finish, interrupt, openai, wait_until
from tests.support.processes import ROOT, Mock


@pytest.fixture(scope="module")
def burn(migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Burner:
    return Burner(migrated(tmp_path_factory.mktemp("var")))


@pytest.fixture
def mock(start_mock: Callable[..., Mock]) -> Mock:
    return start_mock(*FAULTLESS)


def test_a_reader_who_leaves_does_not_end_the_run(burn: Burner, start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--delay-ms", "300", "--tokens", "5")
    child = burn.start(*openai(mock), "--users", "2", "--duration", "7s", "--no-witness", "--prompt", "x")
    assert child.stdout is not None
    child.stdout.close()  # the first line of progress, after five seconds, finds nobody
    assert child.stderr is not None
    err = child.stderr.read()
    assert (child.wait(), err) == (0, "")
    child.stderr.close()
    last = "SELECT status, start_at, ended_at FROM runs_run ORDER BY id DESC LIMIT 1"
    ((status, start_at, ended_at),) = database(burn, last)
    assert status == "completed"
    assert datetime.fromisoformat(ended_at) - datetime.fromisoformat(start_at) > timedelta(seconds=6.9)


def test_one_interrupt_keeps_and_prints_what_there_is(burn: Burner, mock: Mock, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    argv = ("--users", "4", "--duration", "60s", "--no-witness", "--prompt", "x", "--json", str(path))
    child = burn.start(*openai(mock), *argv)
    wait_until(child, lambda: mock.stats()["answers"] > 20)
    interrupt(child)
    burnt = finish(child)
    assert burnt.code == 130
    assert burnt.line.startswith("interrupted; the results of run ")
    assert "e2e_ms" in burnt.out
    report, stats = json.loads(path.read_text()), mock.stats()
    assert report["run"]["status"] == "stopped"
    assert report["turns"]["sent"] == stats["chat_requests"]
    assert report["turns"]["ok"] >= 20
    assert report["turns"]["unknown"] == 0


def test_two_interrupts_end_at_once_and_leave_no_engine(burn: Burner, start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--delay-ms", "60000", "--error-rate", "0")
    child = burn.start(*openai(mock), "--users", "4", "--duration", "60s", "--no-witness", "--prompt", "x")
    wait_until(child, lambda: mock.stats()["in_flight"] == 4)
    ((engine,),) = database(burn, "SELECT engine_pid FROM runs_shard ORDER BY id DESC LIMIT 1")
    interrupt(child)
    wait_until(child, lambda: database(burn, "SELECT status FROM runs_run ORDER BY id DESC LIMIT 1") == [("stopping",)])
    interrupt(child)
    burnt = finish(child)
    assert burnt.code == 130
    assert burnt.line.startswith("interrupted twice")
    wait_until(mock.child, lambda: not Path(f"/proc/{engine}").exists())
    ((run,),) = database(burn, "SELECT id FROM runs_run ORDER BY id DESC LIMIT 1")
    argv = (sys.executable, "manage.py", "stop", str(run))
    stop = subprocess.run(argv, cwd=ROOT, env=burn.environment(), check=False, capture_output=True, text=True)
    assert stop.stderr.endswith("there is nothing to stop\n"), "the next command that looks at the run has ended it"


def test_after_a_kill_the_very_next_burn_ends_the_run_and_stores_it(burn: Burner, mock: Mock) -> None:
    argv = (*openai(mock), "--no-witness", "--prompt", "x", "--users", "2")
    child = burn.start(*argv, "--duration", "60s")
    wait_until(child, lambda: mock.stats()["answers"] > 20)
    child.kill()
    finish(child)
    ((run,),) = database(burn, "SELECT id FROM runs_run ORDER BY id DESC LIMIT 1")
    burnt = burn(*argv, "--conversations", "2")
    assert (burnt.code, burnt.line) == (0, f"run {run} is now stored and ended: its command was killed")
    assert database(burn, f"SELECT status FROM runs_run WHERE id = {run}") == [("failed",)]
    ((turns,),) = database(burn, f"SELECT count(*) FROM metrics_sessionmetric WHERE run_id = {run}")
    assert turns > 20


def test_a_terminal_that_is_closed_stops_the_run_in_order(burn: Burner, mock: Mock) -> None:
    argv = (*openai(mock), "--no-witness", "--prompt", "x", "--users", "2", "--duration", "60s")
    terminal, theirs = os.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", TERMINAL, "manage.py", "burn", *argv],
        cwd=ROOT,
        env=burn.environment(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.set_blocking(terminal, False)
    shown = bytearray()

    def is_shown() -> bool:
        with suppress(OSError):  # nothing new
            shown.extend(os.read(terminal, 65536))
        return mock.stats()["answers"] > 20 and b"waiting for an answer" in shown

    wait_until(child, is_shown)
    os.close(terminal)
    assert child.wait(LIMIT_S) == 130
    last = "SELECT status, reason, report IS NOT NULL FROM runs_run ORDER BY id DESC LIMIT 1"
    assert database(burn, last) == [("stopped", "interrupted", 1)]


TERMINAL = """
import fcntl, os, runpy, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv = sys.argv[1:]
sys.path.insert(0, "")
runpy.run_path("manage.py", run_name="__main__")
"""
"""Gives it the terminal, as a login does."""

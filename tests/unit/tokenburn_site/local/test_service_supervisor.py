"""A service that dies is started again, after growing pauses, and is never doubled."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tokenburn_site.local.errors import LocalServiceError
from tokenburn_site.local.process_groups import ProcessGroups
from tokenburn_site.local.service_supervisor import Service, ServiceSupervisor, last_line

SLEEP = (sys.executable, "-c", "import time; print('started', flush=True); time.sleep(600)")
DIE = (sys.executable, "-c", "raise SystemExit('cannot go on')")


class Watched:
    def __init__(self, family: ProcessGroups, log_dir: Path) -> None:
        self.said: list[str] = []
        self.supervisor = ServiceSupervisor(family, log_dir, self.said.append)

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the supervisor work until the condition holds."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, self.said
            self.supervisor.check()
            time.sleep(0.01)

    def starts(self, name: str) -> int:
        path = self.supervisor.log_path(name)
        return path.read_text().count("started") if path.exists() else 0


@pytest.fixture
def watched(family: ProcessGroups, tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(family, tmp_path)
    yield watched
    watched.supervisor.stop()


def test_a_killed_service_comes_back(watched: Watched) -> None:
    watched.supervisor.start(Service("sleeper", SLEEP, os.environ))
    watched.until(lambda: watched.starts("sleeper") == 1)
    child = watched.supervisor._kept[0].child
    os.kill(child.pid, signal.SIGKILL)
    watched.until(lambda: watched.starts("sleeper") == 2)
    assert watched.supervisor.running("sleeper")
    assert watched.said == ["sleeper was killed by signal 9; starting it again in 0.5 s"]


def test_pauses_grow_while_it_keeps_dying(watched: Watched) -> None:
    watched.supervisor.start(Service("mayfly", DIE, os.environ))
    watched.until(lambda: len(watched.said) == 3)
    assert [line.rpartition(" in ")[2] for line in watched.said] == ["0.5 s", "1 s", "2 s"]


def test_a_death_at_the_start_is_told_with_its_last_words(watched: Watched) -> None:
    watched.supervisor.start(Service("mayfly", DIE, os.environ))
    watched.supervisor._kept[0].child.wait(30)
    with pytest.raises(LocalServiceError, match=r"mayfly ended while it was starting: cannot go on \(all of it: "):
        watched.supervisor.require()


def test_a_program_that_is_not_there_is_one_line(watched: Watched) -> None:
    with pytest.raises(LocalServiceError, match=r"ghost: .*No such file"):
        watched.supervisor.start(Service("ghost", ("/nonexistent/program",), os.environ))


def test_a_higher_stage_ends_while_what_it_uses_is_still_there(family: ProcessGroups, tmp_path: Path) -> None:
    """The user of the server writes down, when it is told to end, whether the server still runs."""
    watched, seen = Watched(family, tmp_path), tmp_path / "seen"
    watched.supervisor.start(Service("server", SLEEP, os.environ, 0))
    server = watched.supervisor._kept[0].child
    look = f"""
import os, pathlib, signal, sys, time
def end(*_):
    time.sleep(0.3)
    pathlib.Path({str(seen)!r}).write_text(pathlib.Path("/proc/{server.pid}/stat").read_text().split()[2])
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("started", flush=True)
time.sleep(600)
"""
    watched.supervisor.start(Service("user", (sys.executable, "-c", look), os.environ, 1))
    watched.until(lambda: watched.starts("user") == 1 and watched.starts("server") == 1)
    watched.supervisor.stop()
    assert seen.read_text() == "S"
    assert server.poll() is not None


def test_the_end_of_a_long_log_is_put_aside(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenburn_site.local.service_supervisor.KEEP_LOG_BYTES", 10)
    path = watched.supervisor.log_path("sleeper")
    path.write_text("an old and long log\n")
    watched.supervisor.start(Service("sleeper", SLEEP, os.environ))
    watched.until(lambda: watched.starts("sleeper") == 1)
    assert path.with_suffix(".log.1").read_text() == " long log\n"
    assert path.read_text() == "started\n"


def test_the_last_line_skips_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("first\nlast\n\n")
    assert last_line(tmp_path / "log") == "last"
    assert last_line(tmp_path / "none") == "it said nothing"

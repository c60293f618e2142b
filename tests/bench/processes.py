"""Children on one core each, and what they cost."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
POLL_S = 0.02


class Finished(NamedTuple):
    """A child that has ended. `cpu_s` is its own and its children's, user and system."""

    returncode: int
    stdout: str
    stderr: str
    cpu_s: float


def pin(core: int | None) -> Callable[[], None] | None:
    """For Popen's preexec_fn: binds the child, and all that it starts, to `core`."""
    return None if core is None else lambda: os.sched_setaffinity(0, {core})


def run(
    argv: Sequence[str | Path],
    *,
    core: int,
    limit_s: float,
    env: Mapping[str, str] | None = None,
    started: Callable[[int], None] = lambda _pid: None,
) -> Finished:
    """Run `argv` to its end on `core`; `started` is called with its pid. Raises TimeoutExpired, after killing it."""
    before = _children_cpu_s()
    child = subprocess.Popen(
        argv,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=pin(core),  # noqa: PLW1509 - nothing here holds a lock across a fork
    )
    try:
        started(child.pid)
        stdout, stderr = child.communicate(timeout=limit_s)
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    return Finished(child.returncode, stdout, stderr, _children_cpu_s() - before)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def engine_on(core: int, parent: Callable[[], int]) -> Iterator[list[int]]:
    """As soon as `parent()` has an engine as a child: the engine to `core`. The parent, which stores what the engine
    writes, stays on the server's core. Yields the list into which the engine's pid is put."""
    found: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(POLL_S):
            pid = parent()
            engines = [child for child in _children(pid) if b"runs.engine" in _command_line(child)]
            if engines:
                found.append(engines[0])
                for thread in _threads(engines[0]):
                    os.sched_setaffinity(thread, {core})
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


def _children(pid: int) -> list[int]:
    """By reading every process's parent, because `/proc/PID/children` is not on every kernel."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            text = stat.read_text()
            if int(text.rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def _command_line(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _threads(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    return []

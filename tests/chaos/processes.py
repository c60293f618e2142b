"""Finding processes by their parents: what a tree of processes looks like, and what part each of them plays.

Celery may write its process titles over its command lines (`[celery beat] ...`, `[celeryd: load.1@host:MainProcess]`),
and engines get no environment of ours. So a part is told by the parent, and by words that stand in both forms.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

STOPPED, ZOMBIE = "T", "Z"
TOOK_S = 3.0
"""Within this time a signal must show."""


class Process(NamedTuple):
    pid: int
    parent: int
    state: str
    began: int
    """Clock ticks since boot: with the id, who it is."""
    line: str
    """Command line or title."""


def look(pid: int) -> Process | None:
    """None: there is no such process, or it is dead and not yet waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (OSError, ValueError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == ZOMBIE else Process(pid, int(fields[1]), fields[0], int(fields[19]), line)


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def descendants(roots: Iterable[int]) -> dict[int, Process]:
    """Those of `roots` that live, and all that come from them."""
    everyone = {pid: found for pid in _pids() if (found := look(pid))}
    return _below(everyone, set(roots))


def _below(everyone: Mapping[int, Process], found: set[int]) -> dict[int, Process]:
    while more := {pid for pid, process in everyone.items() if process.parent in found} - found:
        found |= more
    return {pid: everyone[pid] for pid in sorted(found) if pid in everyone}


def _worker(name: str) -> Callable[[str], bool]:
    pattern = re.compile(rf"(-n |celeryd: ){name}\.\d+@")
    return lambda line: pattern.search(line) is not None


SERVICES: Mapping[str, Callable[[str], object]] = {
    "load": _worker("load"),
    "control": _worker("control"),
    "beat": re.compile(r"celery beat\]|celery .*\bbeat\b").search,
    "broker": re.compile(r"(valkey|redis)-server").search,
    "web": re.compile(r"\bdaphne\b").search,
}


class Tree:
    """One moment's processes of a site and of a burn; either may be missing."""

    def __init__(self, site: int | None, burn: int | None) -> None:
        self._site = site
        self._burn = burn
        self.all = descendants(pid for pid in (site, burn) if pid is not None)

    def engines(self) -> list[int]:
        return [pid for pid, process in self.all.items() if process.line.endswith("-m runs.engine")]

    def witnesses(self) -> list[int]:
        return [pid for pid, process in self.all.items() if process.line.endswith("-m runs.engine.witness")]

    def supervisors(self) -> list[int]:
        """Parents of engines: burn itself, or pool processes of the load worker."""
        return sorted({self.all[pid].parent for pid in self.engines()} & self.all.keys())

    def service(self, name: str) -> list[int]:
        """The site's process of that name, and what it has forked: the main one first. Engines are none of it."""
        suits = SERVICES[name]
        mains = [pid for pid, each in self.all.items() if each.parent == self._site and suits(each.line)]
        own = _below(self.all, set(mains)).keys() - {*self.engines(), *self.witnesses()}
        return [*mains, *sorted(own - set(mains))]


def send(pids: Iterable[int], signum: int) -> list[int]:
    """Those that were there to get it."""
    hit = []
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
            hit.append(pid)
    return hit


def kill(pids: Iterable[int]) -> bool:
    """SIGKILL; whether there was somebody, and nobody is left."""
    hit = send(
        filter(look, pids), signal.SIGKILL
    )  # a signal to one that is dead already succeeds until it is waited for
    return bool(hit) and _within(lambda: not any(map(look, hit)))


def pause(pids: Iterable[int]) -> list[int]:
    """SIGSTOP; those that really stand still."""
    hit = send(pids, signal.SIGSTOP)
    _within(lambda: all(found.state == STOPPED for pid in hit if (found := look(pid))))
    return [pid for pid in hit if (found := look(pid)) and found.state == STOPPED]


def resume(pids: Iterable[int]) -> None:
    send(pids, signal.SIGCONT)


def _within(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + TOOK_S
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True

"""Whether the machine itself was late while a run went on, measured without the product.

Two measures. A process of its own sleeps 5 ms at a time and notes by how much each sleep was too long: a machine that
stood still, or was far too busy, shows there. And the kernel says how long each engine was ready to run and had no
processor (`/proc/PID/task/*/schedstat`), which is what a busy machine costs that engine.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.processes import ROOT
from tokenburn_site.local.family import Family

SLEEP_S: Final = 0.005
NOTED_MS: Final = 5.0
LOOK_S: Final = 0.2
MS: Final = 1e6


class Lateness(NamedTuple):
    """Of one run's load. `at_once_ms`: the longest that a sleeper overslept, or an engine waited within `LOOK_S`.
    `share`: of the time, for the engine that waited most, or for the sleeper."""

    at_once_ms: float = 0.0
    share: float = 0.0

    def __str__(self) -> str:
        return f"machine late by up to {self.at_once_ms:.0f} ms, {self.share:.1%} of the time"


class Excuse(NamedTuple):
    at_once_ms: float
    share: float


EXCUSES: Final = {
    "send_lag": Excuse(20, 0.01),
    "loop_lag": Excuse(100, 0.02),
    "engine_stalled": Excuse(500, 0.025),
    "arrivals_dropped": Excuse(20, 0.01),
    "began_late": Excuse(1000, 0.1),
}
"""How late the machine must have been for a doubt to be the machine's: about half of what raises it."""


def explains(late: Lateness, reason: str) -> bool:
    """Whether the machine's lateness alone can have raised this reason in a run that was otherwise healthy."""
    excuse = EXCUSES.get(reason)
    return excuse is not None and (late.at_once_ms >= excuse.at_once_ms or late.share >= excuse.share)


def lateness(sleeper: Iterable[tuple[int, int]], waits: Iterable[Sequence[tuple[int, int]]], span: range) -> Lateness:
    """`sleeper`: (woken at, overslept), ns. `waits`, of each engine: (looked at, waited so far), ns. `span`: the load's
    time, ns."""
    slept = [over for at, over in sleeper if span.start <= at <= span.stop]
    length = max(len(span), 1)
    at_once, share = max(slept, default=0), sum(slept) / length
    for looks in waits:
        inside = [look for look in looks if span.start <= look[0] <= span.stop]
        steps = [after[1] - before[1] for before, after in pairwise(inside)]
        at_once, share = max([at_once, *steps]), max(share, sum(steps) / length)
    return Lateness(at_once / MS, share)


def waited_ns(pid: int) -> int | None:
    """How long all threads of the process were ready to run and had no processor; None: it is gone."""
    try:
        return sum(int(path.read_text().split()[1]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    except (OSError, IndexError, ValueError):
        return None


class Watch:
    """Looks at a run's processes while it goes on. `pids`: those of its engines now."""

    def __init__(self, pids: Callable[[], list[int]]) -> None:
        self._pids = pids
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.waits: dict[int, list[tuple[int, int]]] = {}
        self._thread.start()

    def _work(self) -> None:
        looked = 0.0
        while not self._over.wait(LOOK_S):
            if time.monotonic() - looked > 1.0:
                looked = time.monotonic()
                for pid in self._pids():
                    self.waits.setdefault(pid, [])
            for pid, looks in list(self.waits.items()):
                waited = waited_ns(pid)
                if waited is not None:
                    looks.append((time.monotonic_ns(), waited))

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


class Sleeper:
    """The process's notes."""

    def __init__(self, notes: Path) -> None:
        self._notes = notes

    def notes(self) -> Iterator[tuple[int, int]]:
        for line in self._notes.read_text(encoding="ascii").splitlines():
            at, over = line.split()
            yield int(at), int(over)


@contextmanager
def sleeper(family: Family, notes: Path) -> Iterator[Sleeper]:
    notes.touch()
    child = family.start((sys.executable, "-m", "tests.chaos.machine", str(notes)), cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        yield Sleeper(notes)
    finally:
        family.stop(child)


def main() -> None:
    with Path(sys.argv[1]).open("a", encoding="ascii", buffering=1) as notes:
        while True:
            due = time.monotonic_ns() + int(SLEEP_S * 1e9)
            time.sleep(SLEEP_S)
            now = time.monotonic_ns()
            if now - due > NOTED_MS * MS:
                notes.write(f"{now} {now - due}\n")


if __name__ == "__main__":
    main()

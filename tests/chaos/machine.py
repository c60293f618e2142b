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
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.processes import ROOT
from tokenburn_site.local.process_groups import ProcessGroups

SLEEP_S: Final = 0.005
NOTED_MS: Final = 5.0
LOOK_S: Final = 0.2
STOOD_MS: Final = 100.0
"""So long within `LOOK_S` counts as standing still, as a loop's lag of so much does in a verdict."""
MS: Final = 1e6
ACCOUNTED: Final = 0.9
"""Of the late messages: the machine has to account for so many, or their lateness is the product's."""
OF_LATENESS: Final = 0.5
"""Of a message's lateness: it is the machine's if that was late for so long at that moment."""


class Lateness(NamedTuple):
    """Of one run's load. `at_once_ms`: the longest that a sleeper overslept, or an engine waited within `LOOK_S`.
    `share`: of the time, for the engine that waited most, or for the sleeper; `stood`: in pieces of `STOOD_MS` or
    more."""

    at_once_ms: float = 0.0
    share: float = 0.0
    stood: float = 0.0

    def __str__(self) -> str:
        return f"machine late by up to {self.at_once_ms:.0f} ms, {self.share:.1%} of the time"


class Excuse(NamedTuple):
    """Each is enough; 1: never."""

    at_once_ms: float
    share: float = 1.0
    stood: float = 1.0


EXCUSES: Final = {
    "loop_lag": Excuse(100),
    "engine_stalled": Excuse(500, stood=0.025),
    "began_late": Excuse(1000, share=0.1),
}
"""How late the machine must have been, at any time of the load, for a doubt to be the machine's: about half of what
raises it. Late messages and dropped arrivals are looked at one by one: see `Machine.accounts_for`."""


def explains(late: Lateness, reason: str) -> bool:
    """Whether the machine's lateness alone can have raised this reason in a run that was otherwise healthy."""
    excuse = EXCUSES.get(reason)
    return excuse is not None and any(was >= needed for was, needed in zip(late, excuse, strict=True))


class Late(NamedTuple):
    """Something that was due and took `late_ns` too long, between these two times (monotonic ns)."""

    pid: int | None
    """Of its engine; None: of any."""
    since_ns: int
    until_ns: int
    late_ns: float


@dataclass(frozen=True)
class Machine:
    """What was measured of it. `sleeper`: (woken at, overslept), ns. `waits`, of each engine by its pid: (looked at,
    waited so far), ns."""

    sleeper: Sequence[tuple[int, int]] = ()
    waits: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)

    def lateness(self, span: range) -> Lateness:
        """`span`: the load's time, ns."""
        length = max(len(span), 1)
        pieces = [[over for at, over in self.sleeper if span.start <= at <= span.stop]]
        for looks in self.waits.values():
            inside = [look for look in looks if span.start <= look[0] <= span.stop]
            pieces.append([after[1] - before[1] for before, after in pairwise(inside)])
        stood = max(sum(piece for piece in each if piece >= STOOD_MS * MS) for each in pieces)
        return Lateness(
            max(map(max, filter(None, pieces)), default=0) / MS, max(map(sum, pieces)) / length, stood / length
        )

    def accounts_for(self, late: Sequence[Late]) -> float:
        """Of these, the share of which the machine's lateness at that very moment is a good part."""
        known = sum(self._late_ns(each) >= OF_LATENESS * each.late_ns for each in late)
        return known / len(late) if late else 0.0

    def _late_ns(self, late: Late) -> int:
        slept = sum(over for at, over in self.sleeper if at >= late.since_ns and at - over <= late.until_ns)
        looks = self.waits.values() if late.pid is None else [self.waits.get(late.pid, ())]
        return max([slept, *(_waited_ns(each, late.since_ns, late.until_ns) for each in looks)])


def _waited_ns(looks: Sequence[tuple[int, int]], since_ns: int, until_ns: int) -> int:
    """Between the last look before and the first one after."""
    if not looks:
        return 0
    times = [at for at, _ in looks]
    first = max(bisect_right(times, since_ns) - 1, 0)
    last = min(bisect_left(times, until_ns), len(times) - 1)
    return looks[last][1] - looks[first][1] if last > first else 0


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
def sleeper(family: ProcessGroups, notes: Path) -> Iterator[Sleeper]:
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

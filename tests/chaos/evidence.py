"""What the target saw of a run: whose requests came when, and where they are missing. Pure but for reading its log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

HEADER: Final = "{{ session.id }}/{{ turn }} {{ session.number }}"
"""What each request says of itself; conversation i is that of engine i mod n."""
HOLE_S: Final = 1.5
"""An engine without requests for so long, while its load lasts and its target answers, has lost load."""
TRACE_S: Final = 0.3
"""Without any silence of this length no load is missing."""
AFTER_S: Final = 1.2
"""How long after a target is back its users may need to come again: engines wait up to 1 s after a failure."""
NS: Final = 1e9


class Request(NamedTuple):
    at_ns: int
    turn: str
    number: int


class Hole(NamedTuple):
    engine: int
    from_s: float
    to_s: float

    def __str__(self) -> str:
        return f"engine {self.engine + 1} sent nothing from {self.from_s:.1f} to {self.to_s:.1f} s"


def read(log: Path) -> list[Request]:
    """A line that is not whole yet is left out."""
    whole = log.read_text(encoding="ascii").rpartition("\n")[0] if log.exists() else ""
    found = []
    for line in whole.splitlines():
        at, turn, number = line.split(" ")
        found.append(Request(int(at), turn, int(number)))
    return found


def of_run(run: int, received: Iterable[Request]) -> tuple[list[Request], list[Request]]:
    """Requests of its engines, and those of its witness."""
    own = [request for request in received if request.turn.startswith(f"tb-{run}-")]
    witness = [request for request in own if request.turn.startswith(f"tb-{run}-w")]
    return [request for request in own if not request.turn.startswith(f"tb-{run}-w")], witness


def holes(
    engines: Sequence[Request],
    processes: int,
    duration_s: float,
    away: Sequence[tuple[float, float]] = (),
    least_s: float = HOLE_S,
) -> list[Hole]:
    """Where load is missing for `least_s` or more, in s since the first request. `away`: when the target could not be
    asked; a hole that this explains is none."""
    if not engines:
        return [Hole(engine, 0.0, duration_s) for engine in range(processes)]
    start_ns = min(request.at_ns for request in engines)
    found = []
    for engine in range(processes):
        times = sorted((r.at_ns - start_ns) / NS for r in engines if r.number % processes == engine)
        edges = [0.0, *(at_s for at_s in times if at_s < duration_s), duration_s]
        for before, after in pairwise(edges):
            missing = after - before - sum(_overlap(before, after, since, until + AFTER_S) for since, until in away)
            if missing >= least_s:
                found.append(Hole(engine, before, after))
    return found


def _overlap(before: float, after: float, since: float, until: float) -> float:
    return max(0.0, min(after, until) - max(before, since))

"""What is done to a run, derived from its seed alone: the same seed gives the same faults at the same moments."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

WITNESS_S: Final = 10
"""The shortest load that has a witness beside it."""
DURATIONS_S: Final = (6, 8, WITNESS_S)
FIRST_S: Final = 1.0
"""The first fault comes at least so long after the first request."""
TAIL_S: Final = 3.0
"""The last fault comes at least so long before the load's end, so that there is load to lose."""
APART_S: Final = 0.3
"""Between two faults: what ends a run must not do so before the other one has hit."""
LEVELS: Final = ("--users 8", "--users 16", "--rate 100/s")
PAUSE_S: Final = 2.5
LONG_PAUSE_S: Final = 12.0
OUTAGE_S: Final = 3.0
LONG_OUTAGE_S: Final = 30.0
RESTART_S: Final = 1.5
CLOCK_STEP_S: Final = 120
HEALTHY: Final = "none"

ENGINE_LOST: Final = frozenset({"engine_died", "load_missing", "turns_unknown"})
LOSS: Final = ENGINE_LOST | {"arrivals_dropped"}
"""What was due when an engine was stopped is dropped."""
STOOD_STILL: Final = frozenset({"engine_stalled", "send_lag", "loop_lag", "arrivals_dropped"})
TARGET_AWAY: Final = frozenset(
    {"no_ok_turns", "stopped_answering", "hang_not_judged", "witness_disagrees", "cpu_saturated", "arrivals_dropped"}
)
STOPPED: Final = frozenset({"arrivals_dropped"})
NOTHING: Final[frozenset[str]] = frozenset()
DATABASES: Final = ("sqlite", "postgresql")
BOTH, BURN, FARM = ("burn", "farm"), ("burn",), ("farm",)


class Kind(NamedTuple):
    """One fault. `must`: the verdict has to give at least one of these reasons; empty: none has to be given, unless the
    target's count shows that load is missing. `may`: reasons that are true of it; any other is a false alarm."""

    ways: tuple[str, ...]
    must: frozenset[str] = NOTHING
    may: frozenset[str] = NOTHING
    lasts_s: float = 0.0
    kin: str = ""
    """Words; faults that share one are not paired: the second would find nothing to hit."""
    ends: bool = False
    """It ends the run, or most of it: nothing that comes later can be sure to hit. It comes last in a pair."""
    by_person: bool = False
    """A person ends the run with it: the status `stopped` says that load is missing."""
    spoils: bool = False
    """The site is not used again."""
    needs_s: int = 0
    """The load lasts this long instead of a time drawn from `DURATIONS_S`."""


KINDS: Final[dict[str, Kind]] = {
    "kill_engine": Kind(BOTH, ENGINE_LOST, LOSS, kin="end", ends=True),
    "pause_engine": Kind(BOTH, frozenset({"engine_stalled"}), STOOD_STILL, lasts_s=PAUSE_S),
    "pause_everything": Kind(BOTH, frozenset({"engine_stalled"}), STOOD_STILL | TARGET_AWAY, lasts_s=PAUSE_S),
    "kill_witness": Kind(BOTH, needs_s=WITNESS_S),
    "disk_full": Kind(BOTH, may=LOSS | STOOD_STILL, lasts_s=OUTAGE_S, kin="end", ends=True),
    "clock_ahead": Kind(BOTH, kin="clock", spoils=True),
    "clock_back": Kind(BOTH, kin="clock", spoils=True),
    "database_away": Kind(BOTH, lasts_s=OUTAGE_S, kin="database"),
    "database_away_long": Kind(BOTH, may=LOSS, lasts_s=LONG_OUTAGE_S, kin="database", needs_s=32),
    "target_stands_still": Kind(BOTH, may=TARGET_AWAY, lasts_s=PAUSE_S, kin="target"),
    "target_dies": Kind(BOTH, may=TARGET_AWAY, kin="target"),
    "target_restarts": Kind(BOTH, may=TARGET_AWAY, lasts_s=RESTART_S, kin="target"),
    "kill_burn": Kind(BURN, ENGINE_LOST, LOSS, kin="end", ends=True),
    "hang_up_burn": Kind(BURN, may=LOSS, kin="end", ends=True, by_person=True),
    "interrupt_burn": Kind(BURN, may=STOPPED, kin="end", ends=True, by_person=True),
    "terminate_burn": Kind(BURN, may=STOPPED, kin="end", ends=True, by_person=True),
    "pause_burn": Kind(BURN, lasts_s=PAUSE_S, kin="supervisor"),
    "pause_burn_long": Kind(BURN, may=LOSS, lasts_s=LONG_PAUSE_S, kin="supervisor"),
    "kill_supervisor": Kind(FARM, ENGINE_LOST, LOSS, kin="end", ends=True),
    "pause_supervisor": Kind(FARM, lasts_s=PAUSE_S, kin="supervisor"),
    "pause_supervisor_long": Kind(FARM, may=LOSS, lasts_s=LONG_PAUSE_S, kin="supervisor"),
    "kill_worker": Kind(FARM, ENGINE_LOST, LOSS, kin="end", ends=True),
    "terminate_worker": Kind(FARM, frozenset({"load_missing"}), LOSS, kin="end", ends=True),
    "kill_control": Kind(FARM),
    "kill_beat": Kind(FARM),
    "kill_broker": Kind(FARM, kin="broker"),
    "pause_broker": Kind(FARM, lasts_s=PAUSE_S, kin="broker"),
    "kill_follower": Kind(FARM, kin="follower"),
    "interrupt_follower": Kind(FARM, may=STOPPED, kin="end follower", ends=True, by_person=True),
    "kill_up": Kind(FARM, ENGINE_LOST, LOSS, kin="end", ends=True, spoils=True),
    "terminate_up": Kind(FARM, frozenset({"load_missing"}), LOSS, kin="end", ends=True, spoils=True),
}


class Fault(NamedTuple):
    kind: str
    at_s: float
    """Since the target's first request."""


@dataclass(frozen=True)
class Case:
    seed: int
    database: str
    way: str
    processes: int
    level: str
    """What burn is told of the load: users of a closed loop, or arrivals."""
    duration_s: int
    faults: tuple[Fault, ...]

    @property
    def kinds(self) -> list[Kind]:
        return [KINDS[fault.kind] for fault in self.faults]

    @property
    def rate_per_s(self) -> float | None:
        """None: users of a closed loop, of whom none is dropped."""
        flag, value = self.level.split()
        return float(value.removesuffix("/s")) if flag == "--rate" else None

    @property
    def with_clock(self) -> bool:
        """Whether its processes' wall clock must be one that can be set."""
        return any(kind.kin == "clock" for kind in self.kinds)

    @property
    def spoils(self) -> bool:
        return any(kind.spoils for kind in self.kinds)

    def __str__(self) -> str:
        faults = ", ".join(f"{fault.kind} at {fault.at_s:.1f} s" for fault in self.faults) or "no fault"
        load = f"{self.level.removeprefix('--')} for {self.duration_s} s"
        return f"seed {self.seed}: {self.way} on {self.database}, {self.processes} engines, {load}, {faults}"


@cache
def deck() -> tuple[tuple[str, str, str], ...]:
    """Every way, database and fault there is, and runs without one, shuffled once: seeds take them in turn, so that as
    many runs as there are cards try everything."""
    cards = [(way, database, name) for name, kind in KINDS.items() for way in kind.ways for database in DATABASES]
    cards += 3 * [(way, database, HEALTHY) for way in BOTH for database in DATABASES]
    random.Random(0).shuffle(cards)
    return tuple(cards)


def case_of(seed: int) -> Case:
    """One run in ten has no fault; of the others four in ten have two."""
    rng = random.Random(seed)
    way, database, first = deck()[seed % len(deck())]
    names = [] if first == HEALTHY else [first]
    if names and rng.random() < 0.4:
        names.append(_second(rng, way, first))
    names.sort(key=lambda name: KINDS[name].ends)  # stable: what ends the run comes last
    duration_s = max([KINDS[name].needs_s for name in names], default=0) or rng.choice(DURATIONS_S)
    last_s = min(float(duration_s), DURATIONS_S[-1]) - TAIL_S  # of a longer load, engines may be gone by its end
    times = sorted(rng.uniform(FIRST_S, last_s) for _ in names)
    if "database_away_long" in names:  # the load must outlast what an engine does without its supervisor's lease
        times[names.index("database_away_long")] = FIRST_S
        times.sort()
    if len(times) == 2 and times[1] - times[0] < APART_S:
        times[1] = min(times[0] + APART_S, last_s)
        times[0] = times[1] - APART_S
    faults = tuple(Fault(name, round(at_s, 1)) for name, at_s in zip(names, times, strict=True))
    return Case(seed, database, way, rng.choice([1, 2]), rng.choice(LEVELS), duration_s, faults)


def _second(rng: random.Random, way: str, first: str) -> str:
    kin = set(KINDS[first].kin.split())
    fitting = [name for name, kind in KINDS.items() if way in kind.ways and not kin & set(kind.kin.split())]
    return rng.choice([name for name in fitting if name != first])

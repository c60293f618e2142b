"""What is done to a run, derived from its seed alone: the same seed gives the same faults at the same moments."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, NamedTuple

DURATION_S: Final = 10.0
"""The shortest run that has a witness beside it."""
FROM_S, TO_S = 2.0, 7.0
"""Within these seconds of the load faults begin."""


class Kind(NamedTuple):
    """`ways`: where it can happen. `costs`: load, time or an engine is lost, so that a run must not be trusted;
    False: nothing is lost; None: it depends on the moment, and only the account must be right."""

    ways: frozenset[str]
    costs: bool | None


BOTH, BURN, FARM = frozenset({"burn", "farm"}), frozenset({"burn"}), frozenset({"farm"})
KINDS: Final[dict[str, Kind]] = {
    "kill_engine": Kind(BOTH, costs=True),
    "pause_engine": Kind(BOTH, costs=True),
    "kill_witness": Kind(BOTH, costs=None),
    "kill_burn": Kind(BURN, costs=True),
    "pause_burn": Kind(BURN, costs=None),
    "hang_up_burn": Kind(BURN, costs=True),
    "interrupt_burn": Kind(BURN, costs=None),
    "kill_pool_child": Kind(FARM, costs=True),
    "kill_worker": Kind(FARM, costs=True),
    "kill_beat": Kind(FARM, costs=False),
    "kill_broker": Kind(FARM, costs=None),
    "database_away": Kind(BOTH, costs=None),
    "target_stands_still": Kind(BOTH, costs=None),
    "target_dies": Kind(BOTH, costs=None),
}
NEEDS_POSTGRESQL: Final = frozenset({"database_away"})
PAUSE_S: Final = 2.5


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
    users: int
    faults: tuple[Fault, ...]

    @property
    def costs(self) -> bool | None:
        """As `Kind.costs`, of all its faults together."""
        found = {KINDS[fault.kind].costs for fault in self.faults}
        return True if True in found else None if None in found else False

    def __str__(self) -> str:
        faults = ", ".join(f"{fault.kind} at {fault.at_s:.1f} s" for fault in self.faults) or "no fault"
        return f"seed {self.seed}: {self.way} on {self.database}, {self.processes} engines, {faults}"


def case_of(seed: int) -> Case:
    """One run in eight has no fault, the others one or two."""
    rng = random.Random(seed)
    database, way = rng.choice(["sqlite", "postgresql"]), rng.choice(["burn", "farm"])
    kinds = [
        name
        for name, kind in KINDS.items()
        if way in kind.ways and (database == "postgresql" or name not in NEEDS_POSTGRESQL)
    ]
    chosen = rng.sample(kinds, rng.choices([0, 1, 2], [1, 4, 3])[0])
    faults = sorted((Fault(kind, rng.uniform(FROM_S, TO_S)) for kind in chosen), key=lambda fault: fault.at_s)
    return Case(seed, database, way, rng.choice([1, 2]), rng.choice([4, 12]), tuple(faults))

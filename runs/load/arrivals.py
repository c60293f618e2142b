"""Times of arrivals. Each shard computes the whole plan and takes its share, so the union of all shards equals the plan
of a single one, without a coordinator.

Arrivals are made for a rate of one a unit, and then placed where the area below the load's rate reaches them (time
rescaling: exact for constant gaps and for a Poisson process alike, whatever the rate does). A trace's own times are
such areas too, and its speed is the rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from random import Random

from runs.load.levels import Level, level_of
from runs.load.profile import ClosedLoad, OpenLoad, TraceLoad
from runs.load.trace import unpack

Arriving = OpenLoad | TraceLoad


def level_for(load: Arriving) -> Level:
    """The rate of an open loop, or the speed of a trace, until the load ends."""
    if isinstance(load, TraceLoad):
        return level_of(load.speed, (), load.duration_s)
    return level_of(load.rate_per_s, load.stages, load.duration_s)


def areas(load: Arriving, seed: int) -> Iterator[float]:
    """Where the whole plan's arrivals are, as areas below the level, ascending.

    Poisson: gaps drawn from the exponential distribution with mean 1, from `seed` alone.
    """
    if isinstance(load, TraceLoad):
        return islice(unpack(load.arrivals), load.conversations)
    # Constant: from the start on, but not while the rate is zero.
    made = iter(count(0 if load.rate_per_s else 1)) if load.arrivals == "constant" else _poisson(seed)
    return islice(made, load.conversations)


def own_areas(load: Arriving, seed: int, index: int, of: int) -> Iterator[tuple[int, float]]:
    """(number in the whole plan, area) of the arrivals that belong to shard `index` of `of`."""
    return islice(enumerate(areas(load, seed)), index, None, of)


def arrivals(load: Arriving, seed: int) -> Iterator[int]:
    """All arrivals of the whole plan, in ns since the start, ascending."""
    level = level_for(load)
    for area in areas(load, seed):
        at_ns = arrival_ns(level, area)
        if at_ns is None:
            return
        yield at_ns


def arrival_ns(level: Level, area: float) -> int | None:
    """When the arrival at `area` is planned, in ns since the start; None if `level` never gets there."""
    at_s = level.time_of_area(area)
    return None if at_s is None else int(at_s * 1e9)


def _poisson(seed: int) -> Iterator[float]:
    gap = Random(f"arrivals:{seed}").expovariate
    area = 0.0
    while True:
        area += gap(1.0)
        yield area


def jitter_ns(load: ClosedLoad, seed: int, user: int) -> int:
    """Additional start delay of a user in a closed loop."""
    if not load.start_jitter_s:
        return 0
    drawn = Random(f"jitter:{seed}:{user}").random()
    return int(drawn * load.start_jitter_s * 1e9)

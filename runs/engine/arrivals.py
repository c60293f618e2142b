"""When conversations arrive in an open loop. Each shard computes the whole plan and takes its own share of it, so
that the union over all shards is the one-shard plan exactly, and nobody deals out work.

Arrivals are made for a rate of one a unit, and then placed where the area below the load's rate reaches them (time
rescaling: exact for constant gaps and for a Poisson process alike, whatever the rate does).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from random import Random

from runs.engine.levels import Level
from runs.engine.spec import ClosedLoad, OpenLoad


def arrivals(load: OpenLoad, seed: int) -> Iterator[int]:
    """All arrivals of the whole plan, in ns since the start, ascending.

    Poisson: gaps drawn from the exponential distribution with mean 1/rate, from `seed` alone.
    """
    areas = _constant(load) if load.arrivals == "constant" else _poisson(seed)
    times = _staged(load, areas) if load.stages else _steady(load, areas)
    return islice(times, load.conversations)


def share(load: OpenLoad, seed: int, index: int, of: int) -> Iterator[tuple[int, int]]:
    """(number in the whole plan, ns since the start) of the arrivals that belong to shard `index` of `of`."""
    return islice(enumerate(arrivals(load, seed)), index, None, of)


def _steady(load: OpenLoad, areas: Iterator[float]) -> Iterator[int]:
    end_ns = None if load.duration_s is None else int(load.duration_s * 1e9)
    for area in areas:
        at_ns = int(area * 1e9 / load.rate_per_s)
        if end_ns is not None and at_ns >= end_ns:
            return
        yield at_ns


def _staged(load: OpenLoad, areas: Iterator[float]) -> Iterator[int]:
    level = Level(load.rate_per_s, load.stages)
    for area in areas:
        at_s = level.time_of_area(area)
        if at_s is None:
            return
        yield int(at_s * 1e9)


def _constant(load: OpenLoad) -> Iterator[float]:
    """From the first moment on, but not while the rate is still zero."""
    return iter(count(0 if load.rate_per_s else 1))


def _poisson(seed: int) -> Iterator[float]:
    gap = Random(f"arrivals:{seed}").expovariate  # noqa: S311 - a plan, not a secret
    area = 0.0
    while True:
        area += gap(1.0)
        yield area


def jitter_ns(load: ClosedLoad, seed: int, user: int) -> int:
    """How much later a user of a closed loop begins."""
    if not load.start_jitter_s:
        return 0
    drawn = Random(f"jitter:{seed}:{user}").random()  # noqa: S311 - a plan, not a secret
    return int(drawn * load.start_jitter_s * 1e9)

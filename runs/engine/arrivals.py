"""When conversations arrive in an open loop. Each shard computes the whole plan and takes its own share of it, so
that the union over all shards is the one-shard plan exactly, and nobody deals out work."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random

from runs.engine.spec import OpenLoad


def arrivals(load: OpenLoad, seed: int) -> Iterator[int]:
    """All arrivals of the whole plan, in ns since the start, ascending.

    Poisson: gaps drawn from the exponential distribution with mean 1/rate, from `seed` alone.
    """
    end_ns = None if load.duration_s is None else int(load.duration_s * 1e9)
    times = _constant(load.rate_per_s) if load.arrivals == "constant" else _poisson(load.rate_per_s, seed)
    for at_ns in islice(times, load.conversations):
        if end_ns is not None and at_ns >= end_ns:
            return
        yield at_ns


def share(load: OpenLoad, seed: int, index: int, of: int) -> Iterator[tuple[int, int]]:
    """(number in the whole plan, ns since the start) of the arrivals that belong to shard `index` of `of`."""
    return islice(enumerate(arrivals(load, seed)), index, None, of)


def _constant(rate_per_s: float) -> Iterator[int]:
    number = 0
    while True:
        yield int(number * 1e9 / rate_per_s)
        number += 1


def _poisson(rate_per_s: float, seed: int) -> Iterator[int]:
    gap = Random(f"arrivals:{seed}").expovariate  # noqa: S311 - a plan, not a secret
    at_s = 0.0
    while True:
        at_s += gap(rate_per_s)
        yield int(at_s * 1e9)

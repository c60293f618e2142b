"""Chooses the next level of a search from the levels tried so far. Pure; independent of time and measurements.

From where it begins the level is doubled while it is good (or halved while it is bad), then the interval between the
highest good and the lowest bad level is halved until they are close enough. Measurements are noisy, and a good level
above a bad one is possible; so each level is what most of its measurements say, a first bad one at the beginning
(cold caches, new connections) is repeated, and in the end both sides of the limit are measured a second time. Where
two measurements of a level differ, a third decides, and the search goes on from what it says.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

LONGER: Final = 4
"""Maximum time for measuring a level with too few turns, as a multiple of `measure_s`."""
STEP: Final = 2.0
CONFIRMED: Final = 2
DIGITS: Final = 4


class Sample(NamedTuple):
    level: float
    good: bool


class Scale(NamedTuple):
    """Limits of a search: see `runs.load.search.Search`. `whole`: levels are users."""

    start: float
    low: float
    high: float
    precision: float
    whole: bool


class Bracket(NamedTuple):
    """The limit lies above `good` and below `bad`; None: no such level is known."""

    good: float | None
    bad: float | None


def bracket(tried: Sequence[Sample]) -> Bracket:
    """The lowest bad level, and the highest good one below it."""
    says = {level: votes for level, votes in _votes(tried).items() if votes[True] != votes[False]}
    bad = min((level for level, votes in says.items() if votes[False] > votes[True]), default=None)
    good = (level for level, votes in says.items() if votes[True] > votes[False] and (bad is None or level < bad))
    return Bracket(max(good, default=None), bad)


def next_level(scale: Scale, tried: Sequence[Sample]) -> float | None:
    """The level to measure now; None: the search is over and `bracket` is its result."""
    if not tried:
        return scale.start
    votes = _votes(tried)
    if undecided := [level for level, said in votes.items() if said[True] == said[False]]:
        return undecided[0]
    good, bad = bracket(tried)
    if bad is None:
        highest = max(votes)  # all are good
        return None if highest >= scale.high else min(scale.high, _rounded(highest * STEP, scale))
    if good is None:
        if votes[bad].total < CONFIRMED and bad in {scale.start, scale.low}:
            return bad
        return None if bad <= scale.low else max(scale.low, _rounded(bad / STEP, scale))
    if not _close(good, bad, scale):
        return _between(good, bad, scale)
    return next((level for level in (good, bad) if votes[level].total < CONFIRMED), None)


class _Votes(defaultdict[bool, int]):
    @property
    def total(self) -> int:
        return self[True] + self[False]


def _votes(tried: Sequence[Sample]) -> dict[float, _Votes]:
    found: dict[float, _Votes] = {}
    for level, good in tried:
        found.setdefault(level, _Votes(int))[good] += 1
    return found


def _close(good: float, bad: float, scale: Scale) -> bool:
    limit = scale.precision * bad
    return bad - good <= (max(1.0, limit) if scale.whole else limit)


def _between(good: float, bad: float, scale: Scale) -> float:
    middle = _rounded((good + bad) / 2, scale)
    return middle if good < middle < bad else (good + bad) / 2


def _rounded(level: float, scale: Scale) -> float:
    """Whole users, or a rate rounded to a readable number of digits."""
    if scale.whole:
        return float(math.floor(level))
    return float(f"{level:.{DIGITS}g}")

"""Chooses the scenario of a conversation in a mix, and its number within that scenario. Pure.

Every engine draws the same from the seed alone. Each knows from the numbers of all earlier conversations how many of
them had the same scenario, so rows of data need no coordinator.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Final, Protocol

MOST_DRAWS: Final = 1_000_000
"""Maximum number of conversations that are checked for the end of the rows: about ten seconds of work."""


class _Rng(Protocol):
    def choices(self, population: Sequence[int], weights: Sequence[float]) -> list[int]: ...


def drawn(rng: _Rng, weights: Sequence[float]) -> int:
    """The first thing that a conversation of a mix draws: the index of its scenario."""
    return rng.choices(range(len(weights)), weights)[0]


def session_rng(seed: int, number: int) -> Random:
    """What conversation `number` of a run draws from."""
    return Random(f"{seed}:{number}")


class Numbers:
    """For each conversation, in ascending order: how many earlier ones, over all engines, have its scenario."""

    def __init__(self, seed: int, weights: Sequence[float]) -> None:
        self._seed, self._weights = seed, weights
        self._before = [0] * len(weights)
        self._next = 0

    def of(self, number: int, which: int) -> int:
        """Of conversation `number`, which holds scenario `which`, its number among those of that scenario, from 0."""
        for earlier in range(self._next, number):
            self._before[drawn(session_rng(self._seed, earlier), self._weights)] += 1
        self._next = max(self._next, number)
        return self._before[which]


def conversations_with_rows(
    at_most: Sequence[int | None], weights: Sequence[float], seed: int, limit: int | None
) -> int | None:
    """How many conversations can start until one would find no row, at most `limit`; None: unlimited.

    `at_most` says for how many conversations each scenario has rows. Raises ValueError if that cannot be told in
    reasonable time.
    """
    if all(most is None for most in at_most):
        return limit
    if len(at_most) == 1:
        return min(most for most in (at_most[0], limit) if most is not None)
    left = list(at_most)
    for number in range(limit) if limit is not None else count():
        which = drawn(session_rng(seed, number), weights)
        most = left[which]
        if most == 0:
            return number
        if most is not None:
            left[which] = most - 1
        if number >= MOST_DRAWS:
            raise ValueError(
                f"after {MOST_DRAWS:,} conversations there are still rows that are used once:"
                " give a number of conversations, or a greater weight to the scenario that has them"
            )
    return limit

"""A load that changes with time: straight lines from level to level. Pure; times are seconds since the start.

A level is a number of users or a rate. User `i` is there while the level is above `i`, and arrivals come where the
area below the rate reaches their numbers: so each engine knows its own share from the load alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from runs.engine.spec import Stage


class Piece(NamedTuple):
    """The level goes from `begin` to `end` between two times; `area` lies below it up to its own beginning."""

    begin_s: float
    end_s: float
    begin: float
    end: float
    area: float

    @property
    def slope(self) -> float:
        return (self.end - self.begin) / (self.end_s - self.begin_s)


class Level:
    """`start` is the level before the first stage. A stage of no length is a jump."""

    def __init__(self, start: float, stages: Sequence[Stage]) -> None:
        times = list(accumulate((stage.duration_s for stage in stages), initial=0.0))
        levels = [start, *(stage.to for stage in stages)]
        self.end_s = times[-1]
        self.peak = max(levels)
        self.pieces: list[Piece] = []
        area = 0.0
        for (begin_s, end_s), (begin, end) in zip(pairwise(times), pairwise(levels), strict=True):
            if end_s > begin_s:
                self.pieces.append(Piece(begin_s, end_s, begin, end, area))
                area += (end_s - begin_s) * (begin + end) / 2
        self.area = area

    def at(self, at_s: float) -> float:
        """The level at a time; 0 after the end."""
        for piece in self.pieces:
            if at_s < piece.end_s:
                return piece.begin + piece.slope * (at_s - piece.begin_s)
        return 0.0

    def times_above(self, number: int) -> list[tuple[float, float]]:
        """When the level is above `number`, as (begin, end) in order: the presence of user `number`."""
        found: list[tuple[float, float]] = []
        for piece in self.pieces:
            span = _above(piece, number)
            if span is None:
                continue
            if found and found[-1][1] == span[0]:
                span = (found.pop()[0], span[1])
            found.append(span)
        return found

    def time_of_area(self, area: float) -> float | None:
        """When the area below the level reaches `area`; None if it never does."""
        if area >= self.area:
            return None
        piece = next(piece for piece in reversed(self.pieces) if piece.area <= area)
        return piece.begin_s + _run(piece, area - piece.area)


def _above(piece: Piece, number: int) -> tuple[float, float] | None:
    low, high = min(piece.begin, piece.end), max(piece.begin, piece.end)
    if high <= number:
        return None
    if low > number or (low == number and piece.begin == number):
        # Rising from exactly `number` it is above at once.
        return piece.begin_s, piece.end_s
    share = (number - piece.begin) / (piece.end - piece.begin)  # the slope of a tiny step may be rounded to 0
    crossing = piece.begin_s + share * (piece.end_s - piece.begin_s)
    return (crossing, piece.end_s) if piece.end > piece.begin else (piece.begin_s, crossing)


def _run(piece: Piece, area: float) -> float:
    """How far into the piece `area` is reached: the root of begin * x + slope / 2 * x^2 = area."""
    if abs(piece.slope) < 1e-12:
        return area / piece.begin
    root = math.sqrt(max(0.0, piece.begin**2 + 2 * piece.slope * area))
    return 2 * area / (piece.begin + root) if piece.begin + root else 0.0

"""A load that changes linearly over time. Pure; times are seconds since the start.

A level is a number of users, a rate, or the speed of a trace. User `i` is there while the level is above `i`, and
arrivals come where the area below the rate reaches their numbers: so each engine knows its own share from the load
alone, and from the changes that everybody is told.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from runs.load.profile import Stage


class Piece(NamedTuple):
    """The level changes linearly from `begin` to `end` between two times; `area` is the integral up to its start.

    `end_s` may be infinite if the level stays the same. `slope` stands for itself, so that a piece which is cut short
    still has the very same values.
    """

    begin_s: float
    end_s: float
    begin: float
    end: float
    slope: float
    area: float

    def at(self, at_s: float) -> float:
        return self.begin + self.slope * (at_s - self.begin_s)

    def cut(self, end_s: float) -> Piece:
        return self._replace(end_s=end_s, end=self.at(end_s))

    @property
    def area_after(self) -> float:
        if self.begin == self.end == 0.0:
            return self.area
        return self.area + (self.end_s - self.begin_s) * (self.begin + self.end) / 2


class Crossing(NamedTuple):
    """User `number` joins or leaves."""

    at_s: float
    number: int
    comes: bool


class Level:
    """Pieces in order, without gaps, from 0 to `end_s`. See `level_of`."""

    def __init__(self, pieces: Sequence[Piece], end_s: float) -> None:
        self.pieces = tuple(pieces)
        self.end_s = end_s
        self.area = pieces[-1].area_after if pieces else 0.0
        self.peak = max((max(piece.begin, piece.end) for piece in pieces), default=0.0)
        self._areas = [piece.area for piece in pieces]

    def at(self, at_s: float) -> float:
        """The level at a time; 0 after the end."""
        for piece in self.pieces:
            if at_s < piece.end_s:
                return piece.at(at_s)
        return 0.0

    def changed(self, at_s: float, to: float) -> Level:
        """The same until `at_s`, then `to` until the end instead of what followed."""
        if at_s >= self.end_s:
            return self
        kept = [piece if piece.end_s <= at_s else piece.cut(at_s) for piece in self.pieces if piece.begin_s < at_s]
        area = kept[-1].area_after if kept else 0.0
        return Level([*kept, Piece(at_s, self.end_s, to, to, 0.0, area)], self.end_s)

    def crossings(self, there: int = 0, after_s: float = 0.0) -> Iterator[Crossing]:
        """The users that start and leave from `after_s` on, in order, if users 0 to `there` - 1 are present just before
        it."""
        for piece in self.pieces:
            if piece.end_s <= after_s:
                continue
            at_s = max(piece.begin_s, after_s)
            level = piece.at(at_s)
            # Rising from exactly a user's number it is above at once.
            now = min(math.floor(level) + 1, math.ceil(piece.end)) if piece.slope > 0 else math.ceil(level)
            yield from (Crossing(at_s, number, True) for number in range(there, now))
            yield from (Crossing(at_s, number, False) for number in reversed(range(now, there)))
            there = math.ceil(piece.end) if piece.slope else now
            yield from (Crossing(_reaches(piece, number), number, True) for number in range(now, there))
            yield from (Crossing(_reaches(piece, number), number, False) for number in reversed(range(there, now)))

    def time_of_area(self, area: float) -> float | None:
        """When the area below the level reaches `area`; None if it does not before the end."""
        if area >= self.area:
            return None
        piece = self.pieces[bisect_right(self._areas, area) - 1]
        at_s = piece.begin_s + _run(piece, area - piece.area)
        return at_s if at_s < self.end_s else None  # 50 a second for 1.1 s have an area of 55.00000000000001


def level_of(start: float, stages: Sequence[Stage] = (), duration_s: float | None = None) -> Level:
    """The level of a load: through its stages, or constant for `duration_s`, or forever without either. `start` is the
    level before the first stage. A stage of zero length is a jump."""
    if not stages:
        end_s = math.inf if duration_s is None else duration_s
        return Level([Piece(0.0, end_s, start, start, 0.0, 0.0)], end_s)
    times = list(accumulate((stage.duration_s for stage in stages), initial=0.0))
    levels = [start, *(stage.to for stage in stages)]
    pieces: list[Piece] = []
    for (begin_s, end_s), (begin, end) in zip(pairwise(times), pairwise(levels), strict=True):
        if end_s > begin_s:
            area = pieces[-1].area_after if pieces else 0.0
            pieces.append(Piece(begin_s, end_s, begin, end, (end - begin) / (end_s - begin_s), area))
    return Level(pieces, times[-1])


def _reaches(piece: Piece, number: int) -> float:
    share = (number - piece.begin) / (piece.end - piece.begin)  # the slope of a tiny step may be rounded to 0
    return piece.begin_s + share * (piece.end_s - piece.begin_s)


def _run(piece: Piece, area: float) -> float:
    """How far into the piece `area` is reached: the root of begin * x + slope / 2 * x^2 = area."""
    root = math.sqrt(max(0.0, piece.begin**2 + 2 * piece.slope * area))
    return 2 * area / (piece.begin + root) if piece.begin + root else 0.0

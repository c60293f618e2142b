"""How many conversations have arrived up to a time of an open load or of a trace. Pure. Times in seconds."""

from __future__ import annotations

from bisect import bisect_right

from runs.load.levels import level_of
from runs.load.profile import OpenLoad


class CountByRate:
    """Arrivals as the area below a rate. `last_s`: when the last one comes."""

    def __init__(self, load: OpenLoad) -> None:
        self._level = level = level_of(load.rate_per_s, load.stages, load.duration_s)
        self._most = float("inf") if load.conversations is None else float(load.conversations)
        last_s = None if load.conversations is None else level.time_of_area(self._most)
        self.last_s = level.end_s if last_s is None else last_s

    def until(self, at_s: float) -> float:
        area = 0.0
        for piece in self._level.pieces:
            if piece.begin_s < at_s:
                area = (piece if piece.end_s <= at_s else piece.cut(at_s)).area_after
        return min(area, self._most)


class CountByTimes:
    """Arrivals at given times, in ascending order. `last_s`: when the last one comes."""

    def __init__(self, times_s: list[float]) -> None:
        self._times_s = times_s
        self.last_s = times_s[-1] if times_s else 0.0

    def until(self, at_s: float) -> float:
        return float(bisect_right(self._times_s, at_s))

"""Periods in which no turn of a run succeeded. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

from metrics.analysis.totals import Aggregate
from metrics.definitions import MS

SILENT_SHARE: Final = 0.1
"""Of the load."""
SILENT_S: Final = 2.0
TIMES_TYPICAL: Final = 2
"""A pause is this multiple of the 90th percentile of answer times, or longer."""
NS_PER_S: Final = 1_000_000_000


class Silence(NamedTuple):
    """For how long no turn was ok before the end of the counted load, after `end_s` s, and how many turns failed since
    the last good one."""

    silent_s: float
    end_s: float
    failed: int

    @property
    def words(self) -> str:
        return f"No turn succeeded in the last {self.silent_s:.0f} of {self.end_s:.0f} s"


def silence_at_end(aggregate: Aggregate, end_s: float | None) -> Silence | None:
    """The silence before the end of the load. None: a turn was ok shortly before it, none ever was (reported
    otherwise), or the end (`end_s`) is unknown."""
    if not aggregate.outcomes["ok"] or end_s is None:
        return None
    last = max(index for index, point in aggregate.points.items() if point.ok)
    silent_s = end_s - (last + 1) * aggregate.point_s
    if silent_s < _least_s(end_s):
        return None
    return Silence(silent_s, end_s, sum(point.failed for index, point in aggregate.points.items() if index > last))


def longest_pause(aggregate: Aggregate, end_s: float | None) -> tuple[int, int] | None:
    """The longest span (s since the start) in which no turn was ok although some waited, and after which answers came
    again; only if the run's usual answer times do not explain it."""
    if end_s is None:
        return None
    good = sorted(index for index, point in aggregate.points.items() if point.ok)
    usual = aggregate.histograms.get("e2e_ms")
    usual_ms = ((usual.quantile(0.9) if usual else None) or 0.0) / MS
    least_s = max(_least_s(end_s), TIMES_TYPICAL * usual_ms / 1000)
    width = aggregate.point_s
    gaps = [(before + 1, after) for before, after in pairwise(good)]
    long = [(begin, end) for begin, end in gaps if (end - begin) * width >= least_s]
    waited = _waiting(aggregate)
    found = [gap for gap in long if all(index in waited for index in range(*gap))]
    if not found:
        return None
    begin, end = max(found, key=lambda gap: gap[1] - gap[0])
    return begin * width, end * width


def _least_s(end_s: float) -> float:
    return max(SILENT_S, SILENT_SHARE * end_s)


def _waiting(aggregate: Aggregate) -> set[int]:
    """Points of the series in which turns were in flight whenever an engine looked."""
    seen: dict[int, bool] = {}
    for engine in aggregate.engines.values():
        for sample in engine.samples.values():
            index = sample.at_ns // NS_PER_S // aggregate.point_s
            seen[index] = seen.get(index, False) or sample.inflight > 0
    return {index for index, busy in seen.items() if busy}

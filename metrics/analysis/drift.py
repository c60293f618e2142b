"""Compares latency at the end of a run with that at its beginning. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from metrics.analysis.totals import SERIES_METRICS, Aggregate
from metrics.definitions import MS
from metrics.histogram import Histogram
from metrics.report_schema import DriftPart

PARTS: Final = 3
FEWEST: Final = 50
"""Minimum number of values in a third of the run for its median to count."""


def drift_of(aggregate: Aggregate) -> dict[str, DriftPart] | None:
    """By metric, turns by the time of their end; None if one of the thirds has too few of them."""
    found = {name: drift for name in SERIES_METRICS if (drift := _drift(aggregate, name)) is not None}
    return found or None


def _drift(aggregate: Aggregate, name: str) -> DriftPart | None:
    points = sorted(at for at, point in aggregate.points.items() if point.ok)
    third = (points[-1] - points[0] + 1) // PARTS if points else 0
    if not third:
        return None
    first, last = Histogram(), Histogram()
    for at in points:
        if at < points[0] + third:
            first.merge(aggregate.points[at].histograms[name])
        elif at > points[-1] - third:
            last.merge(aggregate.points[at].histograms[name])
    before, after = first.quantile(0.5), last.quantile(0.5)
    if min(first.count, last.count) < FEWEST or not before or after is None:
        return None
    return {"first_ms": round(before / MS, 3), "last_ms": round(after / MS, 3), "rise": round(after / before - 1, 4)}


def is_steady(load: Mapping[str, Any], changed: bool) -> bool:
    """Whether the load was constant, so that drift is not caused by it."""
    return not (load.get("stages") or load.get("search") or load.get("kind") == "trace" or changed)

"""The run over time, for charts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from metrics.analysis.totals import Aggregate, Point
from metrics.definitions import MS, QUANTILES
from metrics.histogram import Histogram
from metrics.report_schema import Quantile, Series

NS_PER_S = 1e9


def series(aggregate: Aggregate) -> Series:
    """The run over time, for charts: one entry per `point_s` seconds in every list, gaps filled with 0 or None."""
    width = aggregate.point_s
    active = _active(aggregate)
    last = max((*aggregate.points, *active), default=-1)
    points = [aggregate.points.get(index) for index in range(last + 1)]
    return {
        "point_s": width,
        "at_s": [index * width for index in range(last + 1)],
        "turns_per_s": [p.ok / width if p else 0 for p in points],
        "failed_per_s": [p.failed / width if p else 0 for p in points],
        "output_tokens_per_s": [p.tokens_out_ok / width if p else 0 for p in points],
        "active_sessions": [active.get(index) for index in range(last + 1)],
        "ttft_p50_ms": _points_ms(points, "ttft_ms", "p50"),
        "ttft_p95_ms": _points_ms(points, "ttft_ms", "p95"),
        "e2e_p50_ms": _points_ms(points, "e2e_ms", "p50"),
        "e2e_p95_ms": _points_ms(points, "e2e_ms", "p95"),
    }


def _points_ms(points: Sequence[Point | None], name: str, stat: Quantile) -> list[float | None]:
    return [_point_ms(point.histograms[name] if point else None, stat) for point in points]


def _point_ms(histogram: Histogram | None, stat: Quantile) -> float | None:
    value = histogram.quantile(QUANTILES[stat]) if histogram else None
    return None if value is None else round(value / MS, 3)


def _active(aggregate: Aggregate) -> dict[int, int]:
    """Open sessions by point of the series: each engine's most, added up."""
    found: dict[int, int] = {}
    for engine in aggregate.engines.values():
        most: dict[int, int] = {}
        for sample in engine.samples.values():
            index = int(sample.at_ns // NS_PER_S) // aggregate.point_s
            most[index] = max(most.get(index, 0), sample.active)
        for index, count in most.items():
            found[index] = found.get(index, 0) + count
    return found

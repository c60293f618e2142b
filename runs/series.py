"""What the four charts draw: for each one its times in s, then its lines. The same shape live and in the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metrics.aggregate import Aggregate
from metrics.curve import columns
from metrics.curve_text import marks
from metrics.definitions import MS
from metrics.histogram import Histogram
from metrics.report import series

Columns = list[list[float | int | None]]
Charts = dict[str, Columns]
QUANTILES = [0.5, 0.95, 0.99]


def report_charts(stored: Mapping[str, Any]) -> Charts:
    """From a report's `series`: quantiles of each piece of time, p50 and p95. Empty if it has none."""
    at = stored.get("at_s", [])
    return {
        "turns": [at, stored.get("turns_per_s", []), stored.get("failed_per_s", [])],
        "active": [at, stored.get("active_sessions", [])],
        "ttft": [at, stored.get("ttft_p50_ms", []), stored.get("ttft_p95_ms", [])],
        "e2e": [at, stored.get("e2e_p50_ms", []), stored.get("e2e_p95_ms", [])],
    }


def curve_charts(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """From a report's `load_curve`: charts by name, each with the levels first, the levels' unit, and what to mark."""
    if not report.get("load_curve"):
        return None
    found = columns(report["load_curve"])
    charts = {
        "load-turns": [found.level, found.turns_per_s],
        "load-failed": [found.level, found.failed],
        "load-ttft": [found.level, found.ttft_p50, found.ttft_p95],
        "load-e2e": [found.level, found.e2e_p50, found.e2e_p95],
    }
    return {"charts": charts, "unit": report["capacity"]["unit"], "marks": marks(report)}


def live_charts(aggregate: Aggregate) -> Charts:
    """As ticks would have drawn them: each piece of time at its end, quantiles over everything until then."""
    charts = report_charts(series(aggregate))
    ends: list[float | int | None] = [(at or 0) + aggregate.point_s for at in charts["turns"][0]]
    return {
        "turns": [ends, *charts["turns"][1:]],
        "active": [ends, *charts["active"][1:]],
        "ttft": [ends, *_so_far(aggregate, "ttft_ms", len(ends))],
        "e2e": [ends, *_so_far(aggregate, "e2e_ms", len(ends))],
    }


def _so_far(aggregate: Aggregate, metric: str, length: int) -> Columns:
    whole = Histogram()
    columns: Columns = [[] for _ in QUANTILES]
    for index in range(length):
        if point := aggregate.points.get(index):
            whole.merge(point.histograms[metric])
        for column, value in zip(columns, whole.quantiles(QUANTILES), strict=True):
            column.append(None if value is None else value / MS)
    return columns

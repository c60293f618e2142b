"""Data of the charts on pages: times in s, then the lines of each. The same format live and in the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from metrics.definitions import MS
from metrics.histogram import Histogram
from metrics.report.charts import OVER_LOAD, OVER_TIME, Values, load_columns, time_columns
from metrics.report.curve_text import marks
from metrics.report.series import series
from metrics.report_schema import RunReport
from metrics.storage.aggregate import Aggregate

QUANTILES = [0.5, 0.95, 0.99]


class CurveCharts(TypedDict):
    charts: dict[str, list[Values]]
    unit: str
    marks: list[tuple[float, str]]


def chart_lines() -> dict[str, list[tuple[str, str]]]:
    """Label and colour of each line, by the chart's name."""
    return {chart.name: [(line.label, line.tone) for line in chart.lines] for chart in (*OVER_TIME, *OVER_LOAD)}


def curve_charts(report: RunReport) -> CurveCharts | None:
    """From a report's `load_curve`: charts by name, each with the levels first, the levels' unit, and what to mark."""
    charts, capacity = load_columns(report), report.get("capacity")
    if charts is None or capacity is None:
        return None
    return {"charts": charts, "unit": capacity["unit"], "marks": marks(capacity)}


def live_charts(aggregate: Aggregate) -> dict[str, list[Values]]:
    """As ticks would have drawn them: each piece of time at its end, quantiles over everything until then."""
    charts = time_columns(series(aggregate))
    ends = [(at or 0) + aggregate.point_s for at in charts["turns"][0]]
    return {
        "turns": [ends, *charts["turns"][1:]],
        "active": [ends, *charts["active"][1:]],
        "ttft": [ends, *_so_far(aggregate, "ttft_ms", len(ends))],
        "e2e": [ends, *_so_far(aggregate, "e2e_ms", len(ends))],
    }


def _so_far(aggregate: Aggregate, metric: str, length: int) -> Sequence[Values]:
    whole = Histogram()
    columns: list[list[float | None]] = [[] for _ in QUANTILES]
    for index in range(length):
        if point := aggregate.points.get(index):
            whole.merge(point.histograms[metric])
        for column, value in zip(columns, whole.quantiles(QUANTILES), strict=True):
            column.append(None if value is None else value / MS)
    return columns

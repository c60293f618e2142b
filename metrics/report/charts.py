"""The charts of a run: what each draws, for the site's pages and the report as one file alike.

A page that is open follows a run, and answers to the pointer: there uPlot draws (runs/static/runs/charts.js). The file
that is mailed around has no script: there a macro draws the same lines (metrics/report/html/).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from metrics.analysis.curve import columns
from metrics.report_schema import RunReport, Series

Values = Sequence[float | None]


class Line(NamedTuple):
    """What a legend calls it, and its colour: one of those that every page has, in light and dark."""

    label: str
    tone: Literal["good", "accent", "bad"]


class Chart(NamedTuple):
    """`name` ends the id of its place on a page. A chart may be given fewer columns than it has lines."""

    name: str
    title: str
    lines: tuple[Line, ...]


_QUANTILES: Final = (Line("p50", "good"), Line("p95", "accent"), Line("p99", "bad"))
OVER_TIME: Final = (
    Chart("turns", "Turns per second", (Line("ok", "good"), Line("failed", "bad"))),
    Chart("active", "Active sessions", (Line("sessions", "accent"),)),
    Chart("ttft", "Time to first token (ms)", _QUANTILES),
    Chart("e2e", "End to end (ms)", _QUANTILES),
)
OVER_LOAD: Final = (
    Chart("load-turns", "Turns per second", (Line("ok", "good"),)),
    Chart("load-failed", "Failed turns (%)", (Line("failed", "bad"),)),
    Chart("load-ttft", "Time to first token (ms)", _QUANTILES[:2]),
    Chart("load-e2e", "End to end (ms)", _QUANTILES[:2]),
)


def time_columns(series: Series) -> dict[str, list[Values]]:
    """By a chart's name: the seconds, then the values of its lines. Of a report's `series`: quantiles are those of each
    piece of time, p50 and p95. Empty if it has none."""
    at = series.get("at_s", [])
    return {
        "turns": [at, series.get("turns_per_s", []), series.get("failed_per_s", [])],
        "active": [at, series.get("active_sessions", [])],
        "ttft": [at, series.get("ttft_p50_ms", []), series.get("ttft_p95_ms", [])],
        "e2e": [at, series.get("e2e_p50_ms", []), series.get("e2e_p95_ms", [])],
    }


def load_columns(report: RunReport) -> dict[str, list[Values]] | None:
    """The same over the levels of the load, ascending; None for a run with one load."""
    if not (curve := report.get("load_curve")):
        return None
    found = columns(curve)
    return {
        "load-turns": [found.level, found.turns_per_s],
        "load-failed": [found.level, found.failed],
        "load-ttft": [found.level, found.ttft_p50, found.ttft_p95],
        "load-e2e": [found.level, found.e2e_p50, found.e2e_p95],
    }

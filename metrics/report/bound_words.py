"""Text for figures that are known as bounds, and for results of thresholds, in all reports. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from metrics.analysis.threshold_status import ThresholdStatus
from metrics.analysis.threshold_values import known_to_fail
from metrics.number_format import counted, exact, number
from metrics.report_schema import Measured, Stat, Stats, ThresholdResult

AT_LEAST = "\N{GREATER-THAN OR EQUAL TO}"
EXACT_TO = 1.01
"""Bounds that are closer than this are the same value: percentiles are no more exact (see `metrics.histogram`)."""


class ThresholdWords(NamedTuple):
    """`result` is met, missed or not known; `value` is the measured value as text."""

    result: str
    value: str


def threshold_words(result: ThresholdResult) -> ThresholdWords:
    """The texts for one of a report's thresholds."""
    if result["passed"]:
        return ThresholdWords("met", value_words(result))
    is_open = "high" in result and not known_to_fail(result)
    return ThresholdWords("not known" if is_open else "missed", value_words(result))


def value_words(result: Measured) -> str:
    """What was measured: "is 400", "is 400 or more", "is between 400 and 600", or "nothing measured"; and of which
    turns, where others had no answer. In percent where the threshold is."""
    low, words = result["value"], _percent if result["expr"].endswith("%") else exact
    if low is None:
        return "nothing measured"
    if waited := result.get("unanswered"):
        return f"is {words(low)}, of answered turns; {number(waited)} had no whole answer"
    if "high" not in result:
        return f"is {words(low)}"
    high = result["high"]
    return f"is {words(low)} or more" if high is None else f"is between {words(low)} and {words(high)}"


def _percent(value: float) -> str:
    """Every digit that tells it from the threshold, which `share` would round away."""
    return f"{exact(value * 100)}%"


def missed_words(found: Iterable[ThresholdStatus]) -> str:
    """The missed ones of `threshold_statuses` with their values; empty: none is missed."""
    missed = (one for one in found if one["state"] == "missed")
    return ", ".join(f"{one['expr']} {value_words(one)}" for one in missed)


def stat_cells(values: Stats, stats: Iterable[Stat]) -> list[str]:
    """The statistics of a metric; those of which only a lower bound is known begin with AT_LEAST."""
    high = values.get("high") if values.get("censored") else None
    is_bound = {stat: high is not None and _is_bound(values[stat], high.get(stat, 0)) for stat in stats}
    return [AT_LEAST * bound + number(values.get(stat)) for stat, bound in is_bound.items()]


def _is_bound(low: float | None, high: float | None) -> bool:
    return low is not None and (high is None or high > low * EXACT_TO)


def bounds_note(metrics: Mapping[str, Stats]) -> str:
    """What the sign means; empty where no figure is a bound."""
    if not (count := sum(values.get("censored", 0) for values in metrics.values())):
        return ""
    return (
        f"{AT_LEAST}: at least. {counted(count, 'wait')} ended without an answer; each counts in "
        "e2e_planned_ms with its length as a lower bound."
    )

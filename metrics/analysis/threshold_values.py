"""Evaluates thresholds against a run's figures: value, kept or missed. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from metrics.analysis.thresholds import Threshold, Value, parse_all, parse_threshold
from metrics.definitions import BOUNDED, find
from metrics.groups import Where
from metrics.report_schema import Figures, Measured, Stat, Stats, ThresholdResult


def value_of(threshold: Threshold, figures: Figures) -> Value | None:
    """The threshold's figure in a report or in the figures of some groups (see `metrics.analysis.figures`); None if it
    was not measured."""
    if threshold.stat is not None:
        stats = figures["metrics"].get(threshold.name)
        return None if stats is None else _bounds_of(stats, threshold.stat)
    turns, sessions, rates = figures["turns"], figures["sessions"], figures["rates"]
    drift = figures.get("drift")
    counts: dict[str, float | None] = {
        "dropped_arrivals": figures["dropped_arrivals"],
        "drift": drift["e2e_ms"]["rise"] if drift and "e2e_ms" in drift else None,
        "turns_ok": turns["ok"],
        "turns_failed": turns["failed"],
        "turns_unknown": turns["unknown"],
        "sessions_failed": sessions["failed"],
        "error_rate": rates["error_rate"],
        "turns_per_s": rates["turns_per_s"],
        "completed_sessions_per_min": rates["completed_sessions_per_min"],
        "ended_sessions_per_min": rates["ended_sessions_per_min"],
        "output_tokens_per_s": rates["output_tokens_per_s"],
        "tokens_per_s": rates["tokens_per_s"],
    }
    found = counts[threshold.name]
    return None if found is None else Value(found, found)


def _bounds_of(stats: Stats, stat: Stat) -> Value | None:
    low = stats.get(stat)
    if low is None:
        return None
    high = (stats.get("high") or {}).get(stat, low) if stats.get("censored") else low
    return Value(low, math.inf if high is None else high)


Choice = Callable[[Where], Figures]


def evaluate(expressions: Iterable[str], figures: Figures, of_choice: Choice | None = None) -> list[ThresholdResult]:
    """`[{expr, value, passed}]` in the given order, by the figures of the whole and, where a threshold chooses, by
    those that `of_choice` finds (see `metrics.analysis.figures.of_choice`). Where the value is a lower bound, `high` is
    the upper one, None if there is none; a time of answered turns has `unanswered`, the number of turns that timed out
    or whose users gave up, where there are such. Raises ThresholdError."""
    results: list[ThresholdResult] = []
    for threshold in parse_all(expressions):
        found = figures if not threshold.where else of_choice(threshold.where) if of_choice is not None else None
        value = None if found is None else value_of(threshold, found)
        result: ThresholdResult = {**shown(threshold, value), "passed": threshold.holds(value)}
        if found is not None and value is not None and (waited := _left_out(threshold, found)):
            result["unanswered"] = waited
        results.append(result)
    return results


def _left_out(threshold: Threshold, figures: Figures) -> int:
    """Turns without an answer that the threshold does not cover, because it is on a time of answered turns."""
    metric = find(threshold.name)
    if metric is None or metric.unit != "ms" or metric.counts != "ok turns" or metric.name == BOUNDED:
        return 0
    turns = figures["turns"]
    return turns["failed"] - turns["error"]


def shown(threshold: Threshold, value: Value | None) -> Measured:
    """`expr`, `value`, and `high` where that is another one."""
    if value is None:
        return {"expr": threshold.expr, "value": None}
    if value.high == value.low:
        return {"expr": threshold.expr, "value": value.low}
    return {"expr": threshold.expr, "value": value.low, "high": None if value.high == math.inf else value.high}


def known_to_fail(result: Measured) -> bool:
    """Whether the result of `evaluate` is certainly a miss; False also if unknown."""
    low, high = result["value"], result.get("high", result["value"])
    value = None if low is None else Value(low, math.inf if high is None else high)
    return parse_threshold(result["expr"]).fails(value)

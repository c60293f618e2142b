"""Evaluates thresholds against a run's figures: value, kept or missed. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from metrics.analysis.thresholds import Threshold, Value, parse_all, parse_threshold
from metrics.definitions import BOUNDED, find
from metrics.groups import Where


def value_of(threshold: Threshold, figures: Mapping[str, Any]) -> Value | None:
    """The threshold's figure in a report or in the figures of some groups (see `metrics.analysis.figures`); None if it
    was not measured."""
    if threshold.stat is not None:
        return _bounds_of(figures["metrics"].get(threshold.name, {}), threshold.stat)
    turns, sessions, rates = figures["turns"], figures["sessions"], figures["rates"]
    counts: dict[str, float | None] = {
        "dropped_arrivals": figures["dropped_arrivals"],
        "drift": ((figures.get("drift") or {}).get("e2e_ms") or {}).get("rise"),
        "turns_ok": turns["ok"],
        "turns_failed": turns["failed"],
        "turns_unknown": turns["unknown"],
        "sessions_failed": sessions["failed"],
    }
    found: float | None = counts[threshold.name] if threshold.name in counts else rates[threshold.name]
    return None if found is None else Value(found, found)


def _bounds_of(stats: Mapping[str, Any], stat: str) -> Value | None:
    low: float | None = stats.get(stat)
    if low is None:
        return None
    high = (stats.get("high") or {}).get(stat, low) if stats.get("censored") else low
    return Value(low, math.inf if high is None else high)


Choice = Callable[[Where], Mapping[str, Any]]


def evaluate(
    expressions: Iterable[str], figures: Mapping[str, Any], of_choice: Choice | None = None
) -> list[dict[str, Any]]:
    """`[{expr, value, passed}]` in the given order, by the figures of the whole and, where a threshold chooses, by
    those that `of_choice` finds (see `metrics.analysis.figures.of_choice`). Where the value is a lower bound, `high` is
    the upper one, None if there is none; a time of answered turns has `unanswered`, the number of turns that timed out
    or whose users gave up, where there are such. Raises ThresholdError."""
    results = []
    for threshold in parse_all(expressions):
        found = figures if not threshold.where else of_choice(threshold.where) if of_choice is not None else None
        value = None if found is None else value_of(threshold, found)
        result = {"expr": threshold.expr, **shown(value), "passed": threshold.holds(value)}
        if found is not None and value is not None and (waited := _left_out(threshold, found)):
            result["unanswered"] = waited
        results.append(result)
    return results


def _left_out(threshold: Threshold, figures: Mapping[str, Any]) -> int:
    """Turns without an answer that the threshold does not cover, because it is on a time of answered turns."""
    metric = find(threshold.name)
    if metric is None or metric.unit != "ms" or metric.counts != "ok turns" or metric.name == BOUNDED:
        return 0
    turns = figures["turns"]
    waited: int = turns["failed"] - turns["error"]
    return waited


def shown(value: Value | None) -> dict[str, float | None]:
    """`value`, and `high` where that is another one."""
    if value is None:
        return {"value": None}
    high = {} if value.high == value.low else {"high": None if value.high == math.inf else value.high}
    return {"value": value.low, **high}


def known_to_fail(result: Mapping[str, Any]) -> bool:
    """Whether the result of `evaluate` is certainly a miss; False also if unknown."""
    low, high = result["value"], result.get("high", result["value"])
    value = None if low is None else Value(low, math.inf if high is None else high)
    return parse_threshold(result["expr"]).fails(value)

"""State of a threshold during a run: kept, missed, or too early to say. Pure.

Some are decided the moment they are missed: a count or a maximum that only grows, and has passed its limit. The others
may still change, so they are judged when there is enough to judge by, and the first seconds are over; a count that has
yet to grow is judged at the end only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from metrics.analysis.threshold_values import Choice, shown, value_of
from metrics.analysis.thresholds import COUNTS, Threshold, Value
from metrics.definitions import SAMPLES_NEEDED
from metrics.report_schema import Figures, Measured

State = Literal["kept", "missed", "early"]
JUDGED_FROM_S = 5.0
"""Since the first second that counts: before it, connections are new and caches cold."""
SAMPLES = 20
"""For a mean or an error rate; a percentile has its own number (`metrics.definitions.SAMPLES_NEEDED`)."""
MOST_SAMPLES = 1000
"""Number of turns that an error rate needs, however small its limit."""
UPPER, LOWER = frozenset({"<", "<="}), frozenset({">", ">="})


class ThresholdStatus(Measured):
    state: State


def threshold_statuses(
    thresholds: Iterable[Threshold], figures: Figures, of_choice: Choice, counted_s: float
) -> list[ThresholdStatus]:
    """Of each threshold, by the figures so far; `counted_s` is the time since the first second that counts."""
    found: list[ThresholdStatus] = []
    for threshold in thresholds:
        part = of_choice(threshold.where) if threshold.where else figures
        value = value_of(threshold, part)
        state = _state(threshold, value, part, counted_s)
        found.append({**shown(threshold, value), "state": state})
    return found


def _state(threshold: Threshold, value: Value | None, figures: Figures, counted_s: float) -> State:
    if value is None:
        return "early"
    if (way := _way(threshold)) is not None:
        if threshold.holds(value):
            return "kept"
        hopeless = threshold.op in (UPPER if way == "up" else LOWER) or (
            threshold.op == "==" and (value.low > threshold.limit if way == "up" else value.high < threshold.limit)
        )
        return "missed" if hopeless and threshold.fails(value) else "early"
    if counted_s < JUDGED_FROM_S or _samples(threshold, figures) < _needed(threshold):
        return "early"
    return "kept" if threshold.holds(value) else "missed" if threshold.fails(value) else "early"


def _way(threshold: Threshold) -> Literal["up", "down"] | None:
    """Where its value can only go; None: anywhere."""
    if threshold.name in COUNTS or threshold.stat in {"count", "max"}:
        return "up"
    return "down" if threshold.stat == "min" else None


def _samples(threshold: Threshold, figures: Figures) -> int:
    """Number of values behind the figure; a rate over time depends only on the time."""
    if threshold.stat is not None:
        return figures["metrics"][threshold.name]["count"]
    turns = figures["turns"]
    return turns["ok"] + turns["failed"] if threshold.name == "error_rate" else MOST_SAMPLES


def _needed(threshold: Threshold) -> int:
    if threshold.stat is not None:
        return SAMPLES_NEEDED.get(threshold.stat, SAMPLES)
    if threshold.name == "error_rate" and threshold.limit > 0:  # enough that a single value does not decide
        return max(SAMPLES, min(MOST_SAMPLES, math.ceil(1 / threshold.limit)))
    return SAMPLES

"""How a threshold stands while a run goes on: kept, missed, or too early to say. Pure.

Some are decided the moment they are missed: a count or a maximum that only grows, and has passed its limit. The others
may still change, so they are judged when there is enough to judge by, and the first seconds are over; a count that has
yet to grow is judged at the end only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NotRequired, TypedDict, cast

from metrics.bound_words import value_words
from metrics.definitions import SAMPLES_NEEDED
from metrics.thresholds import COUNTS, Choice, Threshold, Value, shown, value_of

State = Literal["kept", "missed", "early"]
JUDGED_FROM_S = 5.0
"""Since the first second that counts: before it, connections are new and caches cold."""
SAMPLES = 20
"""For a mean or an error rate; a percentile has its own number (`metrics.definitions.SAMPLES_NEEDED`)."""
MOST_SAMPLES = 1000
"""That an error rate waits for, however small its limit."""
UPPER, LOWER = frozenset({"<", "<="}), frozenset({">", ">="})


class Standing(TypedDict):
    expr: str
    value: float | None
    high: NotRequired[float | None]
    """Where `value` is a lower bound: the upper one, None if there is none."""
    state: State


def standings(
    thresholds: Iterable[Threshold], figures: Mapping[str, Any], of_choice: Choice, counted_s: float
) -> list[Standing]:
    """Of each threshold, by the figures so far; `counted_s` is the time since the first second that counts."""
    found: list[Standing] = []
    for threshold in thresholds:
        part = of_choice(threshold.where) if threshold.where else figures
        value = value_of(threshold, part)
        state = _state(threshold, value, part, counted_s)
        found.append(cast("Standing", {"expr": threshold.expr, **shown(value), "state": state}))
    return found


def missed_words(found: Iterable[Standing]) -> str:
    """The missed ones with their values; empty: none is."""
    missed = (one for one in found if one["state"] == "missed")
    return ", ".join(f"{one['expr']} {value_words(one, lambda value: f'{value:.6g}')}" for one in missed)


def _state(threshold: Threshold, value: Value | None, figures: Mapping[str, Any], counted_s: float) -> State:
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


def _samples(threshold: Threshold, figures: Mapping[str, Any]) -> int:
    """Values behind it; a rate over time rests on the time alone."""
    if threshold.stat is not None:
        count: int = figures["metrics"][threshold.name]["count"]
        return count
    turns = figures["turns"]
    judged: int = turns["ok"] + turns["failed"]
    return judged if threshold.name == "error_rate" else MOST_SAMPLES


def _needed(threshold: Threshold) -> int:
    if threshold.stat is not None:
        return SAMPLES_NEEDED.get(threshold.stat, SAMPLES)
    if threshold.name == "error_rate" and threshold.limit > 0:  # so many that a single one does not decide
        return max(SAMPLES, min(MOST_SAMPLES, math.ceil(1 / threshold.limit)))
    return SAMPLES

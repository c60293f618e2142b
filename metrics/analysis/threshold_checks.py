"""Whether thresholds make sense for a run, and the waits that they allow. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from metrics.analysis.thresholds import Threshold, ThresholdError, shown
from metrics.groups import MODEL, SCENARIO, Group, chosen, known_keys, known_values

PARTS = frozenset({"error_rate", "repetition"})
"""Shares that are never above 1."""
WHOLE_ANSWER = frozenset({"e2e_ms", "e2e_planned_ms"})
"""The times until a whole answer."""
SHOWN = 10


def check_limits(thresholds: Iterable[Threshold]) -> None:
    """Whether each share may reach its limit. Asked where thresholds are given: those of stored runs are read as they
    are. Raises ThresholdError."""
    for threshold in thresholds:
        if threshold.name in PARTS and threshold.stat != "count" and threshold.limit > 1:
            hint = "give at most 1, or 100%"
            if not threshold.expr.endswith("%") and threshold.limit <= 100:
                hint = f"write {threshold.limit:g}% (or {threshold.limit / 100:g})"
            problem = f"'{threshold.name}' is a share from 0 to 1 and is never above it: {hint}"
            raise ThresholdError(f"threshold '{shown(threshold.expr)}': {problem}")


def check_choices(thresholds: Iterable[Threshold], groups: Sequence[Group]) -> None:
    """Whether a run with these groups has what the thresholds choose. Raises ThresholdError, which says what it has."""
    for threshold in thresholds:
        for key, value in threshold.where:
            known = known_values(groups, key)
            if value not in known:
                problem = _unknown(key, value, known, groups)
                raise ThresholdError(f"threshold '{shown(threshold.expr)}': {problem}")
        if threshold.where and not chosen(groups, threshold.where):
            both = " and ".join(f"{key}={value}" for key, value in threshold.where)
            raise ThresholdError(f"threshold '{shown(threshold.expr)}': no conversation has {both} together")


def _unknown(key: str, value: str, known: Sequence[str], groups: Sequence[Group]) -> str:
    if key == SCENARIO and any(group.scenarios > 1 for group in groups):
        return f"the run has too many scenarios to tell {value!r} from the others: give them tags, and ask for those"
    if key == MODEL and not known:
        return "the target names no model"
    if not known:
        return f"no scenario has a tag {key!r}; a choice may ask for {_list(known_keys(groups))}"
    near = get_close_matches(value, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    what = key if key in {SCENARIO, MODEL} else f"scenario with the tag {key}="
    return f"the run has no {what} {value!r}, it has {_list(known)}{hint}"


def _list(words: Sequence[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more


def longest_wait_s(thresholds: Iterable[Threshold]) -> float | None:
    """The longest wait of a turn that the thresholds allow, in s; None: there is no such limit. A percentile allows
    some turns to wait longer."""
    limits = (
        threshold.limit / 1000
        for threshold in thresholds
        if threshold.name in WHOLE_ANSWER
        and threshold.stat == "max"
        and threshold.op in {"<", "<="}
        and not threshold.where
        and threshold.limit > 0
    )
    return min(limits, default=None)


def highest_limit_s(thresholds: Iterable[Threshold]) -> float:
    """The highest limit that any of them sets to the time until a whole answer, in s; 0: none does."""
    limits = (
        threshold.limit / 1000
        for threshold in thresholds
        if threshold.name in WHOLE_ANSWER and threshold.stat not in {None, "count"}
    )
    return max((0.0, *limits))

"""Thresholds: what a run must keep to, such as `ttft_ms.p95<500`. Pure."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from metrics.definitions import BY_NAME, STATS, find

EXAMPLE = "ttft_ms.p95<500"
RATES = {
    "error_rate": "failed turns / (ok + failed), 0 to 1; also written as 1%",
    "turns_per_s": "ok turns per second",
    "sessions_per_min": "completed sessions per minute",
    "output_tokens_per_s": "output tokens of ok turns per second",
    "dropped_arrivals": "arrivals that the generator could not start",
    "turns_ok": "ok turns",
    "turns_failed": "turns with the outcome error or timeout",
    "turns_unknown": "turns in flight when an engine died",
    "sessions_failed": "failed sessions",
}
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_SHAPE = re.compile(
    r"\s*(?P<name>[A-Za-z_][\w-]*)(?:\.(?P<stat>\w+))?\s*(?P<op><=|>=|==|<|>)\s*(?P<limit>[^\s%]+)\s*(?P<percent>%?)\s*"
)
LONGEST = 200


class ThresholdError(ValueError):
    """A threshold that cannot be read; the text is one line with an example of a right one."""


@dataclass(frozen=True)
class Threshold:
    """`stat` is None for a rate or count; `limit` is in the metric's own unit."""

    expr: str
    name: str
    stat: str | None
    op: str
    limit: float

    def holds(self, value: float | None) -> bool:
        """A value that was not measured keeps no promise."""
        return value is not None and OPERATORS[self.op](value, self.limit)


def parse_threshold(text: str) -> Threshold:
    """Read `metric.stat<limit` or `rate<limit`. Raises ThresholdError."""
    match = _SHAPE.fullmatch(text) if isinstance(text, str) and len(text) <= LONGEST else None
    if match is None:
        raise _error(text, "write it as metric.statistic, an operator (< <= > >= ==) and a number")
    name, stat = match["name"], match["stat"]
    if name in RATES:
        if stat is not None:
            raise _error(text, f"'{name}' is one number and has no '.{stat}'", f"{name}<{match['limit']}")
    else:
        _check_metric(text, name, stat, match)
    limit = _limit(text, match)
    if match["percent"]:
        if name not in {"error_rate", "repetition"}:
            raise _error(text, f"'{name}' is not a share, so it takes no %")
        limit /= 100
    return Threshold(text.strip(), name, stat, match["op"], limit)


def _check_metric(text: str, name: str, stat: str | None, match: re.Match[str]) -> None:
    end = f"{match['op']}{match['limit']}{match['percent']}"
    if find(name) is None:
        known = [*BY_NAME, *RATES]
        near = get_close_matches(name, known, n=1, cutoff=0.6) or get_close_matches(f"{name}_ms", known, n=1)
        if not near:
            raise _error(text, f"no metric is called '{name}'; there are {', '.join(known)}")
        raise _error(text, f"no metric is called '{name}'", f"{near[0]}{_stat_end(near[0], stat)}{end}")
    if stat not in STATS:
        near = get_close_matches(stat or "", STATS, n=1, cutoff=0.4) or ["p95"]
        said = f"has no statistic '{stat}'" if stat else "needs a statistic"
        raise _error(text, f"'{name}' {said} ({', '.join(STATS)})", f"{name}.{near[0]}{end}")


def _stat_end(name: str, stat: str | None) -> str:
    if name in RATES:
        return ""
    return f".{stat if stat in STATS else 'p95'}"


def _limit(text: str, match: re.Match[str]) -> float:
    try:
        limit = float(match["limit"])
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise _error(text, f"'{match['limit']}' is not a plain number (times are in ms)")
    return limit


def _error(text: Any, problem: str, better: str = "") -> ThresholdError:
    hint = f"did you mean '{better}'?" if better else f"for example '{EXAMPLE}'"
    shown = " ".join(str(text).split())[:80]
    return ThresholdError(f"threshold '{shown}': {problem}; {hint}")


def value_of(threshold: Threshold, report: Mapping[str, Any]) -> float | None:
    """What the report (see `metrics.report`) says about it; None if that was not measured."""
    if threshold.stat is not None:
        stats: Mapping[str, float | None] = report["metrics"].get(threshold.name, {})
        return stats.get(threshold.stat)
    turns, sessions, rates = report["turns"], report["sessions"], report["rates"]
    counts: dict[str, float | None] = {
        "dropped_arrivals": report["dropped_arrivals"],
        "turns_ok": turns["ok"],
        "turns_failed": turns["error"] + turns["timeout"],
        "turns_unknown": turns["unknown"],
        "sessions_failed": sessions["failed"],
    }
    if threshold.name in counts:
        return counts[threshold.name]
    rate: float | None = rates[threshold.name]
    return rate


def evaluate(expressions: Iterable[str], report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`[{expr, value, passed}]` in the given order. Raises ThresholdError."""
    results = []
    for threshold in map(parse_threshold, expressions):
        value = value_of(threshold, report)
        results.append({"expr": threshold.expr, "value": value, "passed": threshold.holds(value)})
    return results

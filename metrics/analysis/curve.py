"""The load curve of a run with several levels: figures at each level, and the knee. Pure.

A level is measured in whole seconds, from those windows that lie in them: its turns are those that ended then.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from statistics import mean
from typing import Any, Final, NamedTuple

from metrics.analysis.figures import figures, of_choice, rounded, with_waiting
from metrics.analysis.threshold_values import evaluate
from metrics.analysis.thresholds import parse_all
from metrics.analysis.totals import Aggregate, merge
from metrics.definitions import SAMPLES_NEEDED
from metrics.groups import Group
from metrics.number_format import counted
from metrics.report_schema import Figures, LevelRow, LevelStats, Stats, ThresholdResult

MOST_TURNS: Final = 1000
"""Number of turns that a condition on `error_rate` needs, however small its limit."""
KNEE_FROM: Final = 0.1
"""How far the curve must rise above the straight line for a knee to be called one."""
KNEE_LEVELS: Final = 3
KNEE_FAILED_SHARE: Final = 0.1
"""A level with a higher error rate is not used for the knee."""
HUNG: Final = "the target hung"
HANGING_SHARE: Final = 0.1
JUST_S: Final = 5
"""Of a level's end: how long a turn waits at least that is overdue."""


class Level(NamedTuple):
    """What was measured of one level in its `seconds`: `figures` as in `metrics.analysis.figures`, and in them
    `active`, the mean of the open sessions. At its end `overdue` turns waited for too long, or in vain: they count as
    failed. `hangs` says it in words where they are many."""

    figures: Figures
    aggregate: Aggregate
    seconds: int
    overdue: int = 0
    hangs: str = ""


def measure(windows: Iterable[Mapping[str, Any]], from_s: int, to_s: int, last_answer_s: float = math.inf) -> Level:
    """The level that was held in the seconds [from_s, to_s), from the matching ones of `windows`.

    `last_answer_s`: the time of the last good answer of the whole run. Turns that waited after it had no answer,
    however short their wait was by the level's end.
    """
    found = merge(data for data in windows if from_s <= data["second"] < to_s)
    engines = [engine.samples.values() for engine in found.engines.values() if engine.samples]
    dropped = sum(_rise([sample.dropped for sample in samples]) for samples in engines)
    active = sum(mean(sample.active for sample in samples) for samples in engines)
    last = [max(samples, key=attrgetter("at_ns")) for samples in engines]
    in_vain = sum(sample.inflight for sample in last if sample.at_ns >= last_answer_s * 1e9)
    overdue = in_vain + sum(sample.overdue for sample in last if sample.at_ns < last_answer_s * 1e9)
    own = with_waiting(figures(found, to_s - from_s, dropped), overdue)
    own["active"] = active
    if in_vain:
        hangs = f"{HUNG}: at the end {counted(in_vain, 'turn')} had no answer"
    else:
        hangs = _hangs(found, overdue, sum(sample.active for sample in last), to_s)
    return Level(own, found, to_s - from_s, overdue, hangs)


def _hangs(found: Aggregate, overdue: int, active: int, to_s: int) -> str:
    """Whether the target hung at the level's end: for more than HANGING_SHARE of the conversations that were open then
    or answered just before."""
    answered = sum(point.ok for index, point in found.points.items() if (index + 1) * found.point_s > to_s - JUST_S)
    if overdue <= HANGING_SHARE * max(active, answered):
        return ""
    return f"{HUNG}: at the end {counted(overdue, 'turn')} waited for longer than its answers explain"


def _rise(values: Sequence[int]) -> int:
    return max(values) - min(values)


def judge(conditions: Iterable[str], level: Level, groups: Sequence[Group] = ()) -> list[ThresholdResult]:
    """As `metrics.analysis.threshold_values.evaluate`."""
    return evaluate(conditions, level.figures, of_choice(level.aggregate, groups, level.seconds))


def turns_needed(conditions: Iterable[str]) -> int:
    """Minimum number of good turns for all conditions to be meaningful: a percentile needs its samples, an error rate
    enough turns that a single one does not decide."""
    most = 1
    for threshold in parse_all(conditions):
        most = max(most, SAMPLES_NEEDED.get(threshold.stat or "", 1))
        if threshold.name == "error_rate" and threshold.op in {"<", "<="} and threshold.limit > 0:
            most = max(most, min(MOST_TURNS, math.ceil(1 / threshold.limit)))
    return most


def level_row(
    level: float,
    from_s: int,
    to_s: int,
    measured: Level,
    good: bool | None,
    missed: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> LevelRow:
    """One entry of a report's `load_curve`; latencies in ms."""
    found = measured.figures
    turns, rates, metrics = found["turns"], found["rates"], found["metrics"]
    return {
        "level": plain(level),
        "from_s": from_s,
        "to_s": to_s,
        "turns": turns["ok"] + turns["failed"],
        "error_rate": rates["error_rate"],
        "turns_per_s": rates["turns_per_s"],
        "output_tokens_per_s": rates["output_tokens_per_s"],
        "active": rounded(found["active"]),
        "ttft_ms": _shown(metrics["ttft_ms"]),
        "e2e_ms": _shown(metrics["e2e_ms"]),
        "dropped_arrivals": found["dropped_arrivals"],
        "overdue": measured.overdue,
        "send_lag_p99_ms": metrics["send_lag_ms"]["p99"],
        "good": good,
        "missed": list(missed),
        "notes": list(notes),
    }


def _shown(stats: Stats) -> LevelStats:
    return {"p50": stats["p50"], "p95": stats["p95"]}


def plain(level: float) -> float | int:
    """Without `.0`: users are whole."""
    return int(level) if level == int(level) else level


class Point(NamedTuple):
    """`y`: the throughput at the load `x`."""

    x: float
    y: float


def knee(points: Iterable[Point]) -> float | None:
    """The load from which on more load brings little more throughput; None if the curve has no such place.

    After Kneedle (Satopää, Albrecht, Irwin, Raghavan: Finding a "Kneedle" in a Haystack, 2011), for a rising concave
    curve: with x and y scaled to 0..1, the place where y - x is greatest. Both are divided by their largest value,
    for at no load there is no throughput; a load that was measured several times counts with its mean.
    """
    by_load: dict[float, list[float]] = {}
    for x, y in points:
        by_load.setdefault(x, []).append(y)
    means = [Point(x, sum(values) / len(values)) for x, values in sorted(by_load.items())]
    top = max((point.y for point in means), default=0.0)
    if len(means) < KNEE_LEVELS or top <= 0:
        return None
    rise, x = max((point.y / top - point.x / means[-1].x, -point.x) for point in means)
    return plain(-x) if rise >= KNEE_FROM else None


def knee_of(curve: Iterable[LevelRow]) -> float | None:
    """Of a report's `load_curve`, by its turns per second."""
    return knee(Point(row["level"], row["turns_per_s"] or 0.0) for row in curve if shows_throughput(row))


def shows_throughput(row: LevelRow) -> bool:
    """Whether the throughput of a level shows what the target can do: not if nothing was answered or too much
    failed."""
    return row["error_rate"] is not None and row["error_rate"] <= KNEE_FAILED_SHARE


class Columns(NamedTuple):
    """Data over load for charts: one entry per level, ascending; of repeated levels the last measurement. Latencies in
    ms, `failed` in percent."""

    level: list[float]
    turns_per_s: list[float | None]
    output_tokens_per_s: list[float | None]
    failed: list[float | None]
    ttft_p50: list[float | None]
    ttft_p95: list[float | None]
    e2e_p50: list[float | None]
    e2e_p95: list[float | None]


def columns(curve: Iterable[LevelRow]) -> Columns:
    """Of a report's `load_curve`, which is in the order of time."""
    last = {row["level"]: row for row in curve}
    rows = [last[level] for level in sorted(last)]
    return Columns(
        [row["level"] for row in rows],
        [row["turns_per_s"] for row in rows],
        [row["output_tokens_per_s"] for row in rows],
        [None if row["error_rate"] is None else row["error_rate"] * 100 for row in rows],
        [row["ttft_ms"]["p50"] for row in rows],
        [row["ttft_ms"]["p95"] for row in rows],
        [row["e2e_ms"]["p50"] for row in rows],
        [row["e2e_ms"]["p95"] for row in rows],
    )

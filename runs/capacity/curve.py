"""Evaluates a run with several levels: the load curve, the limit and the knee.

Everything is computed from the stored windows, like the rest of a report, so it can be computed again at any time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from metrics.analysis.curve import judge, knee_of, level_row, measure, plain, turns_needed
from metrics.groups import Group
from metrics.report_schema import CapacityPart, LevelRow
from metrics.storage.aggregate import windows_between
from runs.capacity.bisection import Bracket, Sample, bracket
from runs.capacity.search_state import (
    AT_LEAST,
    BY_HAND,
    FOUND,
    HELD,
    LOST,
    NOTHING,
    TIME,
    Load,
    State,
    missed_words,
    too_few,
    unit_of,
)
from runs.load.groups import frozen_groups
from runs.load.profile import OpenLoad, TraceLoad, parse_load
from runs.load.search import Search, Span, Sweep
from runs.models import Run

Windows = Callable[[int, int], list[dict[str, Any]]]
WHY = {
    FOUND: "",
    AT_LEAST: "the highest level allowed is good: raise the search's high",
    NOTHING: "even the lowest level allowed is not good",
    TIME: "not enough time was left to measure another level",
    LOST: "an engine ended before the search did",
    BY_HAND: "somebody else changed the load",
    "": "the run ended before the search did",
}


class Curve(NamedTuple):
    """A report's `load_curve` and `capacity`; None for a run that neither searches nor sweeps."""

    levels: list[LevelRow] | None
    capacity: CapacityPart | None


def curve_of(run: Run, last_answer_s: float = math.inf) -> Curve:
    """From what is stored so far. `last_answer_s`: see `metrics.analysis.curve.measure`; infinite while the run is in
    progress, or if no wait was too long."""
    load = parse_load(run.load)
    if isinstance(load, TraceLoad):
        return Curve(None, None)
    if load.search is not None:
        state = State(level=load.begins_at) if run.search is None else State.model_validate(run.search)
        return searched(load, load.search, state, partial(windows_between, run.pk), last_answer_s)
    if load.sweep is not None:
        groups = frozen_groups(run.scenario_specs, run.load, run.target_spec)
        changed_s = min((change["at_s"] for change in run.load_changes), default=math.inf)
        read = partial(windows_between, run.pk)
        return swept(load, load.sweep, read, groups, changed_s, last_answer_s)
    return Curve(None, None)


def searched(load: Load, search: Search, state: State, read: Windows, last_answer_s: float = math.inf) -> Curve:
    """The result of a search; `read` gives the windows of the seconds from, to."""
    rows = []
    for one in state.tried:
        measured = measure(read(one.from_s, one.to_s), one.from_s, one.to_s, last_answer_s)
        rows.append(level_row(one.level, one.from_s, one.to_s, measured, one.good, one.missed, one.notes))
    return Curve(rows, _capacity(load, search.conditions, state.bracket, rows, state.over))


def swept(
    load: Load,
    sweep: Sweep,
    read: Windows,
    groups: Sequence[Group] = (),
    changed_s: float = math.inf,
    last_answer_s: float = math.inf,
) -> Curve:
    """The result of a sweep. Levels that were not held to their end are left out, and so are those after `changed_s`,
    when somebody else changed the load."""
    rows: list[LevelRow] = []
    needed = turns_needed(sweep.conditions) if sweep.conditions else 0
    for span in sweep.spans():
        windows = read(int(span.set_s), span.to_s + 1)
        if span.to_s > changed_s or not any(data["second"] >= span.to_s - 1 for data in windows):
            break
        measured = measure(windows, span.from_s, span.to_s, last_answer_s)
        conditions = [*sweep.conditions, *([HELD] if sweep.conditions and isinstance(load, OpenLoad) else [])]
        missed = [*missed_words(judge(conditions, measured, groups)), *([measured.hangs] if measured.hangs else [])]
        good = not missed if conditions or missed else None
        notes = ["answers of the previous level end in it: give it longer to settle"] if _mixed(span, windows) else []
        if (ok := measured.figures["turns"]["ok"]) < needed:
            notes.append(too_few(ok, needed))
        rows.append(level_row(span.level, span.from_s, span.to_s, measured, good, missed, notes))
    tried = [Sample(row["level"], row["good"]) for row in rows if row["good"] is not None]
    found = bracket(tried)
    over = FOUND if found.good is not None and found.bad is not None else ""
    note = WHY[BY_HAND] if changed_s < math.inf else _sweeps_end(sweep, found, rows)
    return Curve(rows, _capacity(load, sweep.conditions, found, rows, over, note))


def _mixed(span: Span, windows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a turn that began under the previous level ended while this level was measured."""
    set_ns = span.set_s * 1e9
    return any(data["second"] >= span.from_s and data.get("first", set_ns) < set_ns for data in windows if set_ns)


def _sweeps_end(sweep: Sweep, found: Bracket, rows: list[LevelRow]) -> str:
    if len(rows) < len(sweep.levels):
        return "the run ended before the sweep did"
    if sweep.conditions and found.bad is None:
        return "the highest level is good: sweep higher ones"
    return "not even the lowest level is good" if sweep.conditions and found.good is None else ""


def _capacity(
    load: Load, conditions: Iterable[str], found: Bracket, rows: list[LevelRow], over: str, note: str | None = None
) -> CapacityPart:
    low, high = (None if level is None else plain(level) for level in found)
    limiting = [row["missed"] for row in rows if row["level"] == found.bad and row["good"] is False]
    return {
        "level": low,
        "unit": unit_of(load),
        "found": over == FOUND,
        "low": low,
        "high": high,
        "limited_by": limiting[-1] if limiting else [],
        "conditions": list(conditions),
        "knee": knee_of(rows),
        "note": WHY.get(over, over) if note is None else note,
    }

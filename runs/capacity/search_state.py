"""State of a search and its next step: settle, measure, judge, change the load. Pure.

A level is measured once it has settled: in whole seconds after `settle_s`, and never before every answer that began
under the level before it has ended, for those were slowed down by another load. An open loop that has overwhelmed the
target leaves a line of waiting conversations behind: then no more arrive until the line is worked off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from connectors.spec import Frozen
from metrics.analysis.curve import Level, judge, measure, turns_needed
from metrics.groups import Group
from metrics.number_format import counted, exact
from metrics.report.bound_words import value_words
from metrics.report_schema import Measured, ThresholdResult
from runs.capacity.bisection import LONGER, Bracket, Sample, Scale, bracket, next_level
from runs.load.profile import ClosedLoad, OpenLoad
from runs.load.search import OVERHEAD_S, Search, Sweep

DRAIN_S: Final = 60.0
"""Maximum time for which an open loop waits for the conversations of a level that was too high."""
FOUND, AT_LEAST, NOTHING, TIME, LOST, BY_HAND = "found", "at_least", "nothing", "time", "lost", "by_hand"
HELD: Final = "dropped_arrivals==0"
"""A rate was not held if some of its arrivals could not start, whatever the others measured."""

Load = ClosedLoad | OpenLoad
Windows = list[dict[str, Any]]


class Judged(Frozen):
    """One measurement of a level, from the windows of the seconds [from_s, to_s)."""

    level: float
    from_s: int
    to_s: int
    good: bool
    missed: tuple[str, ...] = ()
    """Conditions that were missed, with the measured values."""
    notes: tuple[str, ...] = ()


class State(Frozen):
    """The content of `Run.search`. `step` grows with each change, so that one of two concurrent writers fails."""

    step: int = 0
    level: float
    set_s: float = 0.0
    from_s: int = 0
    to_s: int = 0
    draining: bool = False
    """No conversation has arrived since `set_s`; `level` is next."""
    notes: tuple[str, ...] = ()
    tried: tuple[Judged, ...] = ()
    over: str = ""

    @property
    def bracket(self) -> Bracket:
        return bracket([Sample(one.level, one.good) for one in self.tried])


class Seen(NamedTuple):
    """What is known of the run: everything that ended before `stored_s` is stored, `active` conversations are open, and
    `read(from_s, to_s)` gives the windows of those seconds. Conditions may refer to `groups`."""

    stored_s: float
    active: int
    read: Callable[[int, int], Windows]
    groups: Sequence[Group] = ()


class Step(NamedTuple):
    """The state to store, and the level to set (None: no change). After a change, `placed` stores when it took
    effect."""

    state: State
    change: float | None


def begin(load: Load) -> State:
    """The load begins with the search's first level."""
    return placed(load, State(level=load.begins_at), 0.0)


def placed(load: Load, state: State, set_s: float) -> State:
    """The state whose level was set at `set_s`, seconds since the start."""
    search = _search(load)
    from_s = math.ceil(set_s + search.settle_s)
    to_s = from_s + math.ceil(search.measure_s)
    return state.model_copy(update={"set_s": set_s, "from_s": from_s, "to_s": to_s})


def look(load: Load, state: State, seen: Seen) -> Step | None:
    """The next step; None: wait."""
    if state.over:
        return None
    if state.draining:
        return _drained(state, seen)
    if seen.stored_s < state.to_s:
        return None
    windows = seen.read(int(state.set_s), state.to_s)
    if (clean_s := _clean_from(state, windows)) > state.from_s:
        return _again(
            state, "waited for the answers of the previous level", clean_s, clean_s + state.to_s - state.from_s
        )
    search, level = _search(load), measure(windows, state.from_s, state.to_s)
    needed, most_s = turns_needed(search.conditions), state.from_s + math.ceil(search.measure_s) * LONGER
    turns, failed = level.figures["turns"]["ok"], level.figures["turns"]["failed"]
    if turns < needed and not level.hangs:
        if state.to_s < most_s and failed < needed:
            longer_s = min(most_s, state.to_s + math.ceil(search.measure_s))
            return _again(state, "measured longer, for too few turns", state.from_s, longer_s)
        state = _noted(state, too_few(turns, needed))
    return _onward(load, _judged(load, state, level, seen.groups), seen)


def _again(state: State, note: str, from_s: int, to_s: int) -> Step:
    changed = _noted(state, note).model_copy(update={"from_s": from_s, "to_s": to_s, "step": state.step + 1})
    return Step(changed, None)


def _noted(state: State, note: str) -> State:
    return state if note in state.notes else state.model_copy(update={"notes": (*state.notes, note)})


def too_few(turns: int, needed: int) -> str:
    return f"only {counted(turns, 'good turn')}, {needed} are needed"


def _drained(state: State, seen: Seen) -> Step | None:
    waited_s = seen.stored_s - state.set_s
    if waited_s < 1 or (seen.active and waited_s < DRAIN_S):
        return None
    notes = (f"{counted(seen.active, 'conversation')} of the previous level still open",) if seen.active else ()
    update = {"draining": False, "notes": notes, "step": state.step + 1}
    return Step(state.model_copy(update=update), state.level)


def _clean_from(state: State, windows: Iterable[Mapping[str, Any]]) -> int:
    """The second after which no turn ends that began under the previous level."""
    set_ns = int(state.set_s * 1e9)
    mixed = (data["second"] for data in windows if set_ns and data.get("first", set_ns) < set_ns)
    return max(state.from_s, max(mixed, default=-1) + 1)


def _judged(load: Load, state: State, level: Level, groups: Sequence[Group]) -> State:
    conditions = [*_search(load).conditions, *([HELD] if isinstance(load, OpenLoad) else [])]
    missed = (*missed_words(judge(conditions, level, groups)), *([level.hangs] if level.hangs else []))
    one = Judged(
        level=state.level, from_s=state.from_s, to_s=state.to_s, good=not missed, missed=missed, notes=state.notes
    )
    return state.model_copy(update={"tried": (*state.tried, one), "notes": (), "step": state.step + 1})


def missed_words(results: Iterable[ThresholdResult]) -> list[str]:
    """The missed ones among thresholds' results, with the measured values."""
    return [f"{result['expr']} ({_measured(result)})" for result in results if not result["passed"]]


def _measured(result: Measured) -> str:
    return "nothing was measured" if result["value"] is None else value_words(result)


def _onward(load: Load, state: State, seen: Seen) -> Step:
    """The next level, or the end, after a level was judged."""
    search = _search(load)
    level = next_level(scale_of(load), [Sample(one.level, one.good) for one in state.tried])
    if level is None:
        return Step(state.model_copy(update={"over": _ending(state.bracket)}), None)
    left_s = (load.duration_s or math.inf) - seen.stored_s
    if left_s < OVERHEAD_S + search.settle_s + search.measure_s:
        return Step(state.model_copy(update={"over": TIME}), None)
    if isinstance(load, OpenLoad) and not state.tried[-1].good:
        return Step(state.model_copy(update={"level": level, "draining": True}), 0.0)
    if level == state.level:  # once more, from where the last measurement ended
        to_s = state.to_s + math.ceil(search.measure_s)
        return Step(state.model_copy(update={"from_s": state.to_s, "to_s": to_s}), None)
    return Step(state.model_copy(update={"level": level}), level)


def _ending(found: Bracket) -> str:
    if found.good is None:
        return NOTHING
    return AT_LEAST if found.bad is None else FOUND


def scale_of(load: Load) -> Scale:
    search, whole = _search(load), isinstance(load, ClosedLoad)
    low = search.lowest(load.begins_at, whole=whole)
    return Scale(load.begins_at, low, search.high, search.precision, whole)


def _search(load: Load) -> Search:
    if load.search is None:
        raise ValueError("this load has no search")
    return load.search


def unit_of(load: Load) -> str:
    return "users" if isinstance(load, ClosedLoad) else "conversations/s"


def words(load: Load, state: State, stored_s: float) -> str:
    """What the search does now, on one line."""
    good, bad = state.bracket
    known = [
        f"{exact(good)} is good" if good is not None else "",
        f"{exact(bad)} is too much" if bad is not None else "",
    ]
    if state.over:
        doing = "over"
    elif state.draining:
        doing = "waiting for the conversations of the previous level to end"
    elif stored_s < state.from_s:
        doing = "settling"
    else:
        doing = f"measuring, {max(0, math.ceil(state.to_s - stored_s))} s left"
    now = f"{exact(state.level)} {unit_of(load)}: {doing}"
    return "; ".join([f"level {len(state.tried) + (not state.over)}: {now}", *filter(None, known)])


def sweep_words(load: Load, sweep: Sweep, at_s: float) -> str:
    """What the load's sweep does at that time, on one line."""
    spans = sweep.spans()
    number = min(int(at_s / sweep.hold_s), len(spans) - 1)
    over = at_s >= spans[-1].to_s
    doing = "over" if over else "settling" if at_s < spans[number].from_s else "measuring"
    return f"level {number + 1} of {len(spans)}: {exact(spans[number].level)} {unit_of(load)}: {doing}"

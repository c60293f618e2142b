"""A search against a queue whose limit is known, second by second: what is measured when, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from runs.capacity.bisection import Bracket
from runs.capacity.search_state import Load, Seen, State, Step, begin, look, placed, sweep_words, words
from runs.load.profile import parse_load
from tests.support.data.queueing import Measured, Queue, window, windows

MS = 1000


def closed(start: int = 10, **search: Any) -> Load:
    found = {"conditions": ["e2e_ms.p95<105"], "settle_s": 2, "measure_s": 5, **search}
    load = parse_load({"kind": "closed", "users": start, "search": found})
    assert load.kind != "trace"
    return load


def open_(start: float, **search: Any) -> Load:
    found = {"conditions": ["e2e_ms.p95<150"], "settle_s": 2, "measure_s": 5, "precision": 0.05, **search}
    load = parse_load({"kind": "open", "rate_per_s": start, "search": found})
    assert load.kind != "trace"
    return load


@dataclass
class Held:
    """A load that is held second after second, as a search has it changed; `lead_s` after it asks for that."""

    load: Load
    measured: Measured
    lead_s: float = 1.2
    limit_s: int = 2000
    changes: list[tuple[float, float]] = field(default_factory=list)
    stored: list[Any] = field(default_factory=list)
    drain_s: int = 3

    def search(self) -> State:
        state = begin(self.load)
        self.changes = [(0.0, state.level)]
        for second in range(self.limit_s):
            set_s, level = max(change for change in self.changes if change[0] <= second)
            if level:
                self.stored += windows(level, set_s, second, second + 1, self.measured)
            else:
                self.stored.append(window(second, 0, 0, active=0))
            active = 0 if second - set_s >= self.drain_s and not level else 1
            step = look(self.load, state, Seen(second + 0.5, active, self.read))
            if step is not None:
                state = self.take(step, second + 0.5)
            if state.over:
                return state
        raise AssertionError("it does not end")

    def take(self, step: Step, now_s: float) -> State:
        if step.change is None:
            return step.state
        self.changes.append((now_s + self.lead_s, step.change))
        if step.state.draining:
            return step.state.model_copy(update={"set_s": now_s + self.lead_s})
        return placed(self.load, step.state, now_s + self.lead_s)

    def read(self, from_s: int, to_s: int) -> list[Any]:
        return [data for data in self.stored if from_s <= data["second"] < to_s]


@pytest.mark.parametrize("places", [3, 40, 113])
def test_the_users_that_a_queue_serves_at_once_are_found(places: int) -> None:
    queue = Queue(places)
    held = Held(closed(), lambda level, _since_s: queue.closed(level))
    state = held.search()
    good, bad = state.bracket
    assert state.over == "found" and good is not None and bad is not None
    assert places <= good <= places * 1.05 and good < bad <= max(good + 1, places * 1.08)  # the condition allows 5 %
    assert all(one.to_s - one.from_s == 5 for one in state.tried)


@pytest.mark.parametrize("limit", [7.5, 400])
def test_the_rate_that_a_queue_works_off_is_found(limit: float) -> None:
    queue = Queue(limit / 10)
    held = Held(open_(limit / 3), queue.open)
    state = held.search()
    good, bad = state.bracket
    assert state.over == "found" and good is not None and bad is not None
    assert limit * 0.95 <= good <= limit * 1.02 and good < bad <= good * 1.06


def test_after_a_rate_that_was_too_much_no_one_comes_until_the_line_is_gone() -> None:
    held = Held(open_(10), Queue(1.5).open)
    state = held.search()
    levels = [level for _, level in held.changes]
    assert levels[:4] == [10, 20, 0, 15]
    for (empty_s, level), (next_s, _) in zip(held.changes, held.changes[1:], strict=False):
        if not level:
            assert next_s - empty_s > held.drain_s
    bad_levels = sum(not one.good for one in state.tried)
    assert levels.count(0) == bad_levels - (not state.tried[-1].good)


def test_a_line_that_does_not_go_away_is_waited_for_a_minute_only() -> None:
    held = Held(open_(10), Queue(1.5).open, drain_s=10_000)
    state = held.search()
    assert state.over == "found"
    assert any("still open" in note for one in state.tried for note in one.notes)


def test_nothing_that_began_under_another_load_is_measured() -> None:
    """Answers of 8 s at a level that was too much end long after it, and long after `settle_s`."""
    held = Held(closed(20, measure_s=3, high=200), lambda level, _since_s: (50, 0.1 if level <= 40 else 8.0))
    step = None
    state = placed(held.load, State(level=80), 0.0)
    held.stored = [window(second, 50, 8.0, active=80) for second in range(12)]
    step = look(held.load, state, Seen(12, 80, held.read))
    assert step is not None and step.change is not None and step.state.tried[-1].good is False
    state = placed(held.load, step.state.model_copy(update={"level": 30}), 13.2)
    assert (state.from_s, state.to_s) == (16, 19)
    # until second 20 answers end that began at 12, before the change
    held.stored = [window(second, 50, 8.0 if second <= 20 else 0.1) for second in range(13, 30)]
    step = look(held.load, state, Seen(19.5, 30, held.read))
    assert step is not None and step.change is None
    assert (step.state.from_s, step.state.to_s) == (19, 22)
    step = look(held.load, step.state, Seen(22.5, 30, held.read))
    assert step is not None and (step.state.from_s, step.state.to_s) == (21, 24)
    step = look(held.load, step.state, Seen(24.5, 30, held.read))
    assert step is not None
    assert step.state.tried[-1].good and "waited for the answers" in step.state.tried[-1].notes[0]


def test_a_percentile_of_too_few_turns_is_measured_longer_and_said() -> None:
    load = closed(10, measure_s=2, settle_s=0, conditions=["e2e_ms.p99<105"])
    held = Held(load, lambda _level, _since_s: (15, 0.1))
    held.stored = windows(10, 0, 0, 20, held.measured)
    state = begin(load)
    for to_s in (4, 6, 8):
        assert look(load, state, Seen(to_s - 2.5, 10, held.read)) is None
        step = look(load, state, Seen(to_s - 2, 10, held.read))
        assert step is not None and step.change is None and step.state.to_s == to_s
        state = step.state
    step = look(load, state, Seen(8, 10, held.read))
    assert step is not None and step.change == 20
    assert step.state.tried[0].notes == ("measured longer, for too few turns",)

    slow = Held(load, lambda _level, _since_s: (5, 0.1))
    slow.stored = windows(10, 0, 0, 20, slow.measured)
    step = look(load, state, Seen(8, 10, slow.read))
    assert step is not None and step.state.tried[0].notes[-1] == "only 40 good turns, 100 are needed"


def test_a_rate_with_dropped_arrivals_is_not_held() -> None:
    load = open_(10, measure_s=2, settle_s=0)
    rows = [window(second, 30, 0.1) for second in range(2)]
    rows[1]["gen"][0][-1] = 7
    step = look(load, begin(load), Seen(2, 10, lambda _from, _to: rows))
    assert step is not None and step.state.tried[0].missed == ("dropped_arrivals==0 (is 7)",)


def test_a_level_without_one_answer_is_bad() -> None:
    load = closed(10, measure_s=1, settle_s=0)
    state = begin(load)
    for to_s in (1, 2, 3, 4):
        step = look(load, state, Seen(to_s, 10, lambda _from, _to: []))
        assert step is not None
        state = step.state
    assert state.tried[0].missed == ("e2e_ms.p95<105 (nothing was measured)",)


def test_a_level_of_nothing_but_errors_is_judged_at_once() -> None:
    load = closed(10, measure_s=2, settle_s=0, conditions=["e2e_ms.p95<105", "error_rate<10%"])
    rows = [window(second, 30, 0.1) for second in range(2)]
    for row in rows:
        row["out"] = [0, 30, 0, 0, 0]
        row["m"] = {}
    step = look(load, begin(load), Seen(2, 10, lambda _from, _to: rows))
    assert step is not None and step.change is None, "a first bad level is measured again"
    assert step.state.tried[0].missed == ("e2e_ms.p95<105 (nothing was measured)", "error_rate<10% (is 100%)")


def test_it_ends_before_its_time_is_over() -> None:
    load = parse_load(closed(10).model_dump(mode="json") | {"duration_s": 60})
    assert load.kind == "closed"
    held = Held(load, lambda level, _since_s: Queue(500).closed(level))
    state = held.search()
    assert state.over == "time" and state.bracket == Bracket(320, None)
    assert all(one.to_s <= 60 for one in state.tried)


def test_what_it_does_is_said_in_words() -> None:
    load = closed(10)
    state = begin(load)
    assert words(load, state, 0.3) == "level 1: 10 users: settling"
    assert words(load, state, 2.5) == "level 1: 10 users: measuring, 5 s left"
    over = Held(closed(10, high=20), lambda level, _since_s: Queue(13).closed(level)).search()
    assert words(load, over, 99).startswith("level ") and words(load, over, 99).endswith("13 is good; 14 is too much")


def test_what_a_sweep_does_is_said_in_words() -> None:
    load = parse_load({"kind": "closed", "sweep": {"levels": [2, 8], "hold_s": 4}})
    assert load.kind == "closed" and load.sweep is not None
    assert sweep_words(load, load.sweep, 0.5) == "level 1 of 2: 2 users: settling"
    assert sweep_words(load, load.sweep, 3.9) == "level 1 of 2: 2 users: measuring"
    assert sweep_words(load, load.sweep, 7.9) == "level 2 of 2: 8 users: measuring"
    assert sweep_words(load, load.sweep, 8.1) == "level 2 of 2: 8 users: over"

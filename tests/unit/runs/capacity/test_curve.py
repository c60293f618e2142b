"""The load curve and the capacity of a report, from the windows of a search and of a sweep."""

from __future__ import annotations

from typing import Any

from metrics.report_schema import CapacityPart, LevelRow
from runs.capacity.curve import Windows, searched, swept
from runs.capacity.search_state import Judged, Load, State
from runs.load.profile import parse_load
from tests.support.data.queueing import Queue, windows

QUEUE = Queue(40)


def sweeping(*levels: float, **more: Any) -> Load:
    load = parse_load({"kind": "closed", "sweep": {"levels": levels, "hold_s": 8, **more}})
    assert load.kind == "closed"
    return load


def holding(load: Load, until_s: int) -> Windows:
    """What a sweep against the queue leaves until then."""
    stored: list[Any] = []
    for span in load.sweep.spans() if load.sweep else ():
        ends_s = min(until_s, int(span.set_s) + 8)
        stored += windows(span.level, span.set_s, int(span.set_s), ends_s, lambda level, _: QUEUE.closed(level))
    return lambda from_s, to_s: [data for data in stored if from_s <= data["second"] < to_s]


def sweep_of(load: Load, until_s: int = 1000) -> tuple[list[LevelRow], CapacityPart]:
    assert load.sweep is not None
    levels, capacity = swept(load, load.sweep, holding(load, until_s))
    assert levels is not None and capacity is not None
    return levels, capacity


def test_a_sweep_is_a_row_for_each_level_and_marks_the_knee() -> None:
    levels, capacity = sweep_of(sweeping(10, 20, 40, 80, 160))
    assert [row["level"] for row in levels] == [10, 20, 40, 80, 160]
    assert [(row["from_s"], row["to_s"]) for row in levels[:2]] == [(2, 8), (10, 16)]
    assert [row["turns_per_s"] for row in levels] == [100, 200, 400, 400, 400]
    assert levels[3]["e2e_ms"]["p50"] == 200 and {row["good"] for row in levels} == {None}
    assert (capacity["knee"], capacity["level"], capacity["found"], capacity["note"]) == (40, None, False, "")


def test_the_conditions_of_a_sweep_give_a_capacity() -> None:
    levels, capacity = sweep_of(sweeping(10, 20, 40, 80, conditions=["e2e_ms.p95<150", "error_rate<1%"]))
    assert [row["good"] for row in levels] == [True, True, True, False]
    assert (capacity["level"], capacity["high"], capacity["found"]) == (40, 80, True)
    assert capacity["limited_by"] == ["e2e_ms.p95<150 (is 200)"]
    _, capacity = sweep_of(sweeping(10, 20, conditions=["e2e_ms.p95<150"]))
    assert (capacity["level"], capacity["found"], capacity["note"]) == (
        20, False, "the highest level is good: sweep higher ones",
    )  # fmt: skip
    _, capacity = sweep_of(sweeping(10, 20, conditions=["e2e_ms.p95<50"]))
    assert (capacity["level"], capacity["note"]) == (None, "not even the lowest level is good")


def test_a_level_with_too_few_turns_for_its_conditions_says_so() -> None:
    levels, _ = sweep_of(sweeping(1, 10, conditions=["e2e_ms.p99<150"]))
    assert [row["notes"] for row in levels] == [["only 60 good turns, 100 are needed"], []]
    assert not sweep_of(sweeping(1))[0][0]["notes"]


def test_a_level_that_was_not_held_to_its_end_is_left_out() -> None:
    levels, capacity = sweep_of(sweeping(10, 20, 40), until_s=13)
    assert [row["level"] for row in levels] == [10]
    assert capacity["note"] == "the run ended before the sweep did" and capacity["knee"] is None
    assert sweep_of(sweeping(10, 20), until_s=0)[0] == []


def test_levels_after_somebody_changed_the_load_are_left_out() -> None:
    load = sweeping(10, 20, 40)
    assert load.sweep is not None
    levels, capacity = swept(load, load.sweep, holding(load, 100), changed_s=15.5)
    assert levels is not None and capacity is not None
    assert [row["level"] for row in levels] == [10] and capacity["note"] == "somebody else changed the load"


def test_answers_of_the_level_before_are_said() -> None:
    load = sweeping(10, 400, 10, settle_s=0)
    levels, _ = sweep_of(load)
    assert [bool(row["notes"]) for row in levels] == [False, True, True]
    patient = sweeping(10, 20, settle_s=4)
    assert not any(row["notes"] for row in sweep_of(patient)[0])


def test_a_search_reports_each_measurement_and_what_limits() -> None:
    load = parse_load({"kind": "closed", "users": 20, "search": {"conditions": ["e2e_ms.p95<105"], "high": 60}})
    assert load.kind == "closed" and load.search is not None
    tried = (
        Judged(level=20, from_s=2, to_s=5, good=True),
        Judged(level=40, from_s=8, to_s=11, good=True, notes=("measured longer, for too few turns",)),
        Judged(level=60, from_s=14, to_s=17, good=False, missed=("e2e_ms.p95<105 (is 150)",)),
        Judged(level=50, from_s=20, to_s=23, good=False, missed=("e2e_ms.p95<105 (is 125)",)),
    )

    def read(from_s: int, to_s: int) -> list[Any]:
        (level,) = (one.level for one in tried if (one.from_s, one.to_s) == (from_s, to_s))
        return windows(level, 0, from_s, to_s, lambda users, _: QUEUE.closed(users))

    levels, capacity = searched(load, load.search, State(level=50, tried=tried, over="found"), read)
    assert levels is not None and capacity is not None
    assert [(row["level"], row["good"], row["turns_per_s"]) for row in levels] == [
        (20, True, 200), (40, True, 400), (60, False, 400), (50, False, 400),
    ]  # fmt: skip
    assert levels[1]["notes"] == ["measured longer, for too few turns"]
    assert capacity == {
        "level": 40, "unit": "users", "found": True, "low": 40, "high": 50, "conditions": ["e2e_ms.p95<105"],
        "limited_by": ["e2e_ms.p95<105 (is 125)"], "knee": 40, "note": "",
    }  # fmt: skip
    _, early = searched(load, load.search, State(level=40, tried=tried[:1]), read)
    assert early is not None
    assert (early["level"], early["found"], early["note"]) == (20, False, "the run ended before the search did")

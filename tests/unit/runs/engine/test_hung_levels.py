"""Levels, sweeps and searches against a target that hangs: counted by a real engine in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metrics.analysis.curve import judge, level_row, measure
from metrics.analysis.totals import merge
from runs.capacity.curve import swept
from runs.capacity.search_state import Seen, begin, look
from runs.load.profile import parse_load
from tests.support.virtual import NEVER, Rule, hold
from tests.unit.runs.engine.hanging import CLOSED, OPEN, hangs, report_of, windows


@pytest.mark.parametrize(("load", "to_s"), [(CLOSED, 12), (OPEN, 12), ({**CLOSED, "users": 60}, 30)])
def test_a_level_that_hangs_at_its_end_is_a_failed_level(load: dict[str, Any], to_s: int, tmp_path: Path) -> None:
    level = measure(windows(hold(hangs(3.0), load, tmp_path)), 0, to_s)
    assert level.hangs.startswith("the target hung: at the end ")
    assert level.figures["turns"]["failed"] == level.overdue > 0
    assert [one["passed"] for one in judge(["turns_failed<1", "error_rate<0.1%", "e2e_ms.p95<500"], level)] == [
        False,
        False,
        True,
    ]
    assert level_row(5, 0, to_s, level, good=False)["overdue"] == level.overdue


def test_a_level_with_a_single_turn_that_hangs_has_a_failed_turn_and_did_not_hang(tmp_path: Path) -> None:
    rule = Rule(lambda number, _at_s: NEVER if number == 8 else 0.1)
    level = measure(windows(hold(rule, OPEN, tmp_path)), 0, 12)
    assert (level.overdue, level.figures["turns"]["failed"], level.hangs) == (1, 1, "")


def test_a_level_that_recovered_did_not_hang(tmp_path: Path) -> None:
    level = measure(windows(hold(hangs(3.0, until_s=11.0), CLOSED, tmp_path)), 0, 20)
    assert (level.overdue, level.figures["turns"]["failed"], level.hangs) == (0, 0, "")


@pytest.mark.parametrize("conditions", [(), ("e2e_ms.p95<500",)])
def test_a_sweep_calls_the_level_bad_at_which_the_target_hung(conditions: tuple[str, ...], tmp_path: Path) -> None:
    load = parse_load({"kind": "closed", "sweep": {"levels": [2, 4], "hold_s": 16, "conditions": conditions}})
    assert load.kind == "closed" and load.sweep is not None
    stored = windows(hold(hangs(22.0), load.model_dump(mode="json"), tmp_path))
    rows, _ = swept(load, load.sweep, lambda from_s, to_s: [w for w in stored if from_s <= w["second"] < to_s])
    assert rows is not None
    assert [row["good"] for row in rows] == [True if conditions else None, False]
    assert rows[1]["missed"] == ["the target hung: at the end 4 turns waited for longer than its answers explain"]


def test_a_level_whose_last_turns_were_never_answered_is_bad_however_short_they_had_waited(tmp_path: Path) -> None:
    load = parse_load({"kind": "closed", "sweep": {"levels": [2, 4, 6], "hold_s": 6}})
    assert load.kind == "closed" and load.sweep is not None
    stored = windows(hold(hangs(9.0), load.model_dump(mode="json"), tmp_path))
    end_s = merge(stored).last_answer_s
    assert 9 <= end_s <= 10
    rows, _ = swept(
        load, load.sweep, lambda from_s, to_s: [w for w in stored if from_s <= w["second"] < to_s], last_answer_s=end_s
    )
    assert rows is not None
    assert [(row["overdue"], row["good"]) for row in rows[:2]] == [(0, None), (4, False)]
    assert rows[1]["missed"] == ["the target hung: at the end 4 turns had no answer"]
    assert (rows[1]["error_rate"] or 0) > 0


def test_a_rate_of_a_sweep_that_dropped_arrivals_was_not_held(tmp_path: Path) -> None:
    load = parse_load({
        "kind": "open", "max_sessions": 6, "sweep": {"levels": [2, 20], "hold_s": 8, "conditions": ["e2e_ms.p95<900"]},
    })  # fmt: skip
    assert load.kind == "open" and load.sweep is not None
    stored = windows(hold(Rule(lambda _number, _at_s: 0.5), load.model_dump(mode="json"), tmp_path))
    rows, _ = swept(load, load.sweep, lambda from_s, to_s: [w for w in stored if from_s <= w["second"] < to_s])
    assert rows is not None
    assert [row["good"] for row in rows] == [True, False]
    assert rows[1]["missed"][0].startswith("dropped_arrivals==0 (is ")


def test_a_search_goes_down_from_a_level_that_hangs(tmp_path: Path) -> None:
    search = {"conditions": ["e2e_ms.p95<500"], "settle_s": 1, "measure_s": 12}
    load = parse_load({"kind": "closed", "users": 5, "search": search})
    assert load.kind == "closed"
    stored = windows(hold(hangs(3.0), CLOSED, tmp_path))
    read = [data for data in stored if data["second"] < 13]
    step = look(
        load, begin(load), Seen(13.5, 5, lambda from_s, to_s: [w for w in read if from_s <= w["second"] < to_s])
    )
    assert step is not None
    (tried,) = step.state.tried
    assert not tried.good
    assert tried.missed == ("the target hung: at the end 5 turns waited for longer than its answers explain",)


def test_who_could_not_come_during_a_hang_is_load_that_was_not_offered(tmp_path: Path) -> None:
    rule, load = hangs(3.0), {**OPEN, "max_sessions": 10}
    report = report_of(windows(hold(rule, load, tmp_path)), load, ["dropped_arrivals<1"])
    assert len(rule.asked) + report["dropped_arrivals"] == 4 * 30
    assert report["turns"]["failed"] == 10
    assert [one["passed"] for one in report["thresholds"]] == [False]
    (reason,) = (text for text in report["verdict"]["reasons"] if text.startswith("arrivals_dropped"))
    assert reason.endswith("would have waited too.")

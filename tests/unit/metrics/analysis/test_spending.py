"""What a run used of its budget and what it cost, from its windows."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.analysis.spending import budget_of, by_model, cost_of, used
from metrics.analysis.totals import Aggregate, merge
from metrics.groups import Group
from metrics.report.spending_words import budget_tiles, budget_words
from tests.unit.metrics.made import MS, batch, failed, turn

LINES = (
    turn(0, planned=10 * MS, ti=100, to=10),  # of the warm-up
    failed(1, planned=20 * MS, ti=100),  # of the warm-up
    turn(2, ti=7, to=5),
    failed(3, ti=3, out="timeout"),
    failed(4, ti=2, to=4, out="aborted"),
)
PRICES = {"m": {"input": 1.0, "output": 1000.0}, "*": {"input": 2.0, "output": 2000.0}}
ONE = (Group("talk", "m"),)


def load(**budget: Any) -> dict[str, Any]:
    return {"budget": {"tokens": None, "prices": {}, **budget}}


def counted(*lines: dict[str, Any], groups: int = 1) -> Aggregate:
    return merge(batch(*lines, counted=(50 * MS, None), groups=groups).windows.values())


def test_everything_that_was_sent_is_used_the_warm_up_and_the_failed_too() -> None:
    ceilings = load(tokens=100, cost=0.5, turns=9, errors=2, prices=PRICES)
    assert used(ceilings, counted(*LINES), ONE) == {
        "tokens": {"ceiling": 100, "used": 231, "estimated": False},
        "cost": {"ceiling": 0.5, "used": 0.019212, "estimated": False},
        "turns": {"ceiling": 9, "used": 5},
        "errors": {"ceiling": 2, "used": 2},
    }


def test_each_model_has_its_own_tokens_and_its_own_price() -> None:
    groups = (Group("a", "m"), Group("a", "other"), Group("b", "m"), Group("b", "other"))
    lines = [line | {"g": number % 4} for number, line in enumerate(LINES)]
    found = counted(*lines, groups=4)
    assert {model: tuple(spent) for model, spent in by_model(found, groups).items()} == {
        "m": (100 + 7 + 2, 10 + 5 + 4),
        "other": (100 + 3, 0),
    }
    assert cost_of(load(prices=PRICES), found, groups) == {
        "total": pytest.approx((109 + 19_000 + 206) / 1e6),
        "by_model": [
            {"model": "m", "input": 109, "output": 19, "cost": 0.019109, "money": 0.019109},
            {"model": "other", "input": 103, "output": 0, "cost": 0.000206, "money": 0.000206},
        ],
        "estimated": False,
    }


def test_without_prices_there_is_no_cost_and_estimates_are_said() -> None:
    assert cost_of(load(), counted(*LINES), ONE) is None
    assert cost_of({}, counted(*LINES), ()) is None
    for source in ("estimate", "mixed", "mixed_in", "doubted", "doubt_in", "doubt_to", "split_in"):
        found = counted(*(line | {"ts": source} for line in LINES))
        cost = cost_of(load(prices=PRICES), found, ())
        assert cost is not None
        assert cost["estimated"] is True
        budget = budget_of(load(tokens=200), found, ONE, "")
        assert budget is not None
        assert budget_words(budget) == "231 tokens of 200 (116%, estimated)"


@pytest.mark.parametrize(
    ("end_code", "ended_by"),
    [("budget_tokens", "tokens"), ("budget_cost", "cost"), ("stopped", None), ("", None)],
)
def test_the_budget_says_what_ended_the_run_and_by_how_much_it_was_passed(end_code: str, ended_by: str | None) -> None:
    rate = {"above": 0.5, "window_s": 30.0, "turns": 50}
    assert budget_of(load(tokens=200, turns=9, error_rate=rate), counted(*LINES), ONE, end_code) == {
        "ended_by": ended_by,
        "tokens": {"ceiling": 200, "used": 231, "estimated": False, "over": 31},
        "turns": {"ceiling": 9, "used": 5, "over": 0},
        "error_rate": rate,
    }


def test_a_report_has_the_earlier_name_of_cost_too() -> None:
    found = budget_of(load(cost=0.5, prices=PRICES), counted(*LINES), ONE, "budget_cost")
    assert found is not None
    assert found["cost"] == found["money"] == {"ceiling": 0.5, "used": 0.019212, "estimated": False, "over": 0}
    assert found == budget_of({"budget": {"money": 0.5, "prices": PRICES}}, counted(*LINES), ONE, "budget_cost")
    assert list(budget_tiles(found)) == [("spent of 0.500", "0.019", False)], "one tile, not two"


def test_a_run_without_ceilings_has_no_budget_unless_its_errors_ended_it() -> None:
    assert budget_of(load(), counted(*LINES), ONE, "") is None
    assert budget_of(load(), counted(*LINES), ONE, "budget_no_success") == {"ended_by": "no_success"}

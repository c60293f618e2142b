from __future__ import annotations

from metrics.report.earlier_reports import present_report
from metrics.report.spending_words import budget_tiles, budget_words, cost_words
from metrics.report_schema import BudgetPart, ModelCost

BUDGET: BudgetPart = {
    "ended_by": "tokens",
    "tokens": {"ceiling": 24_000, "used": 24_412, "over": 412},
    "cost": {"ceiling": 5.0, "used": 1.25, "over": 0},
    "error_rate": {"above": 0.1, "window_s": 30.0, "turns": 50},
}


def test_each_ceiling_is_said_with_its_share() -> None:
    assert budget_words(BUDGET) == "24,412 tokens of 24,000 (102%), 1.25 spent of a budget of 5 (25%)"
    assert list(budget_tiles(BUDGET)) == [("tokens of 24,000", "24,412", True), ("spent of 5", "1.25", False)]


def test_a_stored_report_is_read_under_the_earlier_name_of_cost() -> None:
    earlier = present_report({"run": {}, "budget": {"ended_by": "money", "money": BUDGET["cost"]}})
    assert budget_words(earlier["budget"]) == "1.25 spent of a budget of 5 (25%)"


def test_no_ceiling_says_nothing() -> None:
    assert budget_words(None) == budget_words({"ended_by": "no_success"}) == ""
    assert list(budget_tiles(None)) == []


def test_a_cost_is_split_by_model_where_there_are_several() -> None:
    one: ModelCost = {"model": "m", "input": 1, "output": 1, "cost": 1.0, "money": 1.0}
    assert cost_words(None) == ""
    assert cost_words({"total": 1.0, "by_model": [one], "estimated": False}) == "1"
    two: list[ModelCost] = [one, {**one, "model": "", "cost": 0.234}]
    assert cost_words({"total": 1.234, "by_model": two, "estimated": True}) == (
        "1.23 (m 1, no model 0.234), from estimated tokens"
    )

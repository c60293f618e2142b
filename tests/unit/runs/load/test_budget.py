"""Validation of a budget: one line that names the field."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.spec import SpecError
from runs.load.budget import Budget, check_prices
from runs.load.profile import parse_load

PRICES = {"m": {"input": 1, "output": 2}}


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        ({"tokens": 0}, "budget.tokens"),
        ({"turns": 1.5}, "budget.turns"),
        ({"cost": 5}, "load.budget.cost needs prices per million tokens"),
        ({"cost": float("nan"), "prices": PRICES}, "budget.cost"),
        ({"prices": {"m": {"input": -1, "output": 2}}}, "budget.prices.m.input"),
        ({"prices": {"m": {"input": float("inf"), "output": 2}}}, "budget.prices.m.input"),
        ({"prices": {"m": 3}}, "budget.prices.m"),
        ({"error_rate": 0.05}, "budget.error_rate"),
        ({"error_rate": {"above": 1}}, "budget.error_rate.above"),
        ({"error_rate": {"above": 0.1, "window_s": 0.5}}, "budget.error_rate.window_s"),
        ({"no_success_timeout_s": 0}, "budget.no_success_timeout_s"),
        ({"tokns": 3}, "budget.tokns"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(budget: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_load({"kind": "closed", "users": 1, "duration_s": 1, "budget": budget})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_price_table_must_know_every_model() -> None:
    table = Budget.model_validate({"prices": PRICES})
    check_prices(table, ["m"])
    check_prices(Budget(), ["other"])
    check_prices(Budget.model_validate({"prices": {**PRICES, "*": PRICES["m"]}}), ["other", ""])
    with pytest.raises(SpecError, match=r"no price for the model 'other' \(there is m\): add it, or '\*'"):
        check_prices(table, ["m", "other"])
    with pytest.raises(SpecError, match="no price for this target, which names no model"):
        check_prices(table, [""])

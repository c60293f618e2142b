"""Budget and prices of a run, part of its load. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from connectors.spec import Frozen, SpecError
from runs.load.earlier_names import budget_renamed

ANY_MODEL = "*"
PER_TOKENS = 1_000_000
Rates = tuple[float, float]
"""The cost of one input token and of one output token."""


class Price(Frozen):
    """What a million tokens of a model cost."""

    input: float = Field(ge=0, le=1e9, allow_inf_nan=False)
    output: float = Field(ge=0, le=1e9, allow_inf_nan=False)

    @property
    def rates(self) -> Rates:
        return self.input / PER_TOKENS, self.output / PER_TOKENS


class ErrorRate(Frozen):
    """Ends the run when more than `above` of the turns of the last `window_s` failed, of at least `turns` turns."""

    above: float = Field(gt=0, lt=1, allow_inf_nan=False)
    window_s: float = Field(30.0, ge=1, le=3600)
    turns: int = Field(50, ge=1)


class Budget(Frozen):
    """Limits over all engines together; None: no limit. Everything that is sent counts, the warm-up too."""

    tokens: int | None = Field(
        None, ge=1, le=10**15, description="Maximum number of tokens, input and output. Those of failed turns count."
    )
    cost: float | None = Field(
        None, gt=0, le=1e12, allow_inf_nan=False, description="Maximum cost. In the currency of load.budget.prices."
    )
    turns: int | None = Field(None, ge=1, le=10**12, description="Maximum number of turns (hard limit).")
    errors: int | None = Field(
        None, ge=1, le=10**12, description="Abort after this many failed turns. Outcome error or timeout."
    )
    error_rate: ErrorRate | None = Field(None, description="Abort above this error rate.")
    no_success_timeout_s: float | None = Field(
        30.0,
        ge=1,
        le=7 * 86400,
        description="Abort if no turn succeeded for this long and 20 failed. null: never.",
    )
    prices: dict[str, Price] = Field(
        default_factory=dict,
        max_length=1000,
        description="Price per million tokens, input and output. By model; * is for any other model.",
    )

    @model_validator(mode="before")
    @classmethod
    def _earlier_names(cls, data: Any) -> Any:
        return budget_renamed(data) if isinstance(data, Mapping) else data

    @model_validator(mode="after")
    def _cost_has_prices(self) -> Self:
        if self.cost is not None and not self.prices:
            raise ValueError("load.budget.cost needs prices per million tokens: add load.budget.prices")
        return self

    @property
    def bounds_engines(self) -> bool:
        """Whether engines have limits to count."""
        return any(ceiling is not None for ceiling in (self.tokens, self.cost, self.turns, self.errors))


def price_of(prices: Mapping[str, Price], model: str) -> Price | None:
    """What a model's tokens cost, by its name or by `*`; None if the table has neither."""
    return prices.get(model) or prices.get(ANY_MODEL)


def check_prices(budget: Budget, models: Iterable[str]) -> None:
    """Raises SpecError if there is a price table and one of `models` (empty: a target without models) is not in it."""
    if not budget.prices:
        return
    for model in models:
        if price_of(budget.prices, model) is None:
            whom = f"the model {model!r}" if model else "this target, which names no model"
            known = ", ".join(sorted(budget.prices))
            raise SpecError(f"load.budget.prices: there is no price for {whom} (there is {known}): add it, or '*'")

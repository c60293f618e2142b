"""How much a run may use before it ends, and what its tokens cost: part of a LoadProfile. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from pydantic import Field, model_validator

from connectors.spec import Frozen, SpecError

ANY_MODEL = "*"
PER_TOKENS = 1_000_000
Rates = tuple[float, float]
"""Money for one input token and for one output token."""


class Price(Frozen):
    """Money for a million tokens of a model."""

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
    """Ceilings over all engines together; None: no ceiling. Everything that is sent counts, the warm-up too."""

    tokens: int | None = Field(None, ge=1, le=10**15)
    """Input and output tokens, those of failed turns included."""
    money: float | None = Field(None, gt=0, le=1e12, allow_inf_nan=False)
    """In the currency of `prices`."""
    turns: int | None = Field(None, ge=1, le=10**12)
    errors: int | None = Field(None, ge=1, le=10**12)
    """The run is aborted when so many turns have failed (outcome error or timeout)."""
    error_rate: ErrorRate | None = None
    only_errors_s: float | None = Field(30.0, ge=1, le=7 * 86400)
    """The run is aborted when for so long no turn was good and 20 failed; None: never."""
    prices: dict[str, Price] = Field(default_factory=dict, max_length=1000)
    """By model; `*` is for models that are not named."""

    @model_validator(mode="after")
    def _money_has_prices(self) -> Self:
        if self.money is not None and not self.prices:
            raise ValueError('money needs prices, for example {"*": {"input": 2.5, "output": 10}} for a million tokens')
        return self

    @property
    def bounds_engines(self) -> bool:
        """Whether each engine has something to count."""
        return any(ceiling is not None for ceiling in (self.tokens, self.money, self.turns, self.errors))


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
            raise SpecError(f"load: budget.prices: there is no price for {whom} (there is {known}): add it, or '*'")

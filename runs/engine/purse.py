"""One engine's share of its run's budget: counted turn by turn, by the engine alone. Nobody deals anything out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from connectors.errors import USER_LEFT
from metrics.words import counted
from runs.engine.budget import Budget, Rates, price_of
from runs.planner import share_count

if TYPE_CHECKING:
    from runs.engine.session import User

KNOWN_TURNS: Final = 20
"""Finished turns from which on their mean says what those in flight will come to."""
NO_LIMIT: Final = float("inf")


class SpentError(Exception):
    """The budget has no further turn."""


class Purse:
    """`begin` before each turn, `spend` after it. When the share is used up it calls `end` with the reason, once.

    Tokens and money are over as soon as what is spent, and what the turns in flight will come to at the mean of the
    turns so far, reach the share: else a whole wave of answers would come on top. Turns are counted before they are
    sent, so that there is never one too many. Of errors an engine knows its own: it ends when they alone reach the
    ceiling of the whole run, whose sum the supervisors watch.
    """

    def __init__(self, budget: Budget, index: int, of: int, model: str, end: Callable[[str, bool], None]) -> None:
        """`model` is meant where a turn names none. `end` is told the reason, and whether the turns in flight are to
        be waited for."""
        self._end = end
        self._over = False
        self._tokens_left = NO_LIMIT if budget.tokens is None else float(share_count(budget.tokens, index, of))
        self._money_left = NO_LIMIT if budget.money is None else budget.money / of
        self._turns_left = NO_LIMIT if budget.turns is None else float(share_count(budget.turns, index, of))
        self._errors_left = NO_LIMIT if budget.errors is None else float(budget.errors)
        self._budget = budget
        self._model = model
        self._rates: dict[str, Rates] = {}
        self._tokens = 0
        self._money = 0.0
        self._done = 0
        self._in_flight = 0

    def begin(self, user: User) -> None:
        """A turn is about to be sent. Raises SpentError if there is none left."""
        if self._turns_left <= 0:
            raise SpentError
        self._turns_left -= 1
        self._in_flight += 1
        user.paid = True
        if self._turns_left == 0:
            self._finish("turns", "its share is used up")

    def spend(self, line: dict[str, Any], model: str, user: User) -> None:
        """A turn is over: `line` is its line of the ledger."""
        user.paid = False
        self._in_flight -= 1
        self._done += 1
        tokens_in, tokens_out = line["ti"] or 0, line["to"] or 0
        self._tokens += tokens_in + tokens_out
        if self._money_left < NO_LIMIT:
            rates = self._rates.get(model) or self._rates_of(model)
            self._money += tokens_in * rates[0] + tokens_out * rates[1]
            if self._soon(self._money) >= self._money_left:
                self._finish("money", "its share is used or on its way")
        if self._soon(self._tokens) >= self._tokens_left:
            self._finish("tokens", "its share is used or on its way")
        if line["out"] in {"error", "timeout"} or line["code"] == USER_LEFT:
            self._errors_left -= 1
            if self._errors_left == 0:
                self._finish(
                    "errors", f"{counted(self._budget.errors or 0, 'turn')} failed, as many as the budget allows"
                )

    def _soon(self, spent: float) -> float:
        """`spent`, and what the turns in flight are expected to add."""
        if self._done < KNOWN_TURNS:
            return spent
        return spent + self._in_flight * spent / self._done

    def _rates_of(self, model: str) -> Rates:
        price = price_of(self._budget.prices, model or self._model)
        self._rates[model] = rates = (0.0, 0.0) if price is None else price.rates
        return rates

    def _finish(self, what: str, why: str) -> None:
        if not self._over:
            self._over = True
            self._end(f"budget: {what}: {why}", what != "errors")

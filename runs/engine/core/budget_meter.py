"""One engine's share of its run's budget. Each engine enforces its own share, turn by turn; there is no coordinator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from connectors.errors import USER_LEFT
from metrics.end_codes import CEILINGS, EndCode
from metrics.number_format import counted
from runs.load.budget import Budget, Rates, price_of
from runs.load.shares import share_count

KNOWN_TURNS: Final = 20
"""Number of finished turns after which their mean predicts the usage of turns in flight."""
NO_LIMIT: Final = float("inf")
End = Callable[[EndCode, str, bool], None]
"""Ends the load: the code, the reason, and whether to wait for the turns in flight."""


class SpentError(Exception):
    """The budget has no further turn."""


class Spender(Protocol):
    """The sender of the turns."""

    budget_reserved: bool
    """The budget has counted the next turn, which may still have to connect."""


class BudgetMeter:
    """Call `reserve` before each turn and `record_usage` after it. When the share is used up it calls `end` once, with
    the reason.

    Tokens and cost are used up when the usage so far, plus what the turns in flight are expected to add (the mean of
    the turns so far), reaches the share: otherwise a whole wave of answers would come on top. Turns are counted before
    they are sent, so that the limit is never exceeded. An engine knows only its own errors: it ends when they alone
    reach the limit of the whole run; the supervisors watch the sum.
    """

    def __init__(self, budget: Budget, index: int, of: int, model: str, end: End) -> None:
        """`model` is the model of turns that name none."""
        self._end = end
        self._over = False
        self._tokens_left = NO_LIMIT if budget.tokens is None else float(share_count(budget.tokens, index, of))
        self._cost_left = NO_LIMIT if budget.cost is None else budget.cost / of
        self._turns_left = NO_LIMIT if budget.turns is None else float(share_count(budget.turns, index, of))
        self._errors_left = NO_LIMIT if budget.errors is None else float(budget.errors)
        self._budget = budget
        self._model = model
        self._rates: dict[str, Rates] = {}
        self._tokens = 0
        self._cost = 0.0
        self._done = 0
        self._in_flight = 0

    def reserve(self, user: Spender) -> None:
        """Count a turn that `user` is about to send. Raises SpentError if none is left."""
        if self._turns_left <= 0:
            raise SpentError
        self._turns_left -= 1
        self._in_flight += 1
        user.budget_reserved = True
        if self._turns_left == 0:
            self._finish("turns", "its share is used up")

    def record_usage(self, line: dict[str, Any], model: str, user: Spender) -> None:
        """Count what a turn used; `line` is its line of the ledger."""
        user.budget_reserved = False
        self._in_flight -= 1
        self._done += 1
        tokens_in, tokens_out = line["ti"] or 0, line["to"] or 0
        self._tokens += tokens_in + tokens_out
        if self._cost_left < NO_LIMIT:
            rates = self._rates.get(model) or self._rates_of(model)
            self._cost += tokens_in * rates[0] + tokens_out * rates[1]
            if self._expected(self._cost) >= self._cost_left:
                self._finish("cost", "its share is used, counting turns in flight")
        if self._expected(self._tokens) >= self._tokens_left:
            self._finish("tokens", "its share is used, counting turns in flight")
        if line["out"] in {"error", "timeout"} or line["code"] == USER_LEFT:
            self._errors_left -= 1
            if self._errors_left == 0:
                self._finish(
                    "errors", f"{counted(self._budget.errors or 0, 'turn')} failed, as many as the budget allows"
                )

    def _expected(self, used: float) -> float:
        """`used` plus the expected usage of the turns in flight."""
        if self._done < KNOWN_TURNS:
            return used
        return used + self._in_flight * used / self._done

    def _rates_of(self, model: str) -> Rates:
        price = price_of(self._budget.prices, model or self._model)
        self._rates[model] = rates = (0.0, 0.0) if price is None else price.rates
        return rates

    def _finish(self, what: str, why: str) -> None:
        if not self._over:
            self._over = True
            self._end(CEILINGS[what], f"budget: {what}: {why}", what != "errors")

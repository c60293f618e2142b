"""Options of `burn`: budget and prices."""

from __future__ import annotations

import re
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metrics.earlier_names import warn_renamed
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options import values
from tokenburn_site.cli.options.declare import NULL, Group, of_load, own
from tokenburn_site.cli.options.values import COUNT, Syntax

_PRICE = re.compile(r"(.+)=(\d+(?:\.\d+)?|\.\d+)/(\d+(?:\.\d+)?|\.\d+)")


class TurnRate(float):
    """Turns per second."""


class MaxTurns(Action):
    """Counts turns. Until 0.1 this was the name of the cap on their rate, whose values always had a unit: `100/s`. Such
    a value is still taken for that."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        if isinstance(values, TurnRate):
            warn_renamed("--max-turns with a rate", "--max-turn-rate")
            namespace.max_turn_rate = float(values)
        else:
            namespace.max_turns = values


def turns(text: str) -> int | TurnRate:
    """A count, as `count` reads it, or a rate such as `100/s`."""
    return TurnRate(values.rate(text)) if "/" in text else values.count(text)


def amount(text: str) -> float:
    """An amount above zero."""
    if not re.fullmatch(r"\d{1,12}(\.\d+)?|\.\d+", text) or not float(text):
        raise ArgumentTypeError(f"{text!r} is not an amount above zero: write for example 2.50")
    return float(text)


def price(text: str) -> tuple[str, dict[str, float]]:
    """`MODEL=IN/OUT`."""
    found = _PRICE.fullmatch(text.strip())
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not a price: write MODEL=IN/OUT per million tokens, as in gpt-4o=2.5/10")
    return found[1].strip(), {"input": float(found[2]), "output": float(found[3])}


def price_table(text: str) -> dict[str, Any]:
    """What the JSON file of that name says; the load checks its values."""
    example = '{"gpt-4o": {"input": 2.5, "output": 10}}'
    found = values.json_object(text, example)
    if not found:
        raise ArgumentTypeError(f"{text} contains no prices: add some, as in {example}")
    return found


def error_rate(text: str) -> dict[str, float]:
    """`5%`, `0.05`, `5%/30s`: the share that may fail, and the window in which it is taken."""
    share, slash, window = text.partition("/")
    return {"above": values.share(share), **({"window_s": values.duration(window)} if slash else {})}


@dataclass(frozen=True, kw_only=True)
class BudgetOptions(Group):
    title = "budget (over all processes; turns in flight are finished)"

    max_tokens = of_load("budget.tokens", COUNT, ": 200000, 200k, 1.5M")
    max_cost = of_load("budget.cost", Syntax(amount, "X"), help="maximum cost by --price or --prices: 2.50")
    max_turns = of_load("budget.turns", Syntax(turns, "N"), action=MaxTurns, earlier={"--max-requests": values.count})
    max_errors = of_load("budget.errors", COUNT)
    max_error_rate = of_load("budget.error_rate", Syntax(error_rate, "R"), ": 5%, or 5%/1m for another window than 30s")
    no_error_abort = of_load(
        "budget.no_success_timeout_s",
        help="do not abort when all turns fail for 30 s",
        action="store_const",
        const=NULL,
    )
    price = of_load(
        "budget.prices",
        Syntax(price, "MODEL=IN/OUT"),
        ": gpt-4o-mini=0.15/0.60; *: any other model; repeatable",
        action="append",
    )
    prices = of_load(
        "budget.prices",
        Syntax(price_table, "FILE"),
        help='prices as JSON: {"MODEL": {"input": 0.15, "output": 0.6}}',
    )
    estimate: bool = own("print the expected turns, tokens and cost, and send nothing", action="store_true")


def arrange(given: Mapping[str, Any], load: dict[str, Any]) -> None:
    """Put the prices of the command line over those of the file. Raises BadUsage."""
    single: dict[str, Any] = {}
    for model, cost in given["price"] or ():
        if model in single:
            raise BadUsage(f"--price: {model!r} is given twice: leave one out")
        single[model] = cost
    if single:
        load["budget"]["prices"] = {**(given["prices"] or {}), **single}

"""Options of `burn`: when a run ends before its time, and what its tokens cost."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from typing import Any

from tokenburn_site.burn import values
from tokenburn_site.burn.errors import BadUsage

_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kKmM]?)")
_TIMES = {"": 1, "k": 1000, "m": 1_000_000}
_PRICE = re.compile(r"(.+)=(\d+(?:\.\d+)?|\.\d+)/(\d+(?:\.\d+)?|\.\d+)")
_SHARE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(%?)")
CEILINGS = {"max_tokens": "tokens", "max_cost": "money", "max_requests": "turns", "max_errors": "errors"}
"""Option and field of the budget."""


def add(parser: ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("how much at most (over all processes; what is in flight then is finished)")
    group.add_argument(
        "--max-tokens", type=count, metavar="N", help="all tokens of the run, in and out: 200000, 200k, 1.5M"
    )
    group.add_argument("--max-cost", type=money, metavar="X", help="money for them, by --price or --prices: 2.50")
    group.add_argument("--max-requests", type=count, metavar="N", help="messages that are sent, never one more")
    group.add_argument("--max-errors", type=count, metavar="N", help="abort when so many have failed")
    group.add_argument(
        "--max-error-rate",
        type=error_rate,
        metavar="R",
        help="abort above it: 5%%, or 5%%/30s (the window; default 30s)",
    )
    group.add_argument(
        "--no-error-abort",
        dest="error_abort",
        action="store_false",
        help="go on when for 30 s nothing but errors has come",
    )
    group.add_argument(
        "--price",
        dest="price",
        action="append",
        default=[],
        type=price,
        metavar="MODEL=IN/OUT",
        help="of a million tokens in and out: gpt-4o-mini=0.15/0.60; *: any other model; may be repeated",
    )
    group.add_argument(
        "--prices", type=price_table, metavar="FILE", help='the same as JSON: {"MODEL": {"input": 0.15, "output": 0.6}}'
    )
    group.add_argument(
        "--estimate", action="store_true", help="say what it would come to in turns, tokens and money, and send nothing"
    )


def load_data(given: Mapping[str, Any]) -> dict[str, Any]:
    """What they add to the load's data. Raises BadUsage."""
    budget: dict[str, Any] = {field: given[option] for option, field in CEILINGS.items() if given[option] is not None}
    prices = _prices(given)
    if "money" in budget and not prices:
        raise BadUsage("--max-cost needs prices: add --price 'MODEL=IN/OUT' (for a million tokens) or --prices FILE")
    if prices:
        budget["prices"] = prices
    if given["max_error_rate"] is not None:
        budget["error_rate"] = given["max_error_rate"]
    if not given["error_abort"]:
        budget["only_errors_s"] = None
    return {"budget": budget} if budget else {}


def _prices(given: Mapping[str, Any]) -> dict[str, Any]:
    """The file's, and over them those of the command line."""
    single: dict[str, Any] = {}
    for model, cost in given["price"]:
        if model in single:
            raise BadUsage(f"--price: {model!r} is given twice: once is enough")
        single[model] = cost
    return {**(given["prices"] or {}), **single}


def count(text: str) -> int:
    """A whole number from 1: `5000`, `200k`, `1.5M`."""
    found = _COUNT.fullmatch(text)
    number = float(found[1]) * _TIMES[found[2].lower()] if found else 0.0
    if number < 1 or number > 1e12 or not number.is_integer():
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1: write for example 5000, 200k or 1.5M")
    return int(number)


def money(text: str) -> float:
    """An amount above zero."""
    if not re.fullmatch(r"\d{1,12}(\.\d+)?|\.\d+", text) or not float(text):
        raise ArgumentTypeError(f"{text!r} is not an amount above zero: write for example 2.50")
    return float(text)


def price(text: str) -> tuple[str, dict[str, float]]:
    """`MODEL=IN/OUT`."""
    found = _PRICE.fullmatch(text.strip())
    if found is None:
        raise ArgumentTypeError(
            f"{text!r} is not a price: write MODEL=IN/OUT for a million tokens, as in gpt-4o=2.5/10"
        )
    return found[1].strip(), {"input": float(found[2]), "output": float(found[3])}


def price_table(text: str) -> dict[str, Any]:
    """What the JSON file of that name says; the load checks its values."""
    example = '{"gpt-4o": {"input": 2.5, "output": 10}}'
    found = values.json_object(text, example)
    if not found:
        raise ArgumentTypeError(f"{text} has no price in it: give some, as in {example}")
    return found


def error_rate(text: str) -> dict[str, float]:
    """`5%`, `0.05`, `5%/30s`: the share that may fail, and the window in which it is taken."""
    share, slash, window = text.partition("/")
    found = _SHARE.fullmatch(share)
    above = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < above < 1:
        raise ArgumentTypeError(f"{text!r} is not a rate of errors: write for example 5% or 5%/30s")
    return {"above": above, **({"window_s": values.duration(window)} if slash else {})}

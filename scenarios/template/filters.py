"""Filters and tests of the template language. They take and return plain values of bounded size.

Jinja's own are not used: `"%999999999d" is odd`, `center` and `replace` make a gigabyte of a short template.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from jinja2 import Undefined
from pydantic import ValidationError

from bounds.templates import ROUND_DIGITS
from scenarios.definition.limits import bounded_chars, size_of
from scenarios.definition.spec import ScenarioError
from scenarios.definition.spread import Spread
from scenarios.definition.synthetic import CHARS_PER_TOKEN, Drawing, shared_text, synthetic_text


def as_text(value: Any) -> str:
    """A value as inserted into a message: texts and numbers as they are, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Undefined):
        return str(value)  # raises, naming what is undefined
    return _json(value)


def _json(value: Any) -> str:
    size_of(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError as exc:
        raise ScenarioError(f"this value cannot be sent: {exc}") from exc


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ScenarioError(f"this filter works on texts, not on {as_text(value)[:40]}")
    return value


def _join(values: Iterable[Any], separator: str = "") -> str:
    pieces: list[str] = []
    chars, between = 0, len(_text(separator))
    for value in values:
        pieces.append(as_text(value))
        chars += len(pieces[-1]) + between
        bounded_chars(chars)
    return separator.join(pieces)


def _replace(value: Any, old: str, new: str) -> str:
    text = _text(value)
    bounded_chars(len(text) + text.count(_text(old)) * len(_text(new)))
    return text.replace(old, new)


def _truncate(value: Any, length: int, end: str = "...") -> str:
    text = _text(value)
    return text if len(text) <= length else text[: max(length - len(end), 0)] + end


def _default(value: Any, other: Any = "", even_if_empty: bool = False) -> Any:
    missing = isinstance(value, Undefined)
    return other if missing or (even_if_empty and not value) else value


def _unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def _round(value: float, digits: int = 0) -> float:
    if abs(digits) > ROUND_DIGITS:
        raise ScenarioError(f"`round`: at most {ROUND_DIGITS} digits")
    return round(value, digits) if digits else round(value)


def _sum(values: Iterable[Any], start: float = 0) -> float:
    """Of numbers: adding lists takes the square of the time."""
    if not isinstance(start, int | float):
        raise ScenarioError("`sum` adds numbers")
    return sum(values, start)


def _first(values: Iterable[Any]) -> Any:
    for value in values:
        return value
    raise LookupError("`first` finds nothing: the list is empty")


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "abs": abs,
    "capitalize": lambda value: _text(value).capitalize(),
    "default": _default,
    "first": _first,
    "float": float,
    "int": int,
    "join": _join,
    "last": lambda values: values[-1],
    "length": len,
    "list": list,
    "lower": lambda value: _text(value).lower(),
    "max": max,
    "min": min,
    "replace": _replace,
    "reverse": lambda values: values[::-1],
    "round": _round,
    "sort": lambda values, reverse=False: sorted(values, reverse=reverse),
    "string": as_text,
    "sum": _sum,
    "title": lambda value: _text(value).title(),
    "tojson": _json,
    "trim": lambda value: _text(value).strip(),
    "truncate": _truncate,
    "unique": _unique,
    "upper": lambda value: _text(value).upper(),
    "wordcount": lambda value: len(_text(value).split()),
}


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise ScenarioError("this test works on whole numbers")
    return value


TESTS: Final[dict[str, Callable[..., bool]]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "divisibleby": lambda value, by: _whole(value) % _whole(by) == 0,
    "even": lambda value: _whole(value) % 2 == 0,
    "none": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float),
    "odd": lambda value: _whole(value) % 2 == 1,
    "string": lambda value: isinstance(value, str),
    "undefined": lambda value: isinstance(value, Undefined),
}


def _number(value: Any) -> float:
    """Also from a text: the values of a table are texts."""
    try:
        number = float(value)
    except (TypeError, ValueError) as exc:
        raise ScenarioError(f"this filter works on numbers, not on {as_text(value)[:40]}") from exc
    if not math.isfinite(number):
        raise ScenarioError(f"this filter works on numbers, not on {number}")
    return number


def _spread(
    rng: Drawing, mean: Any, kind: str = "normal", sd: float = 0, low: float = 0, high: float | None = None
) -> float:
    return _distribution(_number(mean), kind, sd, low, high).draw(rng)


@lru_cache(maxsize=1000)
def _distribution(mean: float, kind: str, sd: float, low: float, high: float | None) -> Spread:
    try:
        return Spread.model_validate({"mean": mean, "kind": kind, "sd": sd, "low": low, "high": high})
    except ValidationError as exc:
        raise ScenarioError(f"spread: {exc.errors()[0]['msg'].removeprefix('Value error, ')}") from exc


def _synthetic(rng: Drawing, tokens: Any, label: str | None = None) -> str:
    number = _number(tokens)
    bounded_chars(abs(int(number)) * CHARS_PER_TOKEN)
    return synthetic_text(number, rng) if label is None else shared_text(number, _text(label))


DRAWING: Final[dict[str, Callable[..., Any]]] = {"spread": _spread, "synthetic": _synthetic}
"""Filters that draw from the session's random numbers: these are their first argument."""

"""What JSON may hold, at every door: what follows (templates, the database, orjson, JSON itself) can carry no more."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

MAX_DEPTH: Final = 64
TOO_DEEP: Final = f"is nested too deeply: at most {MAX_DEPTH} levels"
TOO_LARGE: Final = "holds a number that is too large: integers have at most 64 bits"
NO_NUMBER: Final = "holds a number that is not finite: JSON has none"
NO_TEXT: Final = "holds a text that is not valid Unicode"
NOT_UNICODE: Final = "is not valid Unicode"


def json_problem(value: Any) -> str:
    """Why `value` cannot be used as JSON data, to be said of its place; empty: it can. Of several problems the depth is
    told: whoever puts up with another one can rely on that."""
    level, depth, found = [value], 0, ""
    while level:
        if depth > MAX_DEPTH:
            return TOO_DEEP
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.keys()
                below += one.values()
            elif isinstance(one, list | tuple):
                below += one
            elif not found:
                found = _of_scalar(one)
        level, depth = below, depth + 1
    return found


def text_problem(value: Any, place: str = "") -> str:
    """Which text in `value`, which is not nested deeper than MAX_DEPTH, is not valid Unicode; empty: none is."""
    if isinstance(value, str):
        return "" if _encodes(value) else f"{place}: {NOT_UNICODE}" if place else NOT_UNICODE
    if isinstance(value, Mapping):
        if not all(_encodes(key) for key in value if isinstance(key, str)):
            return f"{place}: a key {NOT_UNICODE}" if place else f"a key {NOT_UNICODE}"
        inside = ((f"{place}.{key}" if place else str(key), one) for key, one in value.items())
    elif isinstance(value, list | tuple):
        inside = ((f"{place}[{number}]", one) for number, one in enumerate(value))
    else:
        return ""
    return next((found for at, one in inside if (found := text_problem(one, at))), "")


def _of_scalar(value: Any) -> str:
    if isinstance(value, str):
        return "" if value.isascii() or _encodes(value) else NO_TEXT
    if isinstance(value, int):
        return "" if -(2**63) <= value < 2**63 else TOO_LARGE
    if isinstance(value, float):
        return "" if math.isfinite(value) else NO_NUMBER
    return ""


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class BeyondLimits(json.JSONDecodeError):
    """Of the whole text, not of a place in it."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, "", 0)

    def __str__(self) -> str:
        return f"it {self.msg}"


class BoundedDecoder(json.JSONDecoder):
    """Answers what Python's decoder breaks on like what is no JSON: it recurses once per level, and refuses integers
    of thousands of digits with an error of another kind."""

    def decode(self, text: str, *args: Any) -> Any:
        try:
            return super().decode(text, *args)
        except json.JSONDecodeError:
            raise
        except RecursionError as exc:
            raise BeyondLimits(TOO_DEEP) from exc
        except ValueError as exc:
            if "integer string conversion" not in str(exc):
                raise
            raise BeyondLimits(TOO_LARGE) from exc

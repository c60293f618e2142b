"""How long a text becomes that is formatted, told before it is made: `'%9d'`, `'{:9}'`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from bounds.templates import LimitError, bounded_chars, size_of

_PERCENT: Final = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d+)?(?:\.(\*|\d+)?)?")
_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_DIGITS: Final = re.compile(r"\d+")
_LONGEST_WIDTH: Final = 7
"""Digits of a width."""
_FLOAT_CHARS: Final = 400
"""What a number without a width may take: `'%f'` of the largest."""
_PER_BIT: Final = 1.25
"""Characters of a whole number per bit: `'{:_b}'`."""


def check_percent(pattern: str, values: Iterable[object], most: int) -> None:
    """For `pattern % values`. Raises LimitError."""
    widths = [width for match in _PERCENT.finditer(pattern) for width in match.groups() if width]
    if "*" in widths:
        raise LimitError("a format cannot take its width from a value")
    _check(pattern, widths, pattern.count("%"), values, most)


def check_braces(pattern: str, values: Iterable[object], most: int) -> None:
    """For `pattern.format(values)`. Raises LimitError."""
    plain = pattern.replace("{{", "").replace("}}", "")
    fields = _FIELD.findall(plain)
    if "{" in _FIELD.sub("", plain):
        raise LimitError("a format cannot take its width from a value")
    widths = [width for field in fields for width in _DIGITS.findall(field.partition(":")[2])]
    _check(pattern, widths, pattern.count("{"), values, most)


def _check(pattern: str, widths: list[str], places: int, values: Iterable[object], most: int) -> None:
    if any(len(width) > _LONGEST_WIDTH for width in widths):
        raise LimitError(f"a format's width may have {_LONGEST_WIDTH} digits")
    longest = max([_FLOAT_CHARS, *(_longest(value, most) for value in values)])
    bounded_chars(len(pattern) + sum(map(int, widths)) + places * longest, most)


def _longest(value: object, most: int) -> int:
    if isinstance(value, int):
        return int(value.bit_length() * _PER_BIT) + 4  # a sign and `0b`
    return size_of(value, most)

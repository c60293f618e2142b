"""What a template may make and do, in targets and in scenarios: everything is refused before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Undefined

MAX_CHARS: Final = 1_000_000
"""Characters of one message, and characters plus items of one variable."""
INT_BITS: Final = 4096
_WORD_BITS: Final = 64
"""Larger numbers count by their digits."""
ROUND_DIGITS: Final = 100
WORK: Final = 10_000_000
"""What the templates of one message may cost, in characters made: about 0.2 s."""
STEP_COST: Final = 100
"""What one round of a loop, or of a filter over a list, takes from it."""
MAX_RANGE: Final = 100_000
"""Numbers of one range, as in Jinja2's sandbox."""
MAX_DEPTH: Final = 60
"""Nodes inside nodes: the time to compile loops in loops grows with its third power."""


class LimitError(ValueError):
    """A template, a value or a file is beyond a limit; the message says which."""


class Absent(Undefined):
    """A missing value: false in a condition, equal to no value; every other use raises UndefinedError."""

    __slots__ = ()

    # As jinja2.StrictUndefined does it.
    __str__ = __len__ = __iter__ = __hash__ = Undefined._fail_with_undefined_error

    def __contains__(self, item: object) -> bool:
        return False


def bounded_chars(chars: int, most: int = MAX_CHARS) -> None:
    """Raises LimitError if a text of `chars` characters is too long to be made."""
    if chars > most:
        raise LimitError(f"the text would have more than {most:,} characters")


def bounded_range(*given: Any) -> range:
    """The `range` of templates. Raises LimitError for a long one."""
    found = range(*given)
    if found[MAX_RANGE:]:  # its length may be beyond what `len` can say
        raise LimitError(f"`range` would give more than {MAX_RANGE:,} numbers")
    return found


def size_of(value: Any, most: int = MAX_CHARS, *, missing: bool = False) -> int:
    """Characters plus items in `value`, however deep. Raises LimitError beyond `most`, and UndefinedError for a missing
    value if none may be `missing`."""
    if isinstance(value, str):
        total = len(value)
    else:
        total = 0
        stack = [value]
        while stack and total <= most:
            item = stack.pop()
            if isinstance(item, str):
                total += len(item)
            elif isinstance(item, dict):
                total += len(item)
                stack.extend(item)
                stack.extend(item.values())
            elif isinstance(item, list | tuple):
                total += len(item)
                stack.extend(item)
            elif isinstance(item, Undefined):
                if missing:
                    continue
                str(item)  # raises, naming what is undefined
            elif isinstance(item, int):
                total += 1 if item.bit_length() <= _WORD_BITS else item.bit_length() // 3
            else:
                total += len(item) if isinstance(item, range) else 1
    if total > most:
        raise LimitError(f"a value of more than {most:,} characters or items")
    return total


def check_operands(operator: str, left: Any, right: Any, most: int = MAX_CHARS) -> None:
    """Refuses what could be large before it is made. Raises LimitError."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        bounded_number(left)
        bounded_number(right)
        powers = operator == "**" and isinstance(left, int) and isinstance(right, int)
        if powers and int(left).bit_length() * abs(right) > INT_BITS:
            raise LimitError(f"`**` would give a number of more than {INT_BITS} bits")
        return
    alike = type(left) is type(right) and isinstance(left, list | tuple)
    if operator == "+" and (alike or (isinstance(left, str) and isinstance(right, str))):
        if len(left) + len(right) > most:
            raise LimitError(f"`+` would give more than {most:,} characters or items")
        return
    if operator == "*":
        many, times = (right, left) if isinstance(left, int) else (left, right)
        if isinstance(many, str | list | tuple) and isinstance(times, int):
            if len(many) * times > most:
                raise LimitError(f"`*` would give more than {most:,} characters or items")
            return
    raise LimitError(f"`{operator}` does not work on {kind_of(left)} and {kind_of(right)}")


def bounded_number(value: Any) -> None:
    """Raises LimitError for a whole number that is too large to calculate with."""
    if isinstance(value, int) and value.bit_length() > INT_BITS:
        raise LimitError(f"a number of more than {INT_BITS} bits")


def kind_of(value: Any) -> str:
    names = {str: "a text", int: "a number", float: "a number", list: "a list", tuple: "a list", bool: "true or false"}
    if value is None:
        return "nothing"
    return "an object" if isinstance(value, Mapping) else names.get(type(value), "this value")

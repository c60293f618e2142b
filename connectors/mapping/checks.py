"""What filters and methods would make, told before they make it. Each check raises LimitError."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from bounds.formats import check_braces, check_percent
from bounds.templates import ROUND_DIGITS, LimitError, bounded_chars, kind_of, size_of
from connectors.mapping.shaping import MAX_CHARS

SLOW_CHARS: Final = 10_000
"""Length of a text for filters whose time grows with its square."""
ATTRIBUTE_PARTS: Final = 10
MOST_INDENT: Final = 100
TRIMMED_CHARS: Final = 100
"""How many different characters `trim` looks for, and how long a text is that is looked for from the end."""


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise LimitError(f"a whole number is expected, not {kind_of(value)}")
    return value


def _width(value: Any, width: Any = 80, *_: Any) -> None:
    bounded_chars(_whole(width), MAX_CHARS)


def _expanded(text: str, tabs: Any = 8, *_: Any) -> None:
    bounded_chars(len(text) + text.count("\t") * abs(_whole(tabs)), MAX_CHARS)


def _indented(value: Any, width: Any = 4, *_: Any, **__: Any) -> None:
    text = str(value)
    each = len(width) if isinstance(width, str) else _whole(width)
    bounded_chars(len(text) + (len(text.splitlines()) + 1) * each, MAX_CHARS)


def _replaced(value: Any, old: Any = "", new: Any = "", *_: Any, **__: Any) -> None:
    text = str(value)
    bounded_chars(len(text) + text.count(str(old)) * len(str(new)), MAX_CHARS)


def _short(value: Any, *args: Any, **kwargs: Any) -> None:
    if len(str(value)) > SLOW_CHARS:
        raise LimitError(f"this filter works on texts of at most {SLOW_CHARS:,} characters")
    for item in (*args, *kwargs.values()):
        bounded_chars(SLOW_CHARS * (len(item) if isinstance(item, str) else 1), MAX_CHARS)


def _trimmed(value: Any, *args: Any, **kwargs: Any) -> None:
    if any(isinstance(item, str) and len(item) > TRIMMED_CHARS for item in (*args, *kwargs.values())):
        raise LimitError(f"at most {TRIMMED_CHARS} characters can be looked for here")


def _formatted(value: Any, *args: Any, **kwargs: Any) -> None:
    check_percent(str(value), (*args, *kwargs.values()), MAX_CHARS)


def _rounded(value: Any, precision: Any = 0, *_: Any, **__: Any) -> None:
    if abs(_whole(precision)) > ROUND_DIGITS:
        raise LimitError(f"`round`: at most {ROUND_DIGITS} digits")


def _dumped(value: Any, indent: Any = None) -> None:
    if indent is not None and _whole(indent) > MOST_INDENT:
        raise LimitError(f"`tojson`: an indent of at most {MOST_INDENT}")
    bounded_chars(size_of(value, MAX_CHARS) * (1 if indent is None else 1 + indent), MAX_CHARS)


def _summed(values: Any, attribute: Any = None, start: Any = 0) -> None:
    if not isinstance(start, int | float):
        raise LimitError("`sum` adds numbers")


def _in_batches(values: Any, count: Any = 1, *_: Any, **__: Any) -> None:
    bounded_chars(_whole(count), SLOW_CHARS)


def check_attributes(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Each part is looked up for each item."""
    named = () if name in {"map", "select", "reject"} else args
    for path in (*named, kwargs["attribute"]) if "attribute" in kwargs else named:
        if (
            isinstance(path, str)
            and len(path) > 2 * ATTRIBUTE_PARTS
            and path.count(".") + path.count(",") >= ATTRIBUTE_PARTS
        ):
            raise LimitError(f"`{name}`: an attribute may have {ATTRIBUTE_PARTS} parts")


OF_FILTERS: Final[dict[str, Callable[..., None]]] = {
    "batch": _in_batches,
    "center": _width,
    "format": _formatted,
    "indent": _indented,
    "replace": _replaced,
    "round": _rounded,
    "slice": _in_batches,
    "striptags": _short,
    "sum": _summed,
    "tojson": _dumped,
    "trim": _trimmed,
    "wordwrap": _short,
}
OF_METHODS: Final[dict[str, Callable[..., None]]] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _width),
    **dict.fromkeys(("strip", "lstrip", "rstrip", "rfind", "rindex", "rsplit", "rpartition"), _trimmed),
    "expandtabs": _expanded,
    "format": lambda text, *args, **kwargs: check_braces(text, (*args, *kwargs.values()), MAX_CHARS),
    "replace": _replaced,
}
METHODS: Final = frozenset(
    {
        *("capitalize", "casefold", "copy", "count", "endswith", "find", "get", "index", "items", "join", "keys"),
        *("isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isspace"),
        *("isprintable", "istitle", "isupper", "is_integer", "lower", "partition", "removeprefix", "removesuffix"),
        *("split", "splitlines", "startswith", "swapcase", "title", "upper", "values", "bit_length", *OF_METHODS),
    }
)
"""Methods of texts, numbers, lists and objects that a template may call."""


def check_percent_operator(pattern: str, values: Any) -> None:
    if isinstance(values, dict):
        given = (*values.values(), values)
    else:
        given = values if isinstance(values, tuple) else (values,)
    check_percent(pattern, given, MAX_CHARS)

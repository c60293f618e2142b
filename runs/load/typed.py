"""Types of the values in a load's data: pydantic also reads "5" and true as numbers, but what is stored is shown, too.
Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

SECONDS: Final = "arrivals_s"
"""Numbers of a trace that are read into another field."""


def as_read(given: Any, read: Any) -> Any:
    """`given` with each value of another type as it was `read`: texts that are numbers become numbers."""
    if isinstance(given, Mapping) and isinstance(read, Mapping):
        typed = {name: as_read(value, read[name]) if name in read else value for name, value in given.items()}
        if isinstance(typed.get(SECONDS), list):
            typed[SECONDS] = [float(value) if isinstance(value, str) else value for value in typed[SECONDS]]
        return typed
    if isinstance(given, list | tuple) and isinstance(read, list) and len(given) == len(read):
        return [as_read(*pair) for pair in zip(given, read, strict=True)]
    if isinstance(given, str) and isinstance(read, int | float):
        return read
    if isinstance(read, int) and isinstance(given, int | float):
        return read
    return given


def read_as_numbers(given: Any, read: Any, path: str = "load") -> Iterator[str]:
    """The paths of true and false that were `read` as numbers."""
    if isinstance(given, Mapping) and isinstance(read, Mapping):
        for name, value in given.items():
            yield from read_as_numbers(value, read.get(name), f"{path}.{name}")
    elif isinstance(given, list | tuple) and isinstance(read, list) and len(given) == len(read):
        for place, (value, one) in enumerate(zip(given, read, strict=True)):
            yield from read_as_numbers(value, one, f"{path}[{place}]")
    elif isinstance(given, bool) and isinstance(read, int | float) and not isinstance(read, bool):
        yield path


def with_numbers(given: Any) -> Any:
    """Of a load that no version of the parser has typed: every text that is a number as one, for a page."""
    if isinstance(given, Mapping):
        return {name: with_numbers(value) for name, value in given.items()}
    if isinstance(given, list | tuple):
        return [with_numbers(value) for value in given]
    if not isinstance(given, str):
        return given
    try:
        number = float(given)
    except ValueError:
        return given
    return int(number) if number.is_integer() else number

"""Regular expressions of users that read what targets send: linear in the length of the text, or refused.

Python's `re` tries every way to match. So a pattern may only be one in which there are few ways: what is repeated
without end is a character or a set of them, which cannot also be the next thing; and where a match may begin anywhere,
it cannot be what such a repetition has gone through. Those who write `.*x` mean `[^x]*x` mostly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

from bounds.patterns import compile_apart

# Not public, and unknown to type checkers.
sre: Any = import_module("re._constants")
_parser: Any = import_module("re._parser")

PATTERN_CHARS: Final = 500
MOST_WAYS: Final = 32
"""Ways to go through a pattern, by its alternatives."""
MOST_STEPS: Final = 500
"""Of one place of a text."""
_NOT_ASCII: Final = 1 << 128
_ALL: Final = (_NOT_ASCII << 1) - 1
_WITHOUT_END: Final = sre.MAXREPEAT
_FLAGS: Final = re.UNICODE | re.IGNORECASE | re.DOTALL
_SAMPLES: Final = [chr(i) for i in range(128)]
_CATEGORIES: Final = {
    sre.CATEGORY_DIGIT: re.compile(r"\d"),
    sre.CATEGORY_SPACE: re.compile(r"\s"),
    sre.CATEGORY_WORD: re.compile(r"\w"),
    sre.CATEGORY_NOT_DIGIT: re.compile(r"\D"),
    sre.CATEGORY_NOT_SPACE: re.compile(r"\S"),
    sre.CATEGORY_NOT_WORD: re.compile(r"\W"),
}
_NAMES: Final = {
    sre.ASSERT: "a look ahead or behind",
    sre.ASSERT_NOT: "a look ahead or behind",
    sre.GROUPREF: "a reference to a group",
    sre.GROUPREF_EXISTS: "a condition on a group",
}


class _Piece(NamedTuple):
    """A set of characters, as bits, and how often one of them comes; no characters: an anchor."""

    chars: int
    least: int = 1
    most: int = 1


_ANCHOR: Final = _Piece(0, 0, 0)
_BEGIN: Final = _Piece(-1, 0, 0)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """To be used by `search`. Raises ValueError with what is wrong and what to do."""
    if len(pattern) > PATTERN_CHARS:
        raise ValueError(f"a pattern may have {PATTERN_CHARS} characters")
    try:
        tree = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"{pattern!r} is not a regular expression: {exc}") from exc
    flags = tree.state.flags
    if flags & ~_FLAGS:
        raise ValueError(f"{pattern!r}: of the flags only i and s can be set")
    try:
        _check_all(_ways(tree, flags))
    except ValueError as exc:
        raise ValueError(f"{pattern!r} could take too long: {exc}") from None
    return compile_apart(pattern)


def _ways(tree: Any, flags: int) -> list[list[_Piece]]:
    """All sequences of pieces that the pattern stands for."""
    ways: list[list[_Piece]] = [[]]
    for op, value in tree:
        parts = _ways_of(op, value, flags)
        ways = [[*way, *part] for way in ways for part in parts]
        if len(ways) > MOST_WAYS:
            raise ValueError(f"it has more than {MOST_WAYS} alternatives")
    return ways


def _ways_of(op: Any, value: Any, flags: int) -> list[list[_Piece]]:
    if (chars := _chars(op, value, flags)) is not None:
        return [[_Piece(chars)]]
    if op is sre.AT:
        return [[_BEGIN if value in {sre.AT_BEGINNING, sre.AT_BEGINNING_STRING} else _ANCHOR]]
    if op is sre.SUBPATTERN:
        _, added, removed, inner = value
        if added or removed:
            raise ValueError("flags of a group are not supported: set them at the beginning")
        return _ways(inner, flags)
    if op is sre.BRANCH:
        return [way for branch in value[1] for way in _ways(branch, flags)]
    if op in {sre.MAX_REPEAT, sre.MIN_REPEAT}:
        least, most, inner = value
        return _repeated(least, most, inner, flags)
    raise ValueError(f"{_NAMES.get(op, str(op).lower())} is not supported")


def _repeated(least: int, most: Any, inner: Any, flags: int) -> list[list[_Piece]]:
    ways = _ways(inner, flags)
    if len(ways) == len(ways[0]) == 1 and ways[0][0].least == ways[0][0].most == 1:
        return [[_Piece(ways[0][0].chars, least, most)]]
    if most is _WITHOUT_END or most > 1:
        raise ValueError("only a character or a set of them can be repeated, not a group")
    return ways if least else [*ways, []]


def _chars(op: Any, value: Any, flags: int) -> int | None:
    """The characters that an element stands for; None: it is no set of them."""
    if op is sre.LITERAL:
        return _cased(_bit(value), flags)
    if op is sre.NOT_LITERAL:
        return _ALL & ~(_cased(_bit(value), flags) & ~_NOT_ASCII)
    if op is sre.ANY:
        return _ALL if flags & re.DOTALL else _ALL & ~_bit(ord("\n"))
    return _cased(_set_of(value), flags) if op is sre.IN else None


def _set_of(items: Sequence[tuple[Any, Any]]) -> int:
    chars, negated = 0, False
    for op, value in items:
        if op is sre.NEGATE:
            negated = True
        elif op is sre.LITERAL:
            chars |= _bit(value)
        elif op is sre.RANGE:
            low, high = value
            for code in range(low, min(high, 127) + 1):
                chars |= 1 << code
            chars |= _NOT_ASCII if high > 127 else 0
        else:
            found = _CATEGORIES[value]
            chars |= _NOT_ASCII | sum(1 << ord(char) for char in _SAMPLES if found.match(char))
    return (_ALL & ~chars) | _NOT_ASCII if negated else chars


def _bit(code: int) -> int:
    return 1 << code if code < 128 else _NOT_ASCII


def _cased(chars: int, flags: int) -> int:
    if not flags & re.IGNORECASE:
        return chars
    for char in _SAMPLES:
        if chars >> ord(char) & 1 and char.isalpha():
            chars |= _bit(ord(char.swapcase())) | _NOT_ASCII
    return chars


def _steps(way: Sequence[_Piece]) -> int:
    """At most so many, of one place, but for repetitions without end."""
    length = tries = 1
    for piece in way:
        if piece.most is not _WITHOUT_END:
            length += piece.most
            tries *= 1 + piece.most - piece.least
        if length * tries > MOST_STEPS:
            return MOST_STEPS + 1
    return length * tries


def _check_all(ways: Sequence[Sequence[_Piece]]) -> None:
    if sum(map(_steps, ways)) > MOST_STEPS:
        raise ValueError("it can match in too many ways: use fewer optional parts and shorter repetitions")
    for way in ways:
        _check(way)


def _check(way: Sequence[_Piece]) -> None:
    anchored = bool(way) and way[0] is _BEGIN
    before = way[:0]
    for at, piece in enumerate(way):
        if piece.most is not _WITHOUT_END:
            before = [*before, piece]
            continue
        if piece.chars & _next_chars(way[at + 1 :]):
            raise ValueError("what is repeated without end can also be what comes next: write [^x]*x instead of .*x")
        begun = anchored or any(other.least and not other.chars & piece.chars for other in before)
        if not begun and way[at + 1 :]:
            raise ValueError(
                "a match could begin anywhere in what is repeated without end: begin with ^, or put something before "
                "it that it cannot be"
            )
        before = way[:0]


def _next_chars(rest: Sequence[_Piece]) -> int:
    chars = 0
    for piece in rest:
        if piece is not _BEGIN:
            chars |= piece.chars
        if piece.least:
            break
    return chars

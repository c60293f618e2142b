"""Response paths: `choices[0].delta.content` is a closure, anything else is JMESPath. No I/O and no framework."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from connectors.content.decoding import plain_text
from connectors.content.formats import WHOLE_TEXT
from connectors.content.patterns import compile_pattern
from connectors.mapping.answers.jmes import PATH_CHARS, compile_jmes, shown
from connectors.spec import Condition, SpecError

Getter = Callable[[Any], Any]
SEARCHED_CHARS: Final = 64 * 1024
"""Of a text, for what a condition `matches`."""
PLAIN_PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*|\[\d+\])*\Z")
_PATH_PART = re.compile(r"[A-Za-z_][\w-]*|\[\d+\]")


def compile_path(path: str, where: str) -> Getter:
    """A function from a decoded answer to the value at `path`, or None. Raises SpecError. It raises BadAnswer if
    the path takes too much work."""
    if len(path) > PATH_CHARS:
        raise SpecError(f"{where}: {shown(path)} is too long: a path may have {PATH_CHARS:,} characters")
    if PLAIN_PATH.match(path):
        return walk(keys_of(path))
    choices = [choice.strip() for choice in path.split("||")]
    if all(PLAIN_PATH.match(choice) for choice in choices):
        return _first([keys_of(choice) for choice in choices])
    return compile_jmes(path, where)


def keys_of(path: str) -> list[str | int]:
    return [int(part[1:-1]) if part[0] == "[" else part for part in _PATH_PART.findall(path)]


def null_test(*paths: str | None) -> Getter:
    """Whether one of these paths or their alternatives has a null: the target says that there is no text. Only plain
    paths are checked."""
    choices = [choice.strip() for path in paths if path is not None for choice in path.split("||")]
    tests = [_null_at(keys_of(choice)) for choice in choices if PLAIN_PATH.match(choice)]
    return lambda data: any(test(data) for test in tests)


def _null_at(keys: list[str | int]) -> Getter:
    parent, last = keys[:-1], keys[-1]
    holder = walk(parent) if parent else None

    def is_null(data: Any) -> bool:
        inner = data if holder is None else holder(data)
        return type(inner) is dict and last in inner and inner[last] is None

    return is_null


def quick_path(path: str, careful: Getter) -> Getter:
    """`careful` without its care, three times as fast, for the path that nearly every event has: raises KeyError,
    IndexError or TypeError where the value is not there."""
    if not PLAIN_PATH.match(path) or path.endswith("]"):  # an index at the end would also find a text's letter
        return careful
    match keys_of(path):
        case [a]:
            return lambda data: data[a]
        case [a, b]:
            return lambda data: data[a][b]
        case [a, b, c]:
            return lambda data: data[a][b][c]
        case [a, b, c, d]:
            return lambda data: data[a][b][c][d]
        case _:
            return careful


def walk(keys: list[str | int]) -> Getter:
    """Without exceptions, because most answers lack most values, and raising is slower than checking."""
    first, *rest = keys
    if not rest and type(first) is int:
        return lambda data: data[first] if type(data) is list and first < len(data) else None
    if not rest:
        return _member(first)
    if len(rest) == 1 and type(second := rest[0]) is str:
        return lambda data: inner.get(second) if type(data) is dict and type(inner := data.get(first)) is dict else None

    if len(rest) in {2, 3} and [type(key) for key in rest[:2]] == [int, str] and type(rest[-1]) is str:
        return _below_item(first, *rest)

    def get(data: Any) -> Any:
        value = data.get(first) if type(data) is dict else None
        if value is None:
            return None
        for key in rest:
            if type(value) is dict:
                value = value.get(key)
            elif type(value) is list and type(key) is int and key < len(value):
                value = value[key]
            else:
                return None
        return value

    return get


def _member(key: str | int) -> Getter:
    def get(data: Any) -> Any:
        try:
            return data.get(key)
        except AttributeError:  # no object, which is rare: to try costs half of what asking does
            return None

    return get


def _below_item(name: str | int, at: Any, key: Any, last: str | int | None = None) -> Getter:
    """`choices[0].text`, `choices[0].delta.role`: the usual paths, without a loop."""

    def get(data: Any) -> Any:
        if type(data) is not dict or type(items := data.get(name)) is not list or at >= len(items):
            return None
        if type(item := items[at]) is not dict:
            return None
        value = item.get(key)
        if last is None:
            return value
        return value.get(last) if type(value) is dict else None

    return get


def _first(paths: list[list[str | int]]) -> Getter:
    """JMESPath's `a || b` of plain paths: the first value that is not missing, false or empty; otherwise the last."""
    parents = [path[:-1] for path in paths]
    if parents[0] and parents.count(parents[0]) == len(parents):
        return _below(walk(parents[0]), _first([path[-1:] for path in paths]))
    getters = [walk(path) for path in paths]

    def get(data: Any) -> Any:
        value = None
        for getter in getters:
            value = getter(data)
            if value or (value == 0 and value is not False):
                break
        return value

    return get


def _below(parent: Getter, getter: Getter) -> Getter:
    """Alternatives are usually siblings, so their common path is followed once."""
    return lambda data: None if (inner := parent(data)) is None else getter(inner)


def optional_path(path: str | None, where: str) -> Getter | None:
    return None if path is None else compile_path(path, where)


def test_of(condition: Condition, where: str) -> Getter:
    """A function that tells whether a decoded event meets the condition `where`, which is not a literal one."""
    path, equals = condition.path or WHOLE_TEXT, condition.equals
    get = compile_path(path, f"{where}.path")
    if condition.matches is not None:
        search = compile_pattern(condition.matches).search
        return lambda data: type(text := get(data)) is str and search(text, 0, SEARCHED_CHARS) is not None
    if PLAIN_PATH.match(path) and len(keys := keys_of(path)) == 1 and type(equals) in {str, bool}:
        return _member_equals(keys[0], equals)
    if equals is None:
        return lambda data: get(data) is not None
    return lambda data: get(data) == equals


def _member_equals(key: str | int, equals: str | bool) -> Getter:
    """`test_of` of what most conditions are, without a call on the way."""

    def test(data: Any) -> bool:
        try:
            return bool(data.get(key) == equals)
        except AttributeError:
            return False

    return test


def condition_test(condition: Condition, where: str) -> Callable[[bytes], bool]:
    """A function that tells whether an undecoded event meets a condition. Raises SpecError."""
    if condition.data is not None:
        literal = condition.data.encode()
        return lambda data: data == literal
    test = test_of(condition, where)
    reads_text = condition.path is None

    def met(data: bytes) -> bool:
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError:
            message = None
        if reads_text and type(message) is not str:
            message = plain_text(data)
        return message is not None and bool(test(message))

    return met

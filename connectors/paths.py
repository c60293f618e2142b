"""Response paths: `choices[0].delta.content` is a closure, anything else is JMESPath. No I/O and no framework."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jmespath

from connectors.spec import DoneSpec, ResponseSpec, SpecError

Getter = Callable[[Any], Any]

_NAMES = re.compile(r"[A-Za-z_]\w*")
_PLAIN_PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*|\[\d+\])*\Z")
_PATH_PART = re.compile(r"[A-Za-z_][\w-]*|\[\d+\]")


def compile_path(path: str, where: str) -> Getter:
    """A function from a decoded answer to the value at `path`, None where there is none. Raises SpecError."""
    if _PLAIN_PATH.match(path):
        return _walk(_keys(path))
    try:
        expression = jmespath.compile(path)
    except jmespath.exceptions.JMESPathError as exc:
        line = str(exc).splitlines()[0]
        raise SpecError(f"{where}: {path!r} is neither a plain path nor JMESPath: {line}") from exc

    def search(data: Any) -> Any:
        try:
            return expression.search(data)
        except jmespath.exceptions.JMESPathError:
            return None  # a function applied to the wrong type: the answer has no such value

    return search


def _keys(path: str) -> list[str | int]:
    return [int(part[1:-1]) if part[0] == "[" else part for part in _PATH_PART.findall(path)]


def _quick(path: str, careful: Getter) -> Getter:
    """`careful` without its care, three times as fast, for the path that nearly every event has: raises KeyError,
    IndexError or TypeError where the value is not there."""
    if not _PLAIN_PATH.match(path) or path.endswith("]"):  # an index at the end would also find a text's letter
        return careful
    match _keys(path):
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


def _walk(keys: list[str | int]) -> Getter:
    """Without exceptions on the way: most answers lack most values, and raising costs more than asking."""
    first, *rest = keys
    if not rest:
        return lambda data: data.get(first) if type(data) is dict else None
    if len(rest) == 1 and type(second := rest[0]) is str:
        return lambda data: inner.get(second) if type(data) is dict and type(inner := data.get(first)) is dict else None

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


def _optional(path: str | None, where: str) -> Getter | None:
    return None if path is None else compile_path(path, where)


def _done_test(done: DoneSpec | None) -> Getter | None:
    if done is None or done.path is None:
        return None
    get = compile_path(done.path, "response.done.path")
    if done.equals is None:
        return lambda data: get(data) is not None
    return lambda data: get(data) == done.equals


class Meaning:
    """A ResponseSpec with its paths compiled. `Timeline` reads answers with it.

    `piece` finds the text of an event or of a whole answer; `quick_piece` does so too, or raises. `beside_keys` are
    the top-level keys below which an error or the usage can stand: an answer without them need not be searched.
    """

    def __init__(self, spec: ResponseSpec) -> None:
        text = spec.delta if spec.delta is not None else spec.text
        if text is None:
            raise SpecError("response: give `text` (a whole answer) or `delta` (a piece of one)")
        self.piece = compile_path(text, "response.text" if spec.delta is None else "response.delta")
        self.quick_piece = _quick(text, self.piece)
        self.reasoning = _optional(spec.reasoning, "response.reasoning")
        self.error = _optional(spec.error, "response.error")
        self.usage_in = _optional(spec.usage.input, "response.usage.input")
        self.usage_out = _optional(spec.usage.output, "response.usage.output")
        self.stamp = _optional(spec.stamp, "response.stamp")
        self.done_data = spec.done.data.encode() if spec.done and spec.done.data is not None else None
        self.done_test = _done_test(spec.done)
        self.needs_done = self.done_data is not None or self.done_test is not None
        beside = [path for path in (spec.error, spec.usage.input, spec.usage.output) if path is not None]
        self.beside_keys = frozenset(key for path in beside for key in _NAMES.findall(path))

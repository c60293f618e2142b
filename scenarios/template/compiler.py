"""Compiles the templates of a scenario. Plain text becomes constants, plain names closures; the rest is sandboxed.

A message is rendered in the engine's hot path: `{{ pick.topic }}` must cost a draw, not a template engine.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from scenarios.definition.limits import MAX_CHARS, WORK, bounded_chars, size_of
from scenarios.definition.spec import ScenarioError
from scenarios.template.expressions import compile_template
from scenarios.template.filters import as_text
from scenarios.template.names import Names

_MARK = re.compile(r"\{\{|\{%")
_PLAIN = re.compile(r"\{\{\s*(?:([A-Za-z_]\w*(?:\.\w+)*)|'(\{\{|\{%)')\s*\}\}")
_CONSTANTS: Final = frozenset({"true", "false", "none", "True", "False", "None", "not"})
_MISSING: Final = object()


class Scope:
    """What templates see of one session, and the budget that they share from one message to the next."""

    __slots__ = ("data", "loops", "pools", "reply", "rng", "session", "variables", "work")

    def __init__(self, rng: random.Random, session: Mapping[str, Any], pools: Mapping[str, tuple[str, ...]]) -> None:
        self.rng = rng
        self.session = session
        self.pools = pools
        self.variables: dict[str, Any] = {}
        self.data: dict[str, Any] | None = None
        self.loops: list[Loop] = []
        self.reply: str | None = None
        self.work = WORK

    def charge(self, cost: int) -> None:
        """Raises ScenarioError when the budget is spent."""
        self.work -= cost
        if self.work < 0:
            raise ScenarioError("too much work before the next message: do less in templates and `set` steps")

    def draw(self, pool: str) -> str:
        """One text of a pool, as `pick.pool` gives it. Raises ScenarioError if there is no such pool."""
        texts = self.pools.get(pool)
        if texts is None:
            raise ScenarioError(f"there is no pool {pool!r}")
        return texts[int(self.rng.random() * len(texts))]

    def values(self) -> dict[str, Any]:
        """All names that a template of this moment may use."""
        values: dict[str, Any] = {**self.variables, "session": dict(self.session), "pick": self}
        if self.data is not None:
            values["data"] = self.data
        if self.loops:
            values |= {loop.name: loop.row for loop in self.loops if loop.rows is not None}
            values["loop"] = self.loops[-1].values()
        if self.reply is not None:
            values["answer"] = self.reply
        return values


class Loop:
    """One `repeat` under way. `index` counts from 1. Where it goes through `rows`, each is called `name` in turn."""

    __slots__ = ("index", "name", "rows", "start", "times")

    def __init__(self, times: int, start: int, name: str = "", rows: Sequence[Any] | None = None) -> None:
        self.index = 1
        self.times = times
        self.start = start
        self.name = name
        self.rows = rows

    @property
    def row(self) -> Any:
        return None if self.rows is None else self.rows[self.index - 1]

    def values(self) -> dict[str, Any]:
        """What `loop` is in a template."""
        at, times = self.index, self.times
        return {"index": at, "index0": at - 1, "first": at == 1, "last": at == times, "length": times}


Getter = Callable[[Scope], Any]


class Text(NamedTuple):
    """A compiled text: `constant` if it always is the same, else what `render` makes of a scope."""

    constant: str | None
    render: Callable[[Scope], str]

    def of(self, scope: Scope) -> str:
        """The text in `scope`. Raises ScenarioError."""
        return self.render(scope) if self.constant is None else self.constant


def literal(text: str) -> str:
    """`text` as a template that renders to exactly `text`."""
    return _MARK.sub(lambda mark: f"{{{{ '{mark[0]}' }}}}", text)


def compile_text(source: str, names: Names) -> Text:
    """Raises ScenarioError for what can be seen to be wrong."""
    if not _MARK.search(source):
        return _constant(source)
    parts = _plain_parts(source, names)
    if parts is None:
        compiled = compile_template(source, names).text
        return Text(None, lambda scope: checked(compiled(scope, scope.values())))
    if all(isinstance(part, str) for part in parts):
        return _constant("".join(str(part) for part in parts))
    join = _joined(parts)
    return Text(None, lambda scope: checked(join(scope)))


def _constant(text: str) -> Text:
    checked(text)
    return Text(text, lambda _: text)


def checked(text: str) -> str:
    """`text` if it can be sent. Raises ScenarioError if it is empty, too long or not Unicode."""
    if not text:
        raise ScenarioError("the text is empty")
    if len(text) > MAX_CHARS:
        raise ScenarioError(f"the text has {len(text):,} characters: at most {MAX_CHARS:,} can be sent")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as exc:
            raise ScenarioError("the text holds half of a surrogate pair: it is not valid Unicode") from exc
    return text


def compile_value(value: Any, names: Names) -> Getter | None:
    """A function that gives `value` with the templates in its strings rendered; None if it is a constant.

    A string that is one expression alone keeps the expression's type. Raises ScenarioError.
    """
    if isinstance(value, str):
        return _compile_string(value, names)
    if isinstance(value, dict):
        fields = {key: compile_value(item, names) for key, item in value.items()}
        if not any(fields.values()):
            return None
        return lambda scope: {k: value[k] if get is None else get(scope) for k, get in fields.items()}
    if isinstance(value, list):
        items = [compile_value(item, names) for item in value]
        if not any(items):
            return None
        return lambda scope: [old if get is None else get(scope) for old, get in zip(value, items, strict=True)]
    return None


def _compile_string(source: str, names: Names) -> Getter | None:
    if not _MARK.search(source):
        return None
    if (plain := _PLAIN.fullmatch(source)) and _is_name(plain):
        return compile_name(plain[1], names)
    parts = _plain_parts(source, names)
    if parts is not None:
        return _joined(parts)
    compiled = compile_template(source, names)
    run = compiled.value or compiled.text
    return lambda scope: run(scope, scope.values())


def _is_name(match: re.Match[str]) -> bool:
    return match[1] is not None and match[1] not in _CONSTANTS


def _plain_parts(source: str, names: Names) -> list[str | Getter] | None:
    """Constants and closures that make up `source`, or None if it holds more than plain names."""
    if _MARK.search(_PLAIN.sub("\0", source)):
        return None
    found = list(_PLAIN.finditer(source))
    if any(match[1] in _CONSTANTS for match in found):
        return None
    parts: list[str | Getter] = []
    at = 0
    for match in found:
        parts.append(source[at : match.start()])
        parts.append(compile_name(match[1], names) if match[1] else match[2])
        at = match.end()
    return [part for part in (*parts, source[at:]) if part != ""]


def _joined(parts: list[str | Getter]) -> Callable[[Scope], str]:
    def render(scope: Scope) -> str:
        pieces = [part if isinstance(part, str) else as_text(part(scope)) for part in parts]
        chars = sum(map(len, pieces))
        bounded_chars(chars)
        scope.charge(chars)
        return "".join(pieces)

    return render


def compile_name(dotted: str, names: Names) -> Getter:
    """A closure for `name` or `name.key.key`. Raises ScenarioError if the name cannot be known."""
    root, *keys = dotted.split(".")
    names.check_path(root, keys)
    if root == "pick":
        if len(keys) > 1:
            raise ScenarioError(f"`{dotted}`: a pool holds texts, which have no {keys[1]!r}")
        pool = keys[0]
        return lambda scope: scope.draw(pool)
    start = _root(root, names)
    if not keys:
        return start

    def get(scope: Scope) -> Any:
        value = start(scope)
        for key in keys:
            value = _key(value, key)
            if value is _MISSING:
                raise ScenarioError(f"`{dotted}` is undefined: there is no {key!r}")
        return value

    return get


def _root(name: str, names: Names) -> Getter:
    if name in names.rows:
        at = names.rows[name].at
        return lambda scope: scope.loops[at].row
    if name == "data" and names.data:
        return lambda scope: scope.data
    if name == "session":
        return lambda scope: scope.session
    if name == "loop":
        return lambda scope: scope.loops[-1].values()
    if name == "answer":
        return _answer
    return lambda scope: scope.variables[name]


def _answer(scope: Scope) -> str:
    if scope.reply is None:
        raise ScenarioError("`answer` is undefined before the first answer: {{ answer | default('...') }}")
    return scope.reply


def _key(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(key, _MISSING)
    if isinstance(value, list | str) and key.isdecimal() and int(key) < len(value):
        return value[int(key)]
    return _MISSING


def bounded(value: Any, scope: Scope) -> Any:
    """A variable's new value. Raises ScenarioError if it is too large; its size is charged."""
    scope.charge(size_of(value))
    return value

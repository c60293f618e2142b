"""Request templates: JSON with `{{ expression }}` in its strings, compiled once. No I/O and no framework.

A string that is one expression keeps the value's type; a mixed string becomes text. If an expression is MISSING (see
`connectors.mapping.expressions`), an optional part of the request is left out and a required part is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
from jinja2 import UndefinedError

from connectors.errors import BadRequest
from connectors.mapping.expressions import CONTEXT_NAMES, MISSING, MORE, Context, compile_expression
from connectors.mapping.filters import BUDGET, as_text
from connectors.mapping.shaping import MAX_CHARS
from connectors.opaque.tokens import MARK_BYTES, in_json
from connectors.spec import SpecError
from connectors.template_text import expressions_in

EncoderAt = Callable[[int, str], Callable[[Any], Any] | None]
"""From where an expression begins, and its text, to what is done with its value."""
_NAMES = re.compile(r"[A-Za-z_]\w*")
_PARTS = re.compile(r"\s*\{\{\s*attachment_parts\s*\}\}\s*")
"""An item of a list in whose place several may come."""


class Template(NamedTuple):
    """A compiled value: constant (`value`), or computed from a context by `render`."""

    value: Any
    render: Callable[[Context], Any] | None


def compile_string(text: str, where: str, fold: Context, encoder: EncoderAt | None = None) -> Template:
    """`fold` holds values that are constant during a run: what depends only on them is rendered once. `encoder`: what
    is done with the value of an expression that stands there."""
    found = list(expressions_in(text))
    if not found:
        return Template(text, None)
    names = {name for match in found for name in _NAMES.findall(match[1])}
    if len(found) == 1 and found[0][0] == text.strip():
        render = _expression(found[0], where, fold, encoder)
    else:
        render = _joined(_split(text, found, where, fold, encoder), where)
    if names & (CONTEXT_NAMES - fold.keys()) or not names.isdisjoint(fold.get(MORE, ())):
        return Template(None, render)
    try:
        return Template(render(fold), None)
    except BadRequest as exc:
        raise SpecError(exc.detail) from exc


def _expression(match: re.Match[str], where: str, fold: Context, encoder: EncoderAt | None) -> Callable[[Context], Any]:
    text = match[1].strip()
    render = compile_expression(text, where, fold.get(BUDGET), fold.get(MORE, ()))
    encode = None if encoder is None else encoder(match.start(), text)
    return render if encode is None else lambda context: encode(render(context))


def _split(
    text: str, found: list[re.Match[str]], where: str, fold: Context, encoder: EncoderAt | None
) -> list[str | Callable[[Context], Any]]:
    parts: list[str | Callable[[Context], Any]] = []
    at = 0
    for match in found:
        if match.start() > at:
            parts.append(text[at : match.start()])
        parts.append(_expression(match, where, fold, encoder))
        at = match.end()
    if at < len(text):
        parts.append(text[at:])
    return parts


def _joined(parts: list[str | Callable[[Context], Any]], where: str) -> Callable[[Context], Any]:
    def render(context: Context) -> Any:
        out = []
        for part in parts:
            value = part if isinstance(part, str) else part(context)
            if value is MISSING or value is None:
                return MISSING
            out.append(value if isinstance(value, str) else text_of(value, where))
        if (chars := sum(map(len, out))) > MAX_CHARS:
            raise BadRequest("request_invalid", f"{where}: the rendered text has {chars} characters")
        return "".join(out)

    return render


def text_of(value: Any, where: str) -> str:
    """Raises BadRequest."""
    try:
        return as_text(value)
    except (ValueError, UndefinedError, RecursionError) as exc:
        raise BadRequest("request_invalid", f"{where}: {exc}") from exc


def compile_value(value: Any, where: str, fold: Context) -> Template:
    if isinstance(value, str):
        return compile_string(value, where, fold)
    if isinstance(value, dict):
        items = [(key, compile_value(item, f"{where}.{key}", fold)) for key, item in value.items()]
        if any(item.render for _, item in items):
            return Template(None, lambda context: _render_object(items, context))
        return Template({key: item.value for key, item in items if item.value is not MISSING}, None)
    if isinstance(value, list):
        entries = [compile_value(item, f"{where}[{i}]", fold) for i, item in enumerate(value)]
        spread = frozenset(i for i, item in enumerate(value) if isinstance(item, str) and _PARTS.fullmatch(item))
        if spread:
            return Template(None, lambda context: _render_spread(entries, spread, context))
        if any(entry.render for entry in entries):
            return Template(None, lambda context: _render_list(entries, context))
        return Template([entry.value for entry in entries if entry.value is not MISSING], None)
    return Template(value, None)


def absent(where: str, text: str, context: Context) -> BadRequest:
    """The error of a required part whose template `text` uses a missing value. Lists the saved values."""
    saved = context.get("saved")
    known = "" if saved is None or "saved" not in text else f"; saved so far: {', '.join(saved) or 'nothing'}"
    return BadRequest("request_invalid", f"{where}: {text!r} uses a value that does not exist{known}")


def value_of(template: Template, context: Context) -> Any:
    return template.value if template.render is None else template.render(context)


def _render_object(items: list[tuple[str, Template]], context: Context) -> dict[str, Any]:
    pairs = ((key, value_of(item, context)) for key, item in items)
    return {key: value for key, value in pairs if value is not MISSING}


def _render_list(entries: list[Template], context: Context) -> list[Any]:
    return [value for value in (value_of(entry, context) for entry in entries) if value is not MISSING]


def _render_spread(entries: list[Template], spread: frozenset[int], context: Context) -> list[Any]:
    """The same; an entry of `spread` is a list, whose items come in its place."""
    out: list[Any] = []
    for i, entry in enumerate(entries):
        value = value_of(entry, context)
        if value is not MISSING:
            out += value if i in spread else [value]
    return out


def _dump(value: Any) -> bytes:
    """JSON. Raises BadRequest for values that JSON or UTF-8 cannot represent, such as half a surrogate pair."""
    try:
        return orjson.dumps(value)
    except TypeError as exc:
        raise _unwritable(exc) from exc


def _unwritable(exc: TypeError) -> BadRequest:
    return BadRequest("request_invalid", f"the body cannot be written as JSON: {exc}")


def _dump_sealed(value: Any) -> bytes:
    """As `_dump`, of values that may hold tokens of secrets."""
    data = _dump(value)
    return in_json(data) if MARK_BYTES in data else data


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise BadRequest("request_invalid", f"the body is not valid Unicode: {exc.reason}") from exc


_Around = tuple[bytes, Callable[[Context], Any], Callable[[Any], bytes], bytes]
"""The bytes before the one value that varies, how to render it and how to write it, and the bytes after it."""


class Body:
    """The request body. Its constant top-level members are serialised once; only the rest is done per turn."""

    def __init__(self, template: Any, where: str, fold: Context) -> None:
        """`where` is its place in the target, for errors. Raises SpecError."""
        self._where = where
        self._template = template
        self._dump: Callable[[Any], bytes] = _dump_sealed if fold.get("secret") else _dump
        self._parts: list[tuple[bytes, Template]] = []
        self._constant: bytes | None = b""
        self._whole: Template | None = None
        self._around: _Around | None = None
        """Set if only one member varies, as in most requests (the messages)."""
        if template is None:
            return
        if not isinstance(template, dict):
            self._whole = compile_value(template, where, fold)
            if self._whole.value is MISSING:
                raise SpecError(absent(where, str(template), fold).detail)
            self._constant = None
            return
        for key, item in template.items():
            compiled = compile_value(item, f"{where}.{key}", fold)
            if compiled.value is MISSING:
                continue
            name = orjson.dumps(key) + b":"
            if compiled.render is None:
                try:
                    constant = self._dump(compiled.value)
                except BadRequest as exc:
                    raise SpecError(f"{where}.{key}: {exc.detail}") from exc
                self._parts.append((name + constant, compiled))
            else:
                self._parts.append((name, compiled))
        varying = [(at, template.render) for at, (_, template) in enumerate(self._parts) if template.render]
        if not varying:
            self._constant = b"{" + b",".join(part for part, _ in self._parts) + b"}"
            return
        self._constant = None
        if len(varying) == 1:
            self._around = self._split(*varying[0])

    def _split(self, at: int, render: Callable[[Context], Any]) -> _Around:
        texts = [text for text, _ in self._parts]
        before = b"{" + b"".join(text + b"," for text in texts[:at]) + texts[at]
        dump = orjson.dumps if self._dump is _dump else self._dump  # for each turn: no function in between
        return before, render, dump, b"".join(b"," + text for text in texts[at + 1 :]) + b"}"

    def render(self, context: Context) -> bytes:
        if self._around is not None:
            before, get, dump, behind = self._around
            if (value := get(context)) is not MISSING:
                try:
                    return before + dump(value) + behind
                except TypeError as exc:
                    raise _unwritable(exc) from exc
        if self._constant is not None:
            return self._constant
        if self._whole is not None:
            value = value_of(self._whole, context)
            if value is MISSING:
                raise absent(self._where, str(self._template), context)
            return _encoded(value) if isinstance(value, str) else self._dump(value)
        out = []
        for text, template in self._parts:
            if template.render is None:
                out.append(text)
                continue
            value = template.render(context)
            if value is not MISSING:
                out.append(text + self._dump(value))
        return b"{" + b",".join(out) + b"}"

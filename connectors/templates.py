"""Request templates: JSON with `{{ expression }}` in its strings, compiled once. No I/O and no framework.

A string that is one expression keeps the value's type; a mixed string becomes text. Plain names (`params.model`) are
closures; anything else is a Jinja2 expression in an immutable sandbox. A value whose expression names something that
is not there is left out: the key of an object, the item of a list, the whole header.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson
from jinja2 import TemplateError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from connectors.errors import BadRequest
from connectors.spec import SpecError

Context = Mapping[str, Any]

CONTEXT_NAMES: Final = frozenset(
    {"message", "messages", "history", "session", "turn", "vars", "params", "secret", "saved"}
)
TEMPLATE_LIMIT: Final = 4 * 1024 * 1024
"""Characters that one rendered string may have."""

_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z")
_NAMES = re.compile(r"[A-Za-z_]\w*")


class _Missing:
    """The one value that means "leave this out"."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


def _shaped(messages: Any, shape: Any, roles: Mapping[str, str] | None = None) -> list[Any]:
    """Each message in another shape, in which `$role` and `$content` stand for its own; `roles` renames roles:
    `messages | shaped({'role': '$role', 'parts': [{'text': '$content'}]}, {'assistant': 'model'})`."""
    names = roles or {}
    return [_filled(shape, names.get(said["role"], said["role"]), said["content"]) for said in messages]


def _filled(shape: Any, role: str, content: str) -> Any:
    if isinstance(shape, str):
        # The content last: what it says must not be taken for a place to fill.
        return "".join(content if part == "$content" else part for part in _CONTENT.split(shape.replace("$role", role)))
    if isinstance(shape, Mapping):
        return {key: _filled(value, role, content) for key, value in shape.items()}
    if isinstance(shape, list | tuple):
        return [_filled(value, role, content) for value in shape]
    return shape


_CONTENT = re.compile(r"(\$content)")
_sandbox = ImmutableSandboxedEnvironment()
_sandbox.filters["shaped"] = _shaped


class Template(NamedTuple):
    """A compiled value: constant (`value`), or computed from a context by `render`."""

    value: Any
    render: Callable[[Context], Any] | None


def _compile_expression(text: str, where: str) -> Callable[[Context], Any]:
    if _PLAIN_NAME.match(text):
        root, *keys = text.split(".")
        if root not in CONTEXT_NAMES:
            raise SpecError(f"{where}: {{{{ {text} }}}} is not known; use one of {', '.join(sorted(CONTEXT_NAMES))}")
        return _name_getter(root, keys)
    try:
        compiled = _sandbox.compile_expression(text, undefined_to_none=False)
    except TemplateError as exc:
        raise SpecError(f"{where}: {{{{ {text} }}}} is not an expression: {exc}") from exc

    def evaluate(context: Context) -> Any:
        try:
            value = compiled(**context)
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as exc:
            raise BadRequest("request_invalid", f"{where}: {{{{ {text} }}}}: {exc}") from exc
        return MISSING if isinstance(value, Undefined) else value

    return evaluate


def _name_getter(root: str, keys: list[str]) -> Callable[[Context], Any]:
    def get(context: Context) -> Any:
        value = context.get(root, MISSING)
        for key in keys:
            if not isinstance(value, Mapping) or key not in value:
                return MISSING
            value = value[key]
        return value

    return get


def compile_string(text: str, where: str, fold: Context) -> Template:
    """`fold` holds what does not change while a run lasts: what depends only on that is rendered once."""
    found = list(_EXPRESSION.finditer(text))
    if not found:
        return Template(text, None)
    names = {name for match in found for name in _NAMES.findall(match[1])}
    if len(found) == 1 and found[0][0] == text.strip():
        render = _compile_expression(found[0][1].strip(), where)
    else:
        render = _joined(_split(text, found, where), where)
    if not names & (CONTEXT_NAMES - fold.keys()):
        return Template(render(fold), None)
    return Template(None, render)


def _split(text: str, found: list[re.Match[str]], where: str) -> list[str | Callable[[Context], Any]]:
    parts: list[str | Callable[[Context], Any]] = []
    at = 0
    for match in found:
        if match.start() > at:
            parts.append(text[at : match.start()])
        parts.append(_compile_expression(match[1].strip(), where))
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
            out.append(value if isinstance(value, str) else str(value))
        text = "".join(out)
        if len(text) > TEMPLATE_LIMIT:
            raise BadRequest("request_invalid", f"{where}: the rendered text has {len(text)} characters")
        return text

    return render


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
        if any(entry.render for entry in entries):
            return Template(None, lambda context: _render_list(entries, context))
        return Template([entry.value for entry in entries if entry.value is not MISSING], None)
    return Template(value, None)


def value_of(template: Template, context: Context) -> Any:
    return template.value if template.render is None else template.render(context)


def _render_object(items: list[tuple[str, Template]], context: Context) -> dict[str, Any]:
    pairs = ((key, value_of(item, context)) for key, item in items)
    return {key: value for key, value in pairs if value is not MISSING}


def _render_list(entries: list[Template], context: Context) -> list[Any]:
    return [value for value in (value_of(entry, context) for entry in entries) if value is not MISSING]


def _dump(value: Any) -> bytes:
    """JSON. Raises BadRequest for what JSON or UTF-8 cannot hold, such as half a surrogate pair."""
    try:
        return orjson.dumps(value)
    except TypeError as exc:
        raise BadRequest("request_invalid", f"the body cannot be written as JSON: {exc}") from exc


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise BadRequest("request_invalid", f"the body is not valid Unicode: {exc.reason}") from exc


class Body:
    """The request body. Its constant top-level members are serialised once; only what varies is done per turn."""

    def __init__(self, template: Any, fold: Context) -> None:
        self._parts: list[tuple[bytes, Template]] = []
        self._constant: bytes | None = b""
        self._whole: Template | None = None
        self._around: tuple[bytes, Callable[[Context], Any], bytes] | None = None
        """Most requests vary in their messages alone."""
        if template is None:
            return
        if not isinstance(template, dict):
            self._whole = compile_value(template, "request.body", fold)
            self._constant = None
            return
        for key, item in template.items():
            compiled = compile_value(item, f"request.body.{key}", fold)
            if compiled.value is MISSING:
                continue
            name = orjson.dumps(key) + b":"
            if compiled.render is None:
                try:
                    constant = _dump(compiled.value)
                except BadRequest as exc:
                    raise SpecError(f"request.body.{key}: {exc.detail}") from exc
                self._parts.append((name + constant, compiled))
            else:
                self._parts.append((name, compiled))
        varying = [number for number, (_, template) in enumerate(self._parts) if template.render]
        if not varying:
            self._constant = b"{" + b",".join(part for part, _ in self._parts) + b"}"
            return
        self._constant = None
        if len(varying) == 1:
            self._around = self._split(varying[0])

    def _split(self, at: int) -> tuple[bytes, Callable[[Context], Any], bytes]:
        """Everything before the one value that varies, how to get it, and everything behind it."""
        texts = [text for text, _ in self._parts]
        render = self._parts[at][1].render
        assert render is not None  # noqa: S101 - it varies
        before = b"{" + b"".join(text + b"," for text in texts[:at]) + texts[at]
        return before, render, b"".join(b"," + text for text in texts[at + 1 :]) + b"}"

    def render(self, context: Context) -> bytes:
        if self._around is not None:
            before, get, behind = self._around
            if (value := get(context)) is not MISSING:
                return before + _dump(value) + behind
        if self._constant is not None:
            return self._constant
        if self._whole is not None:
            value = value_of(self._whole, context)
            return _encoded(value) if isinstance(value, str) else _dump(value)
        out = []
        for text, template in self._parts:
            if template.render is None:
                out.append(text)
                continue
            value = template.render(context)
            if value is not MISSING:
                out.append(text + _dump(value))
        return b"{" + b",".join(out) + b"}"

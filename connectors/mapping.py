"""What a target's mapping means, compiled once: request templates to closures, response paths to closures.

No I/O and no framework; both lanes use it. Two small languages, one for each direction:

- Requests are JSON with `{{ expression }}` in its strings. A string that is one expression keeps the value's
  type; a mixed string becomes text. Plain names (`params.model`) are closures; anything else is a Jinja2
  expression in an immutable sandbox. A value whose expression names something that is not there is left out:
  the key of an object, the item of a list, the whole header.
- Responses are paths. `choices[0].delta.content` is a closure; anything else is JMESPath.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import jmespath
import orjson
from jinja2 import TemplateError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from connectors.errors import BadRequest
from connectors.spec import DoneSpec, ResponseSpec, SpecError, TargetSpec

Context = Mapping[str, Any]
Getter = Callable[[Any], Any]

CONTEXT_NAMES: Final = frozenset({"message", "messages", "history", "session", "turn", "vars", "params", "secret"})
FOLDED_NAMES: Final = frozenset({"params", "secret"})
"""Names that do not change while a run lasts: what depends only on them is rendered once."""
TEMPLATE_LIMIT: Final = 4 * 1024 * 1024
"""Characters that one rendered string may have."""

_PATH_SAFE: Final = "/:?#[]@!$&'()*+,;=%"
_PATH_UNSAFE = re.compile(r"[^\x21-\x7e]")
"""What would end or break the request line: white space, control characters, and all beyond ASCII."""

_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z")
_NAMES = re.compile(r"[A-Za-z_]\w*")
_PLAIN_PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*|\[\d+\])*\Z")
_PATH_PART = re.compile(r"[A-Za-z_][\w-]*|\[\d+\]")


class _Missing:
    """The one value that means "leave this out"."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
_sandbox = ImmutableSandboxedEnvironment()


class RenderedRequest(NamedTuple):
    """One request, ready for the wire. `headers` is the same object from turn to turn when nothing in it varies."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class _Template(NamedTuple):
    """A compiled value: constant (`value`), or computed from a context by `render`."""

    value: Any
    render: Callable[[Context], Any] | None


# --- requests -----------------------------------------------------------------------------------------------


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


def _compile_string(text: str, where: str, fold: Context) -> _Template:
    found = list(_EXPRESSION.finditer(text))
    if not found:
        return _Template(text, None)
    names = {name for match in found for name in _NAMES.findall(match[1])}
    if len(found) == 1 and found[0][0] == text.strip():
        render = _compile_expression(found[0][1].strip(), where)
    else:
        render = _joined(_split(text, found, where), where)
    if not names & (CONTEXT_NAMES - FOLDED_NAMES):
        return _Template(render(fold), None)
    return _Template(None, render)


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


def _compile_value(value: Any, where: str, fold: Context) -> _Template:
    if isinstance(value, str):
        return _compile_string(value, where, fold)
    if isinstance(value, dict):
        items = [(key, _compile_value(item, f"{where}.{key}", fold)) for key, item in value.items()]
        if any(item.render for _, item in items):
            return _Template(None, lambda context: _render_object(items, context))
        return _Template({key: item.value for key, item in items if item.value is not MISSING}, None)
    if isinstance(value, list):
        entries = [_compile_value(item, f"{where}[{i}]", fold) for i, item in enumerate(value)]
        if any(entry.render for entry in entries):
            return _Template(None, lambda context: _render_list(entries, context))
        return _Template([entry.value for entry in entries if entry.value is not MISSING], None)
    return _Template(value, None)


def _value(template: _Template, context: Context) -> Any:
    return template.value if template.render is None else template.render(context)


def _render_object(items: list[tuple[str, _Template]], context: Context) -> dict[str, Any]:
    pairs = ((key, _value(item, context)) for key, item in items)
    return {key: value for key, value in pairs if value is not MISSING}


def _render_list(entries: list[_Template], context: Context) -> list[Any]:
    return [value for value in (_value(entry, context) for entry in entries) if value is not MISSING]


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


class _Body:
    """The request body. Its constant top-level members are serialised once; only what varies is done per turn."""

    def __init__(self, template: Any, fold: Context) -> None:
        self._parts: list[tuple[bytes, _Template]] = []
        self._constant: bytes | None = b""
        self._whole: _Template | None = None
        if template is None:
            return
        if not isinstance(template, dict):
            self._whole = _compile_value(template, "request.body", fold)
            self._constant = None
            return
        for key, item in template.items():
            compiled = _compile_value(item, f"request.body.{key}", fold)
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
        varies = any(template.render for _, template in self._parts)
        self._constant = None if varies else b"{" + b",".join(part for part, _ in self._parts) + b"}"

    def render(self, context: Context) -> bytes:
        if self._constant is not None:
            return self._constant
        if self._whole is not None:
            value = _value(self._whole, context)
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


# --- responses ----------------------------------------------------------------------------------------------


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


class CompiledTarget:
    """A TargetSpec ready for use: `render` makes requests, `meaning` reads answers. Raises SpecError when built."""

    def __init__(self, spec: TargetSpec) -> None:
        self.spec = spec
        self.meaning = Meaning(spec.response)
        parts = urlsplit(spec.url)
        self.tls = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.tls else 80)
        self.host_header = parts.netloc
        fold: dict[str, Any] = {
            "params": spec.params,
            "secret": {name: value.get_secret_value() for name, value in spec.secrets.items()},
        }
        self._fold = fold
        self._path = _compile_string(spec.request.path, "request.path", fold)
        self._base = parts.path
        self._query = f"?{parts.query}" if parts.query else ""
        self._headers = [
            (name, _compile_string(text, f"request.headers.{name}", fold))
            for name, text in spec.request.headers.items()
        ]
        constant = not any(template.render for _, template in self._headers)
        self._constant_headers = self._render_headers(fold) if constant else None
        self._body = _Body(spec.request.body, fold)

    def render(self, context: Context) -> RenderedRequest:
        """The request of one turn. Raises BadRequest (nothing is sent then).

        `context` holds message (str), messages and history ([{role, content}]), session, turn (from 0) and vars;
        `params` and `secret` are the target's own.
        """
        whole = {**self._fold, **context}
        path = _value(self._path, whole)
        if path is MISSING:
            raise BadRequest("request_invalid", f"request.path: {self.spec.request.path!r} names what is not there")
        headers = self._constant_headers
        if headers is None:
            headers = self._render_headers(whole)
        target = f"{self._base}{path}{self._query}" or "/"
        if _PATH_UNSAFE.search(target):
            target = quote(target, safe=_PATH_SAFE)
        return RenderedRequest(self.spec.request.method, target, headers, self._body.render(whole))

    def _render_headers(self, context: Context) -> tuple[tuple[str, str], ...]:
        rendered = ((name, _value(template, context)) for name, template in self._headers)
        pairs = tuple((name, str(value)) for name, value in rendered if value is not MISSING)
        for name, value in pairs:
            if any(c in "\r\n\0" for c in name + value):
                raise BadRequest("request_invalid", f"header {name!r} has a line break in it")
        return pairs

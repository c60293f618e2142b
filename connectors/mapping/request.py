"""A rendered request, and the templates from which it is built."""

from __future__ import annotations

from typing import Any, NamedTuple

from connectors.errors import BadRequest
from connectors.mapping.addresses import compile_address
from connectors.mapping.expressions import MISSING, Context
from connectors.mapping.forms import CONTENT_TYPES, FormBody
from connectors.mapping.templates import Body, Template, absent, compile_string, text_of, value_of
from connectors.opaque.tokens import HEADER, MARK, PATH, wrapped
from connectors.request_parts import check_event, name_given_twice, not_in_values, request_target
from connectors.spec import RequestSpec, SpecError

_new_tuple = tuple.__new__


class RenderedRequest(NamedTuple):
    """One request, ready for the wire. `path` and `headers` are the same objects from turn to turn when nothing in
    them varies. `event` is Socket.IO's."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    event: str = ""


class Via(NamedTuple):
    """What a request to a proxy has in addition: a prefix of its path, and headers."""

    prefix: str
    headers: list[tuple[str, str]]


class RequestTemplate:
    """A RequestSpec, compiled. `base` precedes its path and `query` follows it. Raises SpecError."""

    def __init__(self, spec: RequestSpec, where: str, fold: Context, base: str = "", query: str = "") -> None:
        self._spec = spec
        self._method = spec.method
        self._where = where
        self._base = base
        self._query = query
        self._path = compile_address(spec.path, f"{where}.path", fold)
        self._event = compile_string(spec.event, f"{where}.event", fold)
        self._headers = [
            (name, _compile_header(text, f"{where}.headers.{name}", fold)) for name, text in spec.headers.items()
        ]
        if spec.encoding != "json" and not any(name.lower() == "content-type" for name in spec.headers):
            self._headers.append(("Content-Type", Template(CONTENT_TYPES[spec.encoding], None)))
        self._may_repeat = bool(name_given_twice(spec.headers))
        constant = not any(template.render for _, template in self._headers)
        try:
            self._constant_path = None if self._path.render else self._render_path(fold)
            self._constant_headers = self._render_headers(fold) if constant else None
            if self._event.render is None:
                self._event = Template(self._render_event(fold) if spec.event else "", None)
            self._constant_event: str | None = self._event.value
        except BadRequest as exc:
            raise SpecError(exc.detail) from exc
        self._body: Body | FormBody = (
            Body(spec.body, f"{where}.body", fold)
            if spec.encoding == "json"
            else FormBody(spec.body, spec.encoding, f"{where}.body", fold)
        )

    def render(self, context: Context) -> RenderedRequest:
        """Raises BadRequest (nothing is sent then)."""
        path = self._constant_path
        if path is None:
            path = self._render_path(context)
        headers = self._constant_headers
        if headers is None:
            headers = self._render_headers(context)
        event = self._constant_event
        if event is None:
            event = self._render_event(context)
        # From its parts in order: half of what calling the class costs, and this is per turn.
        return _new_tuple(RenderedRequest, (self._method, path, headers, self._body.render(context), event))

    def render_head(self, context: Context) -> RenderedRequest:
        """The same without a body."""
        path = self._constant_path if self._constant_path is not None else self._render_path(context)
        headers = self._constant_headers if self._constant_headers is not None else self._render_headers(context)
        return RenderedRequest(self._spec.method, path, headers, b"")

    def _render_event(self, context: Context) -> str:
        event = value_of(self._event, context)
        if event is MISSING or not event:
            raise absent(f"{self._where}.event", self._spec.event, context)
        if MARK in str(event):
            raise BadRequest("request_invalid", f"{self._where}.event: a secret cannot be the name of an event")
        try:
            return check_event(str(event))
        except ValueError as exc:
            raise BadRequest("request_invalid", f"{self._where}.event: {exc}") from exc

    def _render_path(self, context: Context) -> str:
        path = value_of(self._path, context)
        if path is MISSING or path is None:
            raise absent(f"{self._where}.path", self._spec.path, context)
        query = self._query.replace("?", "&", 1) if "?" in str(path) else self._query
        try:
            found = request_target(f"{self._base}{path}{query}")
            return wrapped(PATH, found) if MARK in found else found
        except ValueError as exc:
            raise BadRequest("request_invalid", f"{self._where}.path: {self._spec.path!r}: {exc}") from exc

    def _render_headers(self, context: Context) -> tuple[tuple[str, str], ...]:
        rendered = ((name, value_of(template, context)) for name, template in self._headers)
        # Space around a value is not part of it, and clients differ in what they do with it.
        pairs = tuple(
            (name, (value if value.__class__ is str else text_of(value, f"{self._where}.headers.{name}")).strip(" \t"))
            for name, value in rendered
            if value is not MISSING and value is not None
        )
        if self._may_repeat and (twice := name_given_twice(name for name, _ in pairs)):
            what = "is given twice: names of headers are not case-sensitive"
            raise BadRequest("request_invalid", f"{self._where}.headers: {twice} {what}")
        sealed = False
        for name, value in pairs:
            sealed |= MARK in value
            if not_in_values(value):
                what = "has a line break or another control character in it"
                raise BadRequest("request_invalid", f"{self._where}.headers: {name} {what}")
        if sealed:
            return tuple((name, wrapped(HEADER, value)) for name, value in pairs)
        return pairs


def _compile_header(text: str, where: str, fold: Context) -> Template:
    """Raises SpecError."""

    def checked(value: Any) -> Any:
        if value.__class__ is not str and isinstance(value, dict | list):
            what = f"{where}: a header cannot hold {'an object' if isinstance(value, dict) else 'a list'}"
            raise BadRequest("request_invalid", what, "name the value inside it, or put tojson behind it")
        return value

    return compile_string(text, where, fold, lambda _at, _expression: checked)

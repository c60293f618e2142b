"""A target's mapping, compiled once: requests by `connectors.templates`, answers by `connectors.paths`."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from connectors.errors import BadRequest
from connectors.paths import Meaning
from connectors.spec import SpecError, TargetSpec
from connectors.templates import MISSING, Body, Context, compile_string, value_of

_PATH_SAFE: Final = "/:?#[]@!$&'()*+,;=%"
_PATH_UNSAFE = re.compile(r"[^\x21-\x7e]")
"""What would end or break the request line: white space, control characters, and all beyond ASCII."""


class RenderedRequest(NamedTuple):
    """One request, ready for the wire. `path` and `headers` are the same objects from turn to turn when nothing in
    them varies."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


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
        self._method = spec.request.method
        self._base = parts.path
        self._query = f"?{parts.query}" if parts.query else ""
        self._path = compile_string(spec.request.path, "request.path", fold)
        self._headers = [
            (name, compile_string(text, f"request.headers.{name}", fold)) for name, text in spec.request.headers.items()
        ]
        constant = not any(template.render for _, template in self._headers)
        try:
            self._constant_path = None if self._path.render else self._render_path(fold)
            self._constant_headers = self._render_headers(fold) if constant else None
        except BadRequest as exc:
            raise SpecError(exc.detail) from exc
        self._body = Body(spec.request.body, fold)

    def render(self, context: Context) -> RenderedRequest:
        """The request of one turn. Raises BadRequest (nothing is sent then).

        `context` holds message (str), messages and history ([{role, content}]), session, turn (from 0) and vars;
        `params` and `secret` are the target's own.
        """
        whole = {**self._fold, **context}
        path = self._constant_path
        if path is None:
            path = self._render_path(whole)
        headers = self._constant_headers
        if headers is None:
            headers = self._render_headers(whole)
        return RenderedRequest(self._method, path, headers, self._body.render(whole))

    def _render_path(self, context: Context) -> str:
        path = value_of(self._path, context)
        if path is MISSING:
            raise BadRequest("request_invalid", f"request.path: {self.spec.request.path!r} names what is not there")
        target = f"{self._base}{path}{self._query}" or "/"
        return quote(target, safe=_PATH_SAFE) if _PATH_UNSAFE.search(target) else target

    def _render_headers(self, context: Context) -> tuple[tuple[str, str], ...]:
        rendered = ((name, value_of(template, context)) for name, template in self._headers)
        pairs = tuple((name, str(value)) for name, value in rendered if value is not MISSING)
        for name, value in pairs:
            if any(c in "\r\n\0" for c in name + value):
                raise BadRequest("request_invalid", f"header {name!r} has a line break in it")
        return pairs

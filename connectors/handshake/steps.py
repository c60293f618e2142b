"""A compiled handshake step: the request that it sends and the values that it saves from the answer."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from connectors.content.decoding import loads, mended_value
from connectors.content.wording import refusal_text, shape
from connectors.errors import BadAnswer, BadRequest, Refused
from connectors.handshake.expiry import told_lifetime_s
from connectors.http.endpoint import Endpoint
from connectors.mapping.expressions import MISSING, Context
from connectors.mapping.paths import Getter, compile_path
from connectors.mapping.request import RenderedRequest, RequestTemplate
from connectors.mapping.templates import absent, compile_string, value_of
from connectors.opaque.tokens import MARK, PATH, wrapped
from connectors.request_parts import check_authority, check_url, quoted
from connectors.spec import RequestSpec, SpecError, StepSpec, TargetSpec

HTTP_OF = {"ws": "http", "wss": "https", "grpc": "http", "grpcs": "https"}


class StepRequest(NamedTuple):
    """A step's request, ready to send, and its endpoint. Any status in `expect` is accepted, even a redirect that
    `follows` would follow."""

    name: str
    endpoint: Endpoint
    request: RenderedRequest
    expect: frozenset[int] = frozenset()
    follows: bool = False


class StepAnswer(NamedTuple):
    status: int
    body: bytes
    charset: str | None = None


class Step:
    """One StepSpec, compiled."""

    def __init__(self, spec: StepSpec, target: TargetSpec, endpoint: Endpoint, fold: Context) -> None:
        self.spec = spec
        self.where = f"handshake.{spec.name}"
        self._target_url = target.url
        self._follows = target.follow_redirects
        self._endpoint = endpoint
        self._url = compile_string(spec.url, f"{self.where}.url", fold)
        self._when = compile_string(spec.when, f"{self.where}.when", fold) if spec.when is not None else None
        self._save = [(name, compile_path(path, f"{self.where}.save.{name}")) for name, path in spec.save.items()]
        self._expires: Getter | None = compile_path(spec.expires, f"{self.where}.expires") if spec.expires else None
        request = RequestSpec(method=spec.method, headers=spec.headers, body=spec.body)
        self._request = RequestTemplate(request, self.where, fold)
        self._expect = frozenset(spec.expect)
        if self._url.value is MISSING:
            raise SpecError(absent(f"{self.where}.url", spec.url, fold).detail)
        if self._url.render is None:
            self._place(str(self._url.value))

    def wanted(self, context: Context) -> bool:
        """Whether the step must be done."""
        if self._when is None:
            return True
        value = value_of(self._when, context)
        return value is not MISSING and bool(value)

    def request(self, context: dict[str, Any]) -> StepRequest:
        """Raises BadRequest."""
        url = value_of(self._url, context)
        if url is MISSING or not url:
            raise absent(f"{self.where}.url", self.spec.url, context)
        try:
            endpoint, path = self._place(str(url))
        except SpecError as exc:
            raise BadRequest("request_invalid", str(exc)) from exc
        request = self._request.render(context)._replace(path=path)
        return StepRequest(self.spec.name, endpoint, request, self._expect, self._follows)

    def _place(self, url: str) -> tuple[Endpoint, str]:
        """Endpoint and path. Raises SpecError, which shows the template, because the rendered URL may contain a
        secret."""
        wrong = f"{self.where}.url: {self.spec.url!r}"
        try:
            if url.startswith("/"):
                return self._endpoint, wrapped(PATH, quoted(urlsplit(self._target_url).path + url))
            parts = urlsplit(check_url(url))
            port_ok = parts.port != 0
            path = wrapped(PATH, quoted(f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"))
        except ValueError as exc:
            raise SpecError(f"{wrong} is not a URL") from exc
        if not port_ok:
            raise SpecError(f"{wrong} is not a URL")
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise SpecError(f"{wrong} is neither a path (/token) nor an http(s) URL")
        if MARK in parts.netloc:
            raise SpecError(f"{wrong}: a secret cannot be a host")
        try:
            check_authority(parts.netloc)
        except ValueError as exc:
            raise SpecError(f"{wrong}: {exc}") from exc
        return self._endpoint.at(parts.scheme, parts.netloc), path

    def read(self, answer: StepAnswer) -> tuple[dict[str, Any], float | None]:
        """The saved values, and the number of seconds after which they must be renewed. Raises Refused or BadAnswer."""
        fine = answer.status in self.spec.expect if self.spec.expect else 200 <= answer.status < 300
        if not fine:
            said = f"{self.where}: {refusal_text(answer.body)}"
            raise Refused(answer.status, said, "the handshake was refused: check its step and secrets")
        if not self._save and self._expires is None:
            return {}, self.spec.expires_s
        try:
            message = loads(answer.body, answer.charset)
        except orjson.JSONDecodeError as exc:
            raise BadAnswer("json_invalid", f"{self.where}: the answer is not JSON: {exc}") from exc
        if (vault := self._endpoint.vault) is not None:
            message = vault.concealed(message)  # before any path looks into it
        saved = {}
        for name, get in self._save:
            if (value := get(message)) is None:
                what = f"{self.where}: nothing at {self.spec.save[name]!r}; the answer has {shape(message)}"
                raise BadAnswer("answer_unmatched", what, "compare the step's `save` paths with the shape shown")
            saved[name] = mended_value(value)
        lifetime_s = told_lifetime_s(self._expires(message)) if self._expires else None
        return saved, self.spec.expires_s if lifetime_s is None else lifetime_s

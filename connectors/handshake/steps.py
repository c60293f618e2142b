"""A compiled request beside the turns' own, such as a handshake's step: what it sends, how often, and what it saves."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from connectors.content.said_errors import said_error
from connectors.content.styles import EVENTS, WHOLE, Style
from connectors.content.wording import STATUS_ADVICE, refusal_text, shape
from connectors.errors import BadAnswer, BadRequest, Refused, TimedOut, TooLarge
from connectors.handshake.answers import StepAnswer, check_saved, document_of, found_in
from connectors.handshake.expiry import told_lifetime_s
from connectors.http.endpoint import Endpoint
from connectors.mapping.addresses import compile_address
from connectors.mapping.answers.paths import Getter, compile_path, condition_test
from connectors.mapping.answers.saving import Saving
from connectors.mapping.expressions import MISSING, MORE, Context
from connectors.mapping.jwt import NAME as JWT
from connectors.mapping.jwt import JwtTemplate
from connectors.mapping.request import RenderedRequest, RequestTemplate
from connectors.mapping.templates import absent, compile_string, value_of
from connectors.opaque.tokens import MARK, PATH, wrapped
from connectors.request_parts import check_authority, check_url, quoted
from connectors.spec import AskSpec, RequestSpec, SpecError, StepSpec, TargetSpec
from connectors.spec.handshake import EVERY_S, WITHIN_S

HTTP_OF = {"ws": "http", "wss": "https", "grpc": "http", "grpcs": "https"}
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
"""Methods of requests that may be sent again if a kept connection is lost (RFC 9110, section 9.2.2)."""


class StepRequest(NamedTuple):
    """A step's request, ready to send, and its endpoint. Any status in `expect` is accepted, even a redirect that
    `follows` would follow. `style` None: as the target's protocol has it. `after_s`: the wait before it, of one that is
    sent again (`again`). `until`: which event of a stream is read. `repeatable`: it may be sent twice where a kept
    connection is lost at the moment of sending."""

    name: str
    endpoint: Endpoint
    request: RenderedRequest
    expect: frozenset[int] = frozenset()
    follows: bool = False
    style: Style | None = WHOLE
    after_s: float = 0.0
    again: bool = False
    until: Callable[[bytes], bool] | None = None
    repeatable: bool = False


Asking = Generator[StepRequest, StepAnswer, None]


class Ask:
    """One AskSpec, compiled. `kind` is what it belongs to, for messages. `known_errors`: whether answers that are not
    waited for are searched for errors."""

    spec: AskSpec

    def __init__(self, spec: AskSpec, kind: str, target: TargetSpec, endpoint: Endpoint, fold: Context) -> None:
        self.spec = spec
        self.known_errors = True
        self.where = f"{kind}.{spec.name}"
        self._target_url = target.url
        self._follows = target.follow_redirects
        self._endpoint = endpoint
        self._url = compile_address(spec.url, f"{self.where}.url", fold)
        self.saving = Saving(spec.save, f"{self.where}.save")
        self._until = condition_test(spec.until, f"{self.where}.until") if spec.until is not None else None
        self._streams = spec.read == "sse"
        request = RequestSpec(method=spec.method, headers=spec.headers, encoding=spec.encoding, body=spec.body)
        self._request = RequestTemplate(request, self.where, fold)
        self._expect = frozenset(spec.expect)
        if self._url.value is MISSING:
            raise SpecError(absent(f"{self.where}.url", spec.url, fold).detail)
        if self._url.render is None:
            self._place(str(self._url.value))

    @property
    def reads_head(self) -> bool:
        """Whether it has to know the head of its answers."""
        return self.saving.needs_head or self._streams

    def request(self, context: Context) -> StepRequest:
        """Raises BadRequest."""
        url = value_of(self._url, context)
        if url is MISSING or (not url and self.spec.url):
            raise absent(f"{self.where}.url", self.spec.url, context)
        try:
            endpoint, path = self._place(str(url))
        except SpecError as exc:
            raise BadRequest("request_invalid", str(exc)) from exc
        request = self._request.render(context)._replace(path=path)
        repeatable = request.method in REPEATABLE
        made = StepRequest(self.spec.name, endpoint, request, self._expect, self._follows, repeatable=repeatable)
        return made._replace(style=EVENTS, until=self._until) if self._streams else made

    def ask(self, context: Context) -> Generator[StepRequest, StepAnswer, tuple[dict[str, Any], Any]]:
        """Yields the request, again until the answer is as it is waited for; returns what the answers gave to save, and
        the last one decoded (None if nothing reads it). Raises BadRequest, Refused, BadAnswer or TimedOut."""
        polls = self._until is not None and not self._streams
        every_s = self.spec.every_s or EVERY_S
        due_s = time.monotonic() + (self.spec.within_s or WITHIN_S)
        saved: dict[str, Any] = {}
        times = 1
        answer = yield self.request(context)
        while True:
            self._check_status(answer)
            met = not polls or (self._until is not None and self._until(answer.body))
            message = self._decoded(answer, needed=met)
            saved |= found_in(answer, message, self.saving, self._endpoint.vault)
            if met:
                check_saved(saved, answer, message, self.saving, self.where)
                return saved, message
            if self.known_errors and (error := said_error(message, typed=True)):
                raise BadAnswer("target_error", f"{self.where}: {error}")
            if time.monotonic() + every_s > due_s:
                raise self._never(times, message)
            times += 1
            context = {**context, "saved": {**context["saved"], **saved}}
            answer = yield self.request(context)._replace(after_s=every_s, again=True)

    def _place(self, url: str) -> tuple[Endpoint, str]:
        """Endpoint and path. Raises SpecError, which shows the template, because the rendered URL may contain a
        secret."""
        wrong = f"{self.where}.url: {self.spec.url!r}"
        try:
            if not url or url.startswith("/"):
                return self._endpoint, wrapped(PATH, quoted(urlsplit(self._target_url).path + url or "/"))
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

    def _check_status(self, answer: StepAnswer) -> None:
        fine = answer.status in self._expect if self._expect else 200 <= answer.status < 300
        if not fine:
            said = f"{self.where}: {refusal_text(answer.body)}"
            raise Refused(answer.status, said, self._refused_advice(answer.status))

    def _refused_advice(self, status: int) -> str:
        return STATUS_ADVICE.get(status, "")

    def _decoded(self, answer: StepAnswer, *, needed: bool) -> Any:
        """Its JSON, where something reads it. `needed`: raises BadAnswer if it is none."""
        if needed:
            return document_of(answer, self._endpoint.vault, self.where) if self._reads_json else None
        try:
            return answer.document(self._endpoint.vault)
        except (orjson.JSONDecodeError, TooLarge):
            return None

    @property
    def _reads_json(self) -> bool:
        return bool(self.saving.paths)

    def _never(self, times: int, message: Any) -> TimedOut:
        within_s = self.spec.within_s or WITHIN_S
        last = "" if message is None else f"; the last answer has {shape(message)}"
        what = f"{self.where}: `until` was not met within {within_s:g} s, in {times} requests{last}"
        return TimedOut("total_timeout", what, "correct `until`, or raise within_s")


class Step(Ask):
    """A handshake's step."""

    spec: StepSpec

    def __init__(self, spec: StepSpec, target: TargetSpec, endpoint: Endpoint, fold: Context) -> None:
        self._expires: Getter | None = None
        if spec.expires:
            self._expires = compile_path(spec.expires, f"handshake.{spec.name}.expires")
        where = f"handshake.{spec.name}"
        self._jwt = None if spec.jwt is None else JwtTemplate(spec.jwt, where, spec.url, fold)
        known = fold if self._jwt is None else {**fold, MORE: frozenset({JWT})}
        super().__init__(spec, "handshake", target, endpoint, known)
        self._when = compile_string(spec.when, f"{self.where}.when", fold) if spec.when is not None else None

    def request(self, context: Context) -> StepRequest:
        if self._jwt is not None:
            context = {**context, JWT: self._jwt.render(context)}
        return super().request(context)

    @property
    def _reads_json(self) -> bool:
        return super()._reads_json or self._expires is not None

    def _refused_advice(self, status: int) -> str:
        return "the handshake was refused: check its step and secrets"

    def wanted(self, context: Context) -> bool:
        """Whether the step must be done."""
        if self._when is None:
            return True
        value = value_of(self._when, context)
        return value is not MISSING and bool(value)

    def lifetime_s(self, message: Any) -> float | None:
        """The number of seconds after which what its answer gave must be renewed."""
        told_s = told_lifetime_s(self._expires(message)) if self._expires else None
        return self.spec.expires_s if told_s is None else told_s

    def lifetime_note(self, answer: StepAnswer) -> str:
        """What is wrong with the lifetime in its answer; empty: nothing."""
        if self._expires is None:
            return ""
        told = self._expires(self._decoded(answer, needed=False))
        if told_lifetime_s(told) is not None:
            return ""
        found = "nothing" if told is None else "neither a number of seconds nor a Unix time"
        then = "its result does not expire" if self.spec.expires_s is None else "expires_s holds"
        return f"{self.where}.expires: the answer has {found} at {self.spec.expires!r}, so {then}"

"""A target's mapping, compiled once: requests by `connectors.templates`, answers by `connectors.paths`."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from connectors.cookies import Cookies
from connectors.errors import BadRequest
from connectors.paths import Meaning, condition_test
from connectors.payload import Codecs, CodecTemplate
from connectors.proxy import proxy_of
from connectors.redact import Redactor
from connectors.spec import ONE_ANSWER, SCHEMES, TLS_SCHEMES, ReplyToSpec, RequestSpec, SpecError, TargetSpec
from connectors.templates import MISSING, Body, Context, compile_string, compile_value, value_of
from connectors.unset import named_secrets

if TYPE_CHECKING:
    from connectors.belonging import Greeting, ReplyTo
    from connectors.handshake import Handshake

PATH_SAFE: Final = "/:?#[]@!$&'()*+,;=%"
_PATH_UNSAFE = re.compile(r"[^\x21-\x7e]")
"""What would end or break the request line: white space, control characters, and all beyond ASCII."""


class RenderedRequest(NamedTuple):
    """One request, ready for the wire. `path` and `headers` are the same objects from turn to turn when nothing in
    them varies. `event` is Socket.IO's."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    event: str = ""


class Via(NamedTuple):
    """What a request to a proxy has more: what goes before its path, and headers."""

    prefix: str
    headers: list[tuple[str, str]]


def absent(where: str, text: str, context: Context) -> BadRequest:
    """A template that is needed names what is not there: an answer had nothing to save, or a secret is not set."""
    saved = context.get("saved")
    known = "" if saved is None or "saved" not in text else f"; saved so far: {', '.join(saved) or 'nothing'}"
    return BadRequest("request_invalid", f"{where}: {text!r} names what is not there{known}")


class RequestTemplate:
    """A RequestSpec, compiled. `base` goes before its path and `query` behind it. Raises SpecError."""

    def __init__(self, spec: RequestSpec, where: str, fold: Context, base: str = "", query: str = "") -> None:
        self._spec = spec
        self._method = spec.method
        self._where = where
        self._base = base
        self._query = query
        self._path = compile_string(spec.path, f"{where}.path", fold)
        self._event = compile_string(spec.event, f"{where}.event", fold)
        self._headers = [
            (name, compile_string(text, f"{where}.headers.{name}", fold)) for name, text in spec.headers.items()
        ]
        constant = not any(template.render for _, template in self._headers)
        try:
            self._constant_path = None if self._path.render else self._render_path(fold)
            self._constant_headers = self._render_headers(fold) if constant else None
        except BadRequest as exc:
            raise SpecError(exc.detail) from exc
        self._body = Body(spec.body, fold)

    def render(self, context: Context) -> RenderedRequest:
        """Raises BadRequest (nothing is sent then)."""
        path = self._constant_path
        if path is None:
            path = self._render_path(context)
        headers = self._constant_headers
        if headers is None:
            headers = self._render_headers(context)
        event = self._event.value if self._event.render is None else self._render_event(context)
        # From its parts in order: half of what calling the class costs, and this is per turn.
        return tuple.__new__(RenderedRequest, (self._method, path, headers, self._body.render(context), event))

    def render_head(self, context: Context) -> RenderedRequest:
        """The same without a body."""
        path = self._constant_path if self._constant_path is not None else self._render_path(context)
        headers = self._constant_headers if self._constant_headers is not None else self._render_headers(context)
        return RenderedRequest(self._spec.method, path, headers, b"")

    def _render_event(self, context: Context) -> str:
        event = value_of(self._event, context)
        if event is MISSING or not event:
            raise absent(f"{self._where}.event", self._spec.event, context)
        return str(event)

    def _render_path(self, context: Context) -> str:
        path = value_of(self._path, context)
        if path is MISSING:
            raise absent(f"{self._where}.path", self._spec.path, context)
        query = self._query.replace("?", "&", 1) if "?" in str(path) else self._query
        target = f"{self._base}{path}{query}" or "/"
        return quote(target, safe=PATH_SAFE) if _PATH_UNSAFE.search(target) else target

    def _render_headers(self, context: Context) -> tuple[tuple[str, str], ...]:
        rendered = ((name, value_of(template, context)) for name, template in self._headers)
        pairs = tuple((name, str(value)) for name, value in rendered if value is not MISSING)
        for name, value in pairs:
            if any(c in "\r\n\0" for c in name + value):
                raise BadRequest("request_invalid", f"header {name!r} has a line break in it")
        return pairs


class CompiledTarget:
    """A TargetSpec ready for use: `render` makes requests, `meaning` reads answers. Raises SpecError when built.

    `params_vary`: each conversation may have params of its own (`with_params`), so that nothing that names one is
    rendered beforehand. What a handshake sends always has the target's own.
    """

    def __init__(self, spec: TargetSpec, *, params_vary: bool = False) -> None:
        self.spec = spec
        self.meaning = Meaning(spec.response)
        parts = urlsplit(spec.url)
        self.tls = parts.scheme in TLS_SCHEMES
        self.host = parts.hostname or ""
        self.port = parts.port or SCHEMES[parts.scheme]
        self.host_header = parts.netloc
        self.proxy = proxy_of(spec.proxy, spec.secrets, self.host)
        self.via = None if self.proxy is None or self.tls else Via(f"http://{self.host_header}", self.proxy.headers)
        """What plain HTTP requests to a proxy have more than those to the target."""
        fold: dict[str, Any] = {
            "params": spec.params,
            "secret": {name: value.get_secret_value() for name, value in spec.secrets.items()},
        }
        self._fold = fold
        self._original: CompiledTarget | None = None
        self.redact = Redactor(fold["secret"].values())
        if params_vary:
            fold = {"secret": fold["secret"]}
        base, query = parts.path, f"?{parts.query}" if parts.query else ""
        self._request = RequestTemplate(spec.request, "request", fold, base, query)
        self._standing = spec.standing and RequestTemplate(spec.standing, "standing", fold, base, query)
        self._auth = compile_value(spec.socketio.auth, "socketio.auth", fold)
        hello = spec.socketio.hello
        self._hello = RequestTemplate(hello, "socketio.hello", fold) if hello is not None else None
        self._codecs = CodecTemplate(spec.codec, fold)
        self.has_codecs = bool(spec.codec.request or spec.codec.response)
        self.reply_to = None if spec.reply_to is None else self._compile_reply_to(spec.reply_to)
        self.reads_requests = self.has_codecs or self.reply_to is not None
        """Whether something is done with each request when it is rendered."""
        if spec.greeting is not None and spec.greeting.until is not None:
            condition_test(spec.greeting.until, "greeting.until")
        self.handshake = self._compile_handshake()
        self.cookies = Cookies()

    def new_cookies(self) -> Cookies | None:
        """For a conversation that begins; None if none are kept."""
        if self.spec.cookies == "none":
            return None
        return self.cookies if self.spec.cookies == "run" else Cookies(self.cookies)

    @staticmethod
    def _compile_reply_to(spec: ReplyToSpec) -> ReplyTo:
        from connectors.belonging import ReplyTo  # it reads turns, for which it needs a compiled target

        return ReplyTo(spec)

    @cached_property
    def unset_secrets(self) -> tuple[str, ...]:
        """Names of secrets that templates use and that are not set."""
        return tuple(name for name in named_secrets(self.spec.frozen_dict()) if name not in self.spec.secrets)

    @property
    def correlates(self) -> bool:
        """Whether each answer says which question it belongs to, so that none can be taken for another's."""
        from connectors.belonging import correlates

        return self.spec.protocol in ONE_ANSWER or correlates(self.spec, self.meaning.text_kinds)

    def new_greeting(self) -> Greeting | None:
        """To be waited for on a new connection; None: the target does not greet."""
        from connectors.belonging import Greeting

        return None if self.spec.greeting is None else Greeting(self.spec.greeting)

    def _compile_handshake(self) -> Handshake | None:
        if not self.spec.handshake.steps:
            return None
        from connectors.handshake import Handshake  # it compiles requests as this module does

        return Handshake(self.spec, self._fold)

    @property
    def original(self) -> CompiledTarget:
        """What this one was made from by `with_params`, or itself: for what all conversations share."""
        return self._original or self

    def with_params(self, params: Mapping[str, Any]) -> CompiledTarget:
        """The same target with other params; it must have been compiled with `params_vary`. Costs a shallow copy."""
        other = copy.copy(self)
        other._fold = {**self._fold, "params": params}
        other._original = self.original
        return other

    def render(self, context: dict[str, Any]) -> RenderedRequest:
        """The request of one turn. Raises BadRequest (nothing is sent then).

        `context` holds message (str), messages and history ([{role, content}]), session, saved, turn (from 0) and
        vars; `params` and `secret` are the target's own and are added to it.
        """
        context.update(self._fold)
        return self._request.render(context)

    def render_connection(self, context: Context) -> RenderedRequest:
        """Path and headers of what a connection begins with: an upgrade, or the standing stream's request.

        `context` holds session and saved. Raises BadRequest.
        """
        return (self._standing or self._request).render_head({**self._fold, **context})

    def render_auth(self, context: Context) -> Any:
        """Socket.IO's CONNECT payload, None if there is none. Raises BadRequest."""
        value = value_of(self._auth, {**self._fold, **context})
        return None if value is MISSING else value

    def render_hello(self, context: Context) -> RenderedRequest | None:
        """Socket.IO's first event, None if there is none. Raises BadRequest."""
        return self._hello.render({**self._fold, **context}) if self._hello is not None else None

    def codecs(self, context: Context) -> Codecs | None:
        """A conversation's codecs, None if the target has none. Raises BadRequest."""
        return self._codecs.render({**self._fold, **context})

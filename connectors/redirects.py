"""Redirects, for a target that has `follow_redirects`: where one leads, and what may go there. No I/O: both lanes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from connectors.errors import DETAIL_LIMIT, BadAnswer, Refused, TimedOut, TurnError
from connectors.foreign import LOG_IN_ADVICE, is_log_in
from connectors.mapping import PATH_SAFE, CompiledTarget, RenderedRequest
from connectors.proxy import PASSWORD, USER
from connectors.spec import TargetSpec
from connectors.timeline import Timeline

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
SAME_METHOD: Final = frozenset({307, 308})
MOST_HOPS: Final = 5
CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
SHORTEST_SECRET: Final = 4
"""Characters of a saved value from which on a header that holds it is one of credentials."""
NOT_FOLLOWED: Final = "the redirect was not followed: give the target its final address"
A_PAGE: Final = (
    "the redirect leads to a page and not to the chatbot, mostly to a log-in: check the target's address and secrets, "
    "or log in by a handshake"
)
LOCATION_CHARS: Final = 160


class Hop(NamedTuple):
    """The next request, and its origin as an HTTP connector takes it."""

    target: CompiledTarget
    request: RenderedRequest


class Trail:
    """The way of one request from redirect to redirect. Its turn stays one turn: `timeline` goes on."""

    def __init__(
        self, target: CompiledTarget, request: RenderedRequest, saved: Mapping[str, Any], timeline: Timeline
    ) -> None:
        self._spec = target.spec
        self._at = target
        self._request = request
        self._timeline = timeline
        self._hops = 0
        secrets = [value.get_secret_value() for value in target.spec.secrets.values()]
        given = [value for value in saved.values() if isinstance(value, str) and len(value) >= SHORTEST_SECRET]
        self._secrets = [secret for secret in (*secrets, *given) if secret]

    def next(self, refused: Refused, location: str) -> Hop:
        """Raises `refused` with a reason if it is not to be followed, or TimedOut."""
        self._hops += 1
        refused = pointing(refused, location)
        if self._hops > MOST_HOPS:
            raise _stays(refused, f"more than {MOST_HOPS} redirects in a row")
        parts = self._parts(refused, location)
        here, request = self._at, self._request
        there = self._target(parts)
        other = (there.tls, there.host, there.port) != (here.tls, here.host, here.port)
        if here.tls and not there.tls:
            raise _stays(refused, "it leads from https to http")
        method, body, headers = request.method, request.body, request.headers
        if refused.status not in SAME_METHOD:
            method, body = "HEAD" if method == "HEAD" else "GET", b""
            headers = tuple((name, value) for name, value in headers if not name.lower().startswith("content-"))
        if other:
            if any(secret.encode() in body for secret in self._secrets):
                raise _stays(refused, "it leads to another origin, and the request's body holds a secret")
            headers = tuple((name, value) for name, value in headers if not self._stays_here(name, value))
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        self._at = there
        self._request = RenderedRequest(method, quote(path, safe=PATH_SAFE), headers, body)
        self._timeline.first_byte_ns = None  # of the answer, and not of what pointed to it
        return Hop(there, self._request)

    def _parts(self, refused: Refused, location: str) -> SplitResult:
        text = location.encode("latin-1", "replace").decode(errors="replace").strip()
        if not text:
            raise _stays(refused, "it does not say where to")
        here = f"{'https' if self._at.tls else 'http'}://{self._at.host_header}{self._request.path}"
        try:
            parts = urlsplit(urljoin(here, text))
            port_ok = parts.port != 0
        except ValueError:
            port_ok = False
            parts = urlsplit("")
        if not port_ok or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise _stays(refused, "it does not lead to an http(s) URL")
        if parts.username or parts.password:
            raise _stays(refused, "it leads to a URL with a user or password")
        return parts

    def _target(self, parts: SplitResult) -> CompiledTarget:
        spec, sent_ns = self._spec, self._timeline.sent_ns
        left_s = spec.timeouts.total - (time.monotonic_ns() - sent_ns) / 1e9 if sent_ns else spec.timeouts.total
        if left_s <= 0:
            raise TimedOut("total_timeout", f"{spec.timeouts.total:g} s passed on the way of redirects")
        timeouts = spec.timeouts.model_copy(update={"connect": min(spec.timeouts.connect, left_s)})
        own = urlsplit(spec.url)
        tls = spec.tls
        if (own.scheme, own.netloc) != (parts.scheme, parts.netloc):
            tls = tls.model_copy(update={"cert_file": None, "key_file": None})  # ours is for the target alone
        data = {"name": spec.name, "protocol": "http", "url": f"{parts.scheme}://{parts.netloc}"}
        about = {"response": {"text": "@"}, "timeouts": timeouts, "limits": spec.limits, "tls": tls}
        known = {name: spec.secrets[name] for name in (USER, PASSWORD) if name in spec.secrets}
        about |= {"proxy": spec.proxy, "secrets": known}
        return CompiledTarget(TargetSpec.model_validate(data | about))

    def _stays_here(self, name: str, value: str) -> bool:
        return name.lower() in CREDENTIALS or name.lower() == "host" or any(s in value for s in self._secrets)


def pointing(refused: Refused, location: str) -> Refused:
    """`refused`, a redirect's, with the place that it points to."""
    where = " ".join(location.encode("latin-1", "replace").decode(errors="replace").split())[:LOCATION_CHARS]
    said = f"it points to {where}" if where else "it does not say where to"
    if refused.detail.startswith(said):
        return refused
    advice = f"{LOG_IN_ADVICE}; if it is no log-in, set follow_redirects" if is_log_in(where) else refused.advice
    return Refused(refused.status, f"{said}; {refused.detail}" if refused.detail else said, advice)


def behind(hop: Hop, exc: TurnError) -> TurnError:
    """`exc`, which the way behind a redirect ran into, with the place where it did."""
    target = hop.target
    where = f"{'https' if target.tls else 'http'}://{target.host_header}{hop.request.path}"[:LOCATION_CHARS]
    exc.detail = f"behind the redirect to {where}: {exc.detail or exc.code}"[:DETAIL_LIMIT]
    exc.args = (f"{exc.code}: {exc.detail}",)
    if isinstance(exc, BadAnswer) and exc.code == "json_invalid" and not exc.advice:
        exc.advice = A_PAGE
    return exc


def _stays(refused: Refused, why: str) -> Refused:
    where, _, _ = refused.detail.partition("; ")
    return Refused(refused.status, f"the redirect was not followed: {why}; {where}", NOT_FOLLOWED)

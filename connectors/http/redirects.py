"""Redirects of targets with `follow_redirects`: the next address and what may be sent there. No I/O; used by both
lanes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from connectors.content.foreign import LOG_IN_ADVICE, is_log_in
from connectors.errors import DETAIL_LIMIT, BadAnswer, Refused, TimedOut, TurnError
from connectors.http.endpoint import Endpoint
from connectors.mapping.request import RenderedRequest
from connectors.opaque.tokens import MARK, Bound
from connectors.request_parts import check_authority, quoted
from connectors.timeline import Timeline

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
SAME_METHOD: Final = frozenset({307, 308})
MOST_HOPS: Final = 5
CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
SHORTEST_SECRET: Final = 4
"""Characters of a saved value from which on a header that holds it is one of credentials."""
NOT_FOLLOWED: Final = "the redirect was not followed: give the target its final address"
A_PAGE: Final = (
    "the redirect leads to a page instead of the chatbot, usually to a log-in: check the target's address and secrets, "
    "or log in by a handshake"
)
LOCATION_CHARS: Final = 160


class Hop(NamedTuple):
    """The next request, and its endpoint."""

    endpoint: Endpoint
    request: RenderedRequest


def secrets_of(target_secrets: Iterable[str], saved: Mapping[str, Any]) -> list[str]:
    """Values that must not be sent to another origin: the target's secrets, and values saved from its answers."""
    given = [value for value in saved.values() if isinstance(value, str) and len(value) >= SHORTEST_SECRET]
    return [secret for secret in (*target_secrets, *given) if secret]


class RedirectChain:
    """The redirects of one request. They belong to one turn with one `timeline`."""

    def __init__(
        self, endpoint: Endpoint, request: RenderedRequest, secrets: Iterable[str], timeline: Timeline
    ) -> None:
        self._start = endpoint
        self._at = endpoint
        self._request = request
        self._timeline = timeline
        self._hops = 0
        self._secrets = [MARK, *secrets]
        self._in_bodies = {form.encode() for secret in self._secrets for form in (secret, quote(secret, safe=""))}

    def next(self, refused: Refused, location: str) -> Hop:
        """Raises `refused` with a reason if it is not to be followed, or TimedOut."""
        self._hops += 1
        refused = pointing(refused, location)
        if self._hops > MOST_HOPS:
            raise _stays(refused, f"more than {MOST_HOPS} redirects in a row")
        parts = self._parts(refused, location)
        here, request = self._at, self._request
        there = self._endpoint(parts)
        other = (there.tls, there.host, there.port) != (here.tls, here.host, here.port)
        if here.tls and not there.tls:
            raise _stays(refused, "it leads from https to http")
        method, body, headers = request.method, request.body, request.headers
        if refused.status not in SAME_METHOD:
            method, body = "HEAD" if method == "HEAD" else "GET", b""
            headers = tuple((name, value) for name, value in headers if not name.lower().startswith("content-"))
        if other:
            if isinstance(body, Bound) or any(form in body for form in self._in_bodies):
                raise _stays(refused, "it leads to another origin, and the request's body holds a secret")
            headers = tuple((name, value) for name, value in headers if not self._stays_here(name, value))
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        self._at = there
        self._request = RenderedRequest(method, quoted(path), headers, body)
        self._timeline.first_byte_ns = None  # of the answer, and not of what pointed to it
        return Hop(there, self._request)

    def _parts(self, refused: Refused, location: str) -> SplitResult:
        text = location.encode("latin-1", "replace").decode(errors="replace").strip()
        if not text:
            raise _stays(refused, "it does not say where to")
        here = f"{self._at.origin}{self._request.path}"
        try:
            parts = urlsplit(urljoin(here, text))
            port_ok = parts.port != 0
            check_authority(parts.netloc.rpartition("@")[2])
        except ValueError:
            port_ok = False
            parts = urlsplit("")
        if not port_ok or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise _stays(refused, "it does not lead to an http(s) URL")
        if "@" in parts.netloc:
            raise _stays(refused, "it leads to a URL with a user or password")
        return parts

    def _endpoint(self, parts: SplitResult) -> Endpoint:
        start, sent_ns = self._start, self._timeline.sent_ns
        timeouts = start.timeouts
        left_s = timeouts.total - (time.monotonic_ns() - sent_ns) / 1e9 if sent_ns else timeouts.total
        if left_s <= 0:
            raise TimedOut("total_timeout", f"{timeouts.total:g} s passed while redirects were followed")
        tls_spec = start.tls_spec
        there = start.at(parts.scheme, parts.netloc)
        if there.origin != start.origin:
            tls_spec = tls_spec.model_copy(update={"cert_file": None, "key_file": None})  # for the target alone
        timeouts = timeouts.model_copy(update={"connect": min(timeouts.connect, left_s)})
        return replace(there, timeouts=timeouts, tls_spec=tls_spec)

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
    """`exc`, which occurred after a redirect, with the address where it did."""
    where = f"{hop.endpoint.origin}{hop.request.path}"[:LOCATION_CHARS]
    exc.detail = f"behind the redirect to {where}: {exc.detail or exc.code}"[:DETAIL_LIMIT]
    exc.args = (f"{exc.code}: {exc.detail}",)
    if isinstance(exc, BadAnswer) and exc.code == "json_invalid" and not exc.advice:
        exc.advice = A_PAGE
    return exc


def _stays(refused: Refused, why: str) -> Refused:
    where, _, _ = refused.detail.partition("; ")
    return Refused(refused.status, f"the redirect was not followed: {why}; {where}", NOT_FOLLOWED)

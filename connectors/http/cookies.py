"""Cookies of a conversation, with the standard library's cookie jar. No I/O; used by both lanes.

A jar costs nothing until a target sets a cookie.
"""

from __future__ import annotations

from collections.abc import Iterable
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, cast
from urllib.request import Request

from connectors.http.endpoint import Endpoint
from connectors.mapping.request import RenderedRequest
from connectors.request_parts import not_in_values

COOKIE_BYTES: Final = 4096
MOST_COOKIES: Final = 200
JAR_BYTES: Final = 64 * 1024
"""Of one cookie, of one jar, as browsers have it, and of all names and values of a jar: a hostile target must not fill
our memory or requests."""


class _Answer:
    """Adapts the headers of an answer to the library's jar."""

    def __init__(self, set_cookies: Iterable[str]) -> None:
        self._headers = Message()
        for value in set_cookies:
            self._headers["Set-Cookie"] = value

    def info(self) -> Message:
        return self._headers


class Cookies:
    """The cookies of a conversation. `before`: cookies of the whole run, which its own ones replace by name."""

    def __init__(self, before: Cookies | None = None) -> None:
        self.before = before
        self.own = False
        """Whether this conversation itself has received cookies."""
        self._jar: CookieJar | None = None
        self._size = 0
        """At least what the jar holds, in characters."""

    def keep(self, endpoint: Endpoint, path: str, set_cookies: Iterable[str]) -> None:
        """An answer to a request for `path` set these."""
        if self._jar is None:
            self._jar = CookieJar(DefaultCookiePolicy(rfc2965=False))
            self.own = True
        for value in set_cookies:
            if len(value) > COOKIE_BYTES or not_in_values(value):
                continue
            if len(self._jar) >= MOST_COOKIES or self._size + len(value) > JAR_BYTES:
                self._size = sum(len(cookie.name) + len(cookie.value or "") for cookie in self._jar)
                if len(self._jar) >= MOST_COOKIES or self._size + len(value) > JAR_BYTES:
                    return
            self._size += len(value)
            self._jar.extract_cookies(cast("Any", _Answer((value,))), _request(endpoint, path))

    def added_to(self, request: RenderedRequest, endpoint: Endpoint) -> RenderedRequest:
        """`request` with its matching cookies, after those that it already has."""
        own = next((value for name, value in request.headers if name.lower() == "cookie"), "")
        pairs = self._pairs(endpoint, request.path)
        pairs.update(_split(own))
        if not pairs:
            return request
        others = tuple((name, value) for name, value in request.headers if name.lower() != "cookie")
        cookie = "; ".join(f"{name}={value}" for name, value in pairs.items())
        return request._replace(headers=(*others, ("Cookie", cookie)))

    def _pairs(self, endpoint: Endpoint, path: str) -> dict[str, str]:
        pairs = {} if self.before is None else self.before._pairs(endpoint, path)
        if self._jar is not None:
            asked = _request(endpoint, path)
            self._jar.add_cookie_header(asked)
            pairs.update(_split(asked.get_header("Cookie") or ""))
        return pairs


def with_cookies(request: RenderedRequest, endpoint: Endpoint, cookies: Cookies | None) -> RenderedRequest:
    """`request` with those of `cookies` that belong to it. Costs nothing until there are any."""
    if cookies is None or not (cookies.own or (cookies.before is not None and cookies.before.own)):
        return request
    return cookies.added_to(request, endpoint)


def _request(endpoint: Endpoint, path: str) -> Request:
    return Request(f"{endpoint.origin}{path}")  # noqa: S310 - it is only looked at


def _split(header: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in header.split(";") if part.strip())
    return {name: value for name, _, value in pairs}

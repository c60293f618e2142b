"""Cookies of a conversation, as a browser keeps them: by the standard library's jar. No I/O: both lanes.

A jar costs nothing until a target sets a cookie.
"""

from __future__ import annotations

from collections.abc import Iterable
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.request import Request

if TYPE_CHECKING:
    from connectors.mapping import CompiledTarget, RenderedRequest

COOKIE_BYTES: Final = 4096
MOST_COOKIES: Final = 200
"""Of one jar, and bytes of one cookie, as browsers have it: a hostile target must not fill our memory or requests."""


class _Answer:
    """The headers of an answer, as the library's jar takes them."""

    def __init__(self, set_cookies: Iterable[str]) -> None:
        self._headers = Message()
        for value in set_cookies:
            self._headers["Set-Cookie"] = value

    def info(self) -> Message:
        return self._headers


class Cookies:
    """What a conversation has been given. `before`: cookies of the whole run, which its own ones replace by name."""

    def __init__(self, before: Cookies | None = None) -> None:
        self.before = before
        self.own = False
        """Whether any have been given to this conversation itself."""
        self._jar: CookieJar | None = None

    def keep(self, target: CompiledTarget, path: str, set_cookies: Iterable[str]) -> None:
        """An answer to a request for `path` set these."""
        if self._jar is None:
            self._jar = CookieJar(DefaultCookiePolicy(rfc2965=False))
            self.own = True
        fit = [value for value in set_cookies if len(value) <= COOKIE_BYTES]
        if len(self._jar) < MOST_COOKIES:
            self._jar.extract_cookies(cast("Any", _Answer(fit)), _request(target, path))

    def added_to(self, request: RenderedRequest, target: CompiledTarget) -> RenderedRequest:
        """`request` with the cookies that belong to it, behind those that it has itself."""
        own = next((value for name, value in request.headers if name.lower() == "cookie"), "")
        pairs = self._pairs(target, request.path)
        pairs.update(_split(own))
        if not pairs:
            return request
        others = tuple((name, value) for name, value in request.headers if name.lower() != "cookie")
        cookie = "; ".join(f"{name}={value}" for name, value in pairs.items())
        return request._replace(headers=(*others, ("Cookie", cookie)))

    def _pairs(self, target: CompiledTarget, path: str) -> dict[str, str]:
        pairs = {} if self.before is None else self.before._pairs(target, path)
        if self._jar is not None:
            asked = _request(target, path)
            self._jar.add_cookie_header(asked)
            pairs.update(_split(asked.get_header("Cookie") or ""))
        return pairs


def _request(target: CompiledTarget, path: str) -> Request:
    scheme = "https" if target.tls else "http"
    return Request(f"{scheme}://{target.host_header}{path}")  # noqa: S310 - it is only looked at


def _split(header: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in header.split(";") if part.strip())
    return {name: value for name, _, value in pairs}

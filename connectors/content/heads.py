"""The head of an answer, as far as values can be saved from it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import urljoin

LEADING: Final = frozenset({"location", "content-location"})
"""Headers with an address, which may be relative to that of the request."""
SHOWN: Final = 12
LONGEST: Final = 8192
"""Characters of a joined header, to which no more is added."""


class AnswerHead(NamedTuple):
    """`url`: of the request that it answers. Names of headers are in lower case."""

    status: int
    url: str
    headers: Mapping[str, str]
    set_cookies: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """Its value; an address is made absolute, so that it means the same wherever it is used."""
        lower = name.lower()
        value = self.headers.get(lower)
        if value is None or lower not in LEADING:
            return value
        try:
            return urljoin(self.url, value)
        except ValueError:
            return value

    def cookie(self, name: str) -> str | None:
        """The value of the cookie that it sets; of the last one by that name."""
        return cookie_value(self.set_cookies, name)


def add_header(found: dict[str, str], name: bytes, value: bytes) -> None:
    """One more header of a head; those by the same name are joined, but for cookies, and up to LONGEST only: a target
    may send one ten thousand times."""
    key, text = name.decode("latin-1").strip().lower(), value.decode("latin-1").strip()
    if key == "set-cookie":
        return
    before = found.get(key)
    if before is None:
        found[key] = text
    elif len(before) < LONGEST:
        found[key] = f"{before}, {text}"


def cookie_value(set_cookies: Iterable[str], name: str) -> str | None:
    found = None
    for text in set_cookies:
        given, sign, value = text.partition(";")[0].partition("=")
        if sign and given.strip() == name:
            found = value.strip()
    return found


def names_of(head: AnswerHead | None) -> str:
    """What a head has, for an error message: names, and never a value."""
    if head is None:
        return "no headers"
    cookies = [text.partition("=")[0].strip()[:40] for text in head.set_cookies]
    said = f"the headers {', '.join(list(head.headers)[:SHOWN]) or '(none)'}"
    return f"{said} and the cookies {', '.join(cookies[:SHOWN])}" if cookies else said

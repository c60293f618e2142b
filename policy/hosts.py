"""The list of targets that a policy allows: one pattern a line. Pure.

A pattern is `[scheme://]host[:port]`. `host` is a name, `*.example.org` (any name below it), an address, a network such
as `10.20.0.0/16`, or `*`. Without a port the scheme's own counts; `:*` is any port, `:8000-8100` a range.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from connectors.origins import SCHEMES, TLS_SCHEMES, origin_of
from connectors.security.guard import literal

LONGEST: Final = 20_000
_PATTERN: Final = re.compile(
    r"(?:(?P<scheme>[a-z]+)://)?(?P<host>\[[^\[\]]+\]|[^\[\]:]+)(?::(?P<port>\*|\d{1,5}(?:-\d{1,5})?))?", re.IGNORECASE
)
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.IGNORECASE)
EXAMPLE: Final = "write it as host:port, *.example.org, https://api.example.org or 10.20.0.0/16:*"
HIGHEST_PORT: Final = 65_535


@dataclass(frozen=True)
class Pattern:
    """One line of the list."""

    text: str
    tls: bool | None
    name: str
    network: IPv4Network | IPv6Network | None
    ports: tuple[int, int] | None
    """None: the scheme's own."""

    def allows(self, origin: str) -> bool:
        """`origin`: as `connectors.origins` writes it."""
        parts = urlsplit(origin)
        tls, host, port = parts.scheme == "https", parts.hostname or "", parts.port or 0
        if self.tls is not None and self.tls != tls:
            return False
        low, high = self.ports or (443 if tls else 80,) * 2
        return low <= port <= high and self._is_host(host)

    def _is_host(self, host: str) -> bool:
        address = literal(host)
        if self.network is not None:
            return address is not None and ip_address(address) in self.network
        if self.name == "*":
            return True
        if address is not None:  # names never stand for addresses
            return False
        return host.endswith(self.name[1:]) if self.name.startswith("*.") else host == self.name


def parse(text: str) -> tuple[Pattern, ...]:
    """The patterns of a list; empty lines and those that begin with # are left out. Raises ValueError that names the
    line."""
    if len(text) > LONGEST:
        raise ValueError(f"the list has {len(text):,} characters: at most {LONGEST:,}")
    lines = (line.strip() for line in text.splitlines())
    return tuple(_pattern(line) for line in lines if line and not line.startswith("#"))


def allowed(patterns: Iterable[Pattern], origin: str) -> bool:
    """Whether one of them allows it."""
    return any(pattern.allows(origin) for pattern in patterns)


def _pattern(line: str) -> Pattern:
    found = _PATTERN.fullmatch(line)
    if found is None:
        raise ValueError(f"{line!r} is no host: {EXAMPLE}")
    scheme = (found["scheme"] or "").lower()
    if scheme and scheme not in SCHEMES:
        raise ValueError(f"{line!r}: the scheme is none of {', '.join(SCHEMES)}")
    tls = scheme in TLS_SCHEMES if scheme else None
    host = found["host"].strip("[]").lower().rstrip(".")
    network = _network(host)
    if network is None:
        host = _name(line, host)
    return Pattern(line, tls, host, network, _ports(line, found["port"]))


def _network(host: str) -> IPv4Network | IPv6Network | None:
    if host == "*":  # which resolvers take for the loopback address
        return None
    try:
        return ip_network(literal(host) or host, strict=False)
    except ValueError:
        return None


def _name(line: str, host: str) -> str:
    """In ASCII, as origins have it."""
    if host == "*":
        return host
    if set(host) & set("/@?#"):
        raise ValueError(f"{line!r} is more than a host: {EXAMPLE}")
    below, bare = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    try:
        plain = urlsplit(origin_of(f"http://{bare}")).hostname or ""
    except ValueError as exc:
        raise ValueError(f"{line!r} is no host: {EXAMPLE}") from exc
    if not _NAME.fullmatch(plain):
        raise ValueError(f"{line!r} is no host: {EXAMPLE}")
    return below + plain


def _ports(line: str, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    if text == "*":
        return 1, HIGHEST_PORT
    low, _, high = text.partition("-")
    found = int(low), int(high or low)
    if not 1 <= found[0] <= found[1] <= HIGHEST_PORT:
        raise ValueError(f"{line!r}: {text} is no port, nor a range of ports, from 1 to {HIGHEST_PORT}")
    return found

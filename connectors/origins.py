"""Origins, as `secret_origins` lists them: scheme, host and port, the port always written out. Pure.

A protocol that begins as HTTP has HTTP's scheme: `wss://bot.example` is `https://bot.example:443`. A Unix socket is an
origin, too: `unix:/run/bot.sock`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from connectors.request_parts import check_authority, check_url

SCHEMES: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "grpc": 80, "grpcs": 443}
"""What a target's URL may begin with, and the port if it names none."""
PROXY_SCHEMES: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""The same of a proxy's. The origin of one of SOCKS is that of HTTP at its port."""
_PORTS: Final = PROXY_SCHEMES | SCHEMES
TLS_SCHEMES: Final = frozenset({"https", "wss", "grpcs"})


UNIX: Final = "unix:"
_UNIX_BYTES: Final = 107
"""What an address of a Unix socket may have."""


def check_socket_path(path: str) -> str:
    """The path of a Unix socket, in its one spelling. Raises ValueError."""
    if not path.startswith("/") or posixpath.normpath(path) != path or path.startswith("//") or not path.isprintable():
        raise ValueError(f"{path[:200]!r} is no path of a socket: give it from the root on, without . and ..")
    if len(path.encode()) > _UNIX_BYTES:
        raise ValueError(f"{path[:200]!r} is longer than the {_UNIX_BYTES} bytes that a Unix socket's path may have")
    return path


def origin_at(host: str, port: int, *, tls: bool) -> str:
    """`host` without the brackets of an IPv6 address."""
    name = host.lower().rstrip(".")
    return f"{'https' if tls else 'http'}://{f'[{name}]' if ':' in name else name}:{port}"


def origin_of(url: str) -> str:
    """That of a URL. Raises ValueError if the URL has none."""
    if url.startswith(UNIX):
        return f"{UNIX}{check_socket_path(url.removeprefix(UNIX))}"
    parts = urlsplit(check_url(url))
    if parts.scheme not in _PORTS or not parts.hostname or parts.port == 0:
        raise ValueError(f"{url[:200]!r} has no origin: give scheme://host:port, such as https://api.example.org:443")
    host = check_authority(parts.netloc.rpartition("@")[2])
    return origin_at(
        urlsplit(f"//{host}").hostname or "", parts.port or _PORTS[parts.scheme], tls=parts.scheme in TLS_SCHEMES
    )


def check_origin(text: str) -> str:
    """An entry of `secret_origins`, in its one spelling. Raises ValueError."""
    if text.startswith(UNIX):
        return origin_of(text)
    parts = urlsplit(check_url(text))
    if "@" in parts.netloc or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(f"{text[:200]!r} is more than an origin: give scheme://host:port only")
    return origin_of(text)


def origins_of(urls: Iterable[str]) -> tuple[str, ...]:
    """The origins of those URLs whose host and port are no templates, each once. What is no URL has none."""
    found: dict[str, None] = {}
    for url in urls:
        with suppress(ValueError):
            found[origin_of(url)] = None
    return tuple(found)

"""What the parts of a request may contain, so that one request leaves, of the shape that was meant. Pure.

Specs use these rules when they are validated and templates when they are rendered. Both lanes use them again for what
a target itself gives: redirects and cookies. Errors do not show values, because a value may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

from connectors.errors import BadRequest
from connectors.template_text import blanked

FRAMING: Final = frozenset({"content-length", "transfer-encoding", "upgrade"})
"""Headers that say where a request ends and what follows it. They are written by whoever writes the body."""
KEPT_OR_CLOSED: Final = frozenset({"close", "keep-alive"})
"""What `Connection` may say. It could also name headers that a proxy then removes, such as Content-Length."""
NOT_IN_HTTP2: Final = FRAMING | {"connection", "keep-alive", "proxy-connection"}
RESERVED_EVENTS: Final = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Names that Socket.IO uses itself: a server may take them for the end of the session."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_METADATA_NAME: Final = re.compile(r"[0-9a-z_.-]+")
_PATH_SAFE: Final = "/:?[]@!$&'()*+,;=%"
_NOT_IN_PATHS: Final = re.compile(r"[^A-Za-z0-9\-._~/:?\[\]@!$&'()*+,;=%]|%(?![0-9A-Fa-f]{2})")
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_AUTHORITY: Final = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+(?:%[\w.~-]+)?\]|[^\s\x00-\x20\x7f\"#$%&'()*+,/:;<=>?@\[\\\]^`{|}!]+)(?::[0-9]*)?"
)
OF_CONNECTIONS: Final = NOT_IN_HTTP2 - {"content-length"}
"""Headers that HTTP/2 does not have."""
not_in_values: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]").search
"""Finds what a header's value must not contain: control characters, and halves of characters. Called for
each templated header of each turn."""


def check_method(method: str) -> str:
    """The method in upper case: it is case-sensitive, and none that is in use has lower-case letters. Raises
    ValueError."""
    if not _TOKEN.fullmatch(method):
        raise ValueError(f"{method[:40]!r} is not an HTTP method: give a word such as GET or POST")
    if method.upper() == "CONNECT":
        raise ValueError("CONNECT opens a tunnel and asks for no answer: set `proxy` to use a proxy")
    return method.upper()


def check_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """A spec's, whose values are templates. Raises ValueError for names that are no names or would frame the request,
    and for values that no template could mend."""
    for name, value in headers.items():
        lower = name.lower()
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name[:40]!r} is not a header name: it may have letters, digits and hyphens, no spaces")
        if lower in FRAMING:
            raise ValueError(f"{name} is written by Token-Burn itself: remove it")
        if lower == "connection" and value.strip().lower() not in KEPT_OR_CLOSED:
            raise ValueError(f"{name} may only be close or keep-alive: remove it")
        if not_in_values(blanked(value)):
            raise ValueError(f"{name} has a line break or another control character in it")
    return headers


def name_given_twice(names: Iterable[str]) -> str:
    """A header's name that an earlier one repeats, perhaps in other letters; empty if there is none."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            return name
        seen.add(name.lower())
    return ""


def check_metadata_name(name: str) -> str:
    """A header's name as gRPC metadata have it, in lower case. Raises ValueError."""
    key = name.lower()
    if not _METADATA_NAME.fullmatch(key):
        raise ValueError(f"header {name[:40]!r}: names of gRPC metadata have letters, digits and _ . - only")
    if key in NOT_IN_HTTP2:
        raise ValueError(f"header {name!r} does not exist in HTTP/2, which gRPC uses: remove it")
    return key


def check_subprotocol(name: str) -> str:
    """A WebSocket's. Raises ValueError."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is not a subprotocol: it may have letters, digits, - and .")
    return name


def check_authority(netloc: str) -> str:
    """Host and port of a URL in ASCII, as they are sent. Raises ValueError."""
    try:
        if _AUTHORITY.fullmatch(netloc):
            return netloc if netloc.isascii() else netloc.encode("idna").decode()
    except UnicodeError:
        pass
    raise ValueError("its host is not a host name or address, with a port or without")


def check_url(url: str) -> str:
    """Raises ValueError. Parsers of URLs drop line breaks and tabs, and so would hide what stands behind them."""
    if _CONTROL.search(url):
        raise ValueError("it has a line break or another control character in it")
    return url


def check_fixed_path(path: str) -> str:
    """A path that is sent as it is. Raises ValueError."""
    if _NOT_IN_PATHS.search(path) or "?" in path:
        raise ValueError("it is not a path: other characters than those of paths are written as %XX")
    return path


def check_namespace(namespace: str) -> str:
    """Socket.IO's. In a packet a comma ends it. Raises ValueError."""
    if "," in namespace or " " in namespace or not namespace.isprintable():
        raise ValueError(f"{namespace[:40]!r} is not a namespace: it may have no comma, space or control character")
    return namespace


def check_event(name: str) -> str:
    """The name of an event that is emitted. Raises ValueError."""
    if name in RESERVED_EVENTS:
        raise ValueError(f"{name!r} belongs to Socket.IO itself: give the name of the chatbot's event")
    try:
        name.encode()
    except UnicodeEncodeError as exc:
        raise ValueError(f"it is not valid Unicode: {exc.reason}") from exc
    return name


def quoted(path: str) -> str:
    """A path and query as they are sent: without white space, controls, a fragment, or what is not ASCII. Raises
    ValueError."""
    if _NOT_IN_PATHS.search(path) is None:
        return path
    try:
        return quote(_BARE_PERCENT.sub("%25", path), safe=_PATH_SAFE)
    except UnicodeEncodeError as exc:
        raise ValueError(f"it is not valid Unicode: {exc.reason}") from exc


def request_target(path: str) -> str:
    """The same for a turn's whole path, which may lack its first slash before a query only: with another beginning it
    would name another host, to a proxy even the one to connect to. Raises ValueError."""
    if path[:1] != "/":
        if path[:1] not in {"", "?"}:
            raise ValueError("it must begin with a slash")
        path = f"/{path}"
    return quoted(path)


def encoded_head(request_line: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Request line and headers as they are sent, without the blank line. The last wall: raises BadRequest if one line
    would be several."""
    lines = [request_line, *(f"{name}: {value}" for name, value in headers), ""]
    text = "\r\n".join(lines)
    if not text.count("\r") == text.count("\n") == len(lines) - 1:
        raise BadRequest("request_invalid", "a line break in the request line or in a header: nothing was sent")
    return text.encode("latin-1", "replace")

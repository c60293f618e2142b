"""A request's headers: those of the target's mapping, and what both lanes add to them."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.mapping import RenderedRequest

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
"""Methods that say how long their body is even if they have none."""


def with_defaults(given: Iterable[tuple[str, str]], host_header: str, *, stream: bool) -> list[tuple[str, str]]:
    """`given` first, then each default that it does not name itself."""
    headers = list(given)
    named = {name.lower() for name, _ in headers}
    defaults = (
        ("Host", host_header),
        ("User-Agent", "token-burn"),
        ("Accept", "text/event-stream" if stream else "application/json"),
        # A stream is not to be packed: a packer holds tokens back until it has enough of them.
        ("Accept-Encoding", "identity" if stream else "gzip, deflate"),
        ("Content-Type", "application/json"),
    )
    return headers + [(name, value) for name, value in defaults if name.lower() not in named]


def encode_head(request: RenderedRequest, host_header: str, *, stream: bool) -> bytes:
    """Request line and headers of an HTTP/1.1 request, without its content-length and its blank line."""
    lines = [f"{request.method} {request.path} HTTP/1.1\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in with_defaults(request.headers, host_header, stream=stream)]
    return "".join(lines).encode("latin-1", "replace")


def encode_request(head: bytes, request: RenderedRequest) -> bytes:
    """A whole HTTP/1.1 request; `head` comes from `encode_head`."""
    if request.body or request.method in BODY_METHODS:
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(request.body), request.body)
    return head + b"\r\n"

"""A request's headers: those of the target's mapping, and what both lanes add to them."""

from __future__ import annotations

from typing import NamedTuple

from connectors.mapping import RenderedRequest, Via

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
"""Methods that say how long their body is even if they have none."""


class Style(NamedTuple):
    """How an answer is asked for. It is read piece by piece if its content type is in `streamed` ("": it has none)."""

    name: str
    accept: str
    encoding: str
    streamed: frozenset[str]


WHOLE = Style("whole", "application/json", "gzip, deflate", frozenset())
# A stream is not to be packed: a packer holds tokens back until it has enough of them.
EVENTS = Style("events", "text/event-stream", "identity", frozenset({"text/event-stream", ""}))
LINE_TYPES = ("x-ndjson", "ndjson", "jsonl", "x-jsonlines", "json-lines", "stream+json", "json")
# Rasa calls its lines events.
LIKE_LINES = ("", "text/plain", "text/event-stream", *(f"application/{t}" for t in LINE_TYPES))
LINES = Style("lines", "application/x-ndjson", "identity", frozenset(LIKE_LINES))


def with_defaults(request: RenderedRequest, host_header: str, style: Style) -> list[tuple[str, str]]:
    """The request's own headers first, then each default that it does not name itself."""
    headers = list(request.headers)
    named = {name.lower() for name, _ in headers}
    defaults = (
        ("Host", host_header),
        ("User-Agent", "token-burn"),
        ("Accept", style.accept),
        ("Accept-Encoding", style.encoding),
        *((("Content-Type", "application/json"),) if request.body else ()),
    )
    return headers + [(name, value) for name, value in defaults if name.lower() not in named]


def encode_head(request: RenderedRequest, host_header: str, style: Style, via: Via | None = None) -> bytes:
    """Request line and headers of an HTTP/1.1 request, without its content-length and its blank line. `via`: of one
    to a proxy."""
    lines = [f"{request.method} {via.prefix if via else ''}{request.path} HTTP/1.1\r\n"]
    pairs = [*with_defaults(request, host_header, style), *(via.headers if via else ())]
    lines += [f"{name}: {value}\r\n" for name, value in pairs]
    return "".join(lines).encode("latin-1", "replace")


def encode_request(head: bytes, request: RenderedRequest) -> bytes:
    """A whole HTTP/1.1 request; `head` comes from `encode_head`."""
    if request.body or request.method in BODY_METHODS:
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(request.body), request.body)
    return head + b"\r\n"

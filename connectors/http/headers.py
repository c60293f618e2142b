"""Request headers: those of the mapping and those that both lanes add."""

from __future__ import annotations

from typing import Final

from connectors.content.styles import Style
from connectors.http.endpoint import Endpoint
from connectors.mapping.request import RenderedRequest, Via
from connectors.request_parts import encoded_head

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
"""Methods that say how long their body is even if they have none."""


ANOTHER_ANSWER: Final = (b"HTTP/1.1 2", b"HTTP/1.0 2")
"""How bytes begin on a kept connection, while nothing is asked, that can be taken for the next question's answer. A
status such as 408 is how some targets say goodbye."""


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
    to a proxy. Raises BadRequest."""
    pairs = [*with_defaults(request, host_header, style), *(via.headers if via else ())]
    return encoded_head(f"{request.method} {via.prefix if via else ''}{request.path} HTTP/1.1", pairs)


def encode_request(head: bytes, request: RenderedRequest) -> bytes:
    """A whole HTTP/1.1 request; `head` comes from `encode_head`."""
    if request.body or request.method in BODY_METHODS:
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(request.body), request.body)
    return head + b"\r\n"


class RequestEncoder:
    """Encodes the requests of one connection at a time. A head is rebuilt only when something in it has changed."""

    __slots__ = ("_endpoint", "_head", "_head_of", "_marker", "_via", "style")

    def __init__(self, endpoint: Endpoint, style: Style) -> None:
        """`endpoint` gives requests their secrets, too."""
        self._endpoint = endpoint
        self._marker = endpoint.marker
        self._via = endpoint.via
        self.style = style
        self._head_of: tuple[object, object, bool] = (None, None, True)
        """Headers and path of the request that it is for, and whether that had no body."""
        self._head = b""

    @property
    def origin(self) -> str:
        return self._endpoint.origin

    def restyle(self, style: Style) -> None:
        """The requests that follow ask for answers in another style."""
        self.style = style
        self._head_of = (None, None, False)

    def encode(self, request: RenderedRequest) -> bytes:
        _, path, headers, body, _ = request
        known_headers, known_path, without_body = self._head_of
        if headers is not known_headers or path is not known_path or (not body) is not without_body:
            self._head = encode_head(request, self._endpoint.host_header, self.style, self._via)
            if self._marker is not None and self._marker in self._head:
                self._head = self._endpoint.release(self._head, headers)
            self._head_of = (headers, path, not body)
        if self._marker is not None and self._marker in body:
            body = self._endpoint.release(body, headers)
            request = request._replace(body=body)
        if body:
            return b"%bContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body)
        return encode_request(self._head, request)

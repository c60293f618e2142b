"""Requests as HTTP/2 has them: pseudo-headers, then headers in lower case."""

from __future__ import annotations

from connectors.content.styles import Style
from connectors.errors import BadRequest
from connectors.http.endpoint import Endpoint
from connectors.http.headers import BODY_METHODS, with_defaults
from connectors.http.signing import ready
from connectors.mapping.request import RenderedRequest
from connectors.request_parts import OF_CONNECTIONS, not_in_values

Headers = list[tuple[bytes, bytes]]


class Http2RequestEncoder:
    """Of one user. Headers are put together anew only when something in them has changed."""

    __slots__ = ("_endpoint", "_head", "_head_of", "_marker", "_style")

    def __init__(self, endpoint: Endpoint, style: Style) -> None:
        """`endpoint` gives requests their secrets, too."""
        self._endpoint = endpoint
        self._marker = endpoint.marker
        self._style = style
        self._head_of: tuple[object, object, bool] = (None, None, False)
        self._head: Headers = []

    def restyle(self, style: Style) -> None:
        """The requests that follow ask for answers in another style."""
        self._style = style
        self._head_of = (None, None, False)

    def encode(self, request: RenderedRequest) -> tuple[Headers, bytes]:
        """Headers and body. Raises BadRequest."""
        _, path, headers, body, _ = request
        known_headers, known_path, with_body = self._head_of
        if headers is not known_headers or path is not known_path or bool(body) is not with_body:
            self._head = self._encoded(request)
            self._head_of = (headers, path, bool(body))
        if self._marker is not None and self._marker in body:
            body = self._endpoint.release(body, headers)
        if body or request.method in BODY_METHODS:
            return [*self._head, (b"content-length", b"%d" % len(body))], body
        return self._head, body

    def _encoded(self, request: RenderedRequest) -> Headers:
        endpoint = self._endpoint
        if self._marker is not None:
            bare = endpoint.released(request._replace(body=b""))
            request = bare._replace(body=request.body)
        return self._pairs(request)

    def _pairs(self, request: RenderedRequest) -> Headers:
        """Of a request whose head has its secrets in clear."""
        endpoint = self._endpoint
        authority, found = "", []
        for name, value in with_defaults(request, endpoint.host_header, self._style):
            lower = name.lower()
            if lower == "host":
                authority = value
            elif lower not in OF_CONNECTIONS:
                found.append((lower, value))
        scheme = "https" if endpoint.tls else "http"
        pseudo = [
            (":method", request.method), (":scheme", scheme), (":authority", authority), (":path", request.path)
        ]  # fmt: skip
        for name, value in (*pseudo, *found):
            if not_in_values(value):
                raise BadRequest("request_invalid", f"a line break in the request's {name}: nothing was sent")
        return [
            (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in (*pseudo, *found)
        ]


class SigningHttp2Encoder(Http2RequestEncoder):
    """Signs each request anew."""

    __slots__ = ()

    def encode(self, request: RenderedRequest) -> tuple[Headers, bytes]:
        signed = ready(request, self._endpoint, self._style)
        return [*self._pairs(signed), (b"content-length", b"%d" % len(signed.body))], signed.body


def http2_encoder(endpoint: Endpoint, style: Style) -> Http2RequestEncoder:
    """For the requests of one user."""
    return (Http2RequestEncoder if endpoint.signer is None else SigningHttp2Encoder)(endpoint, style)

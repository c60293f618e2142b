"""What daphne does with a request before any part of the site sees it, where it has no setting for that."""

from __future__ import annotations

from typing import Any, Final

from daphne.http_protocol import WebRequest
from daphne.ws_protocol import WebSocketProtocol

from tokenburn_site.web.headers import COMMON, FILE_POLICY, NO_STORE

DROPPED: Final = (b"daphne-root-path", b"sec-websocket-protocol")
"""Headers that daphne obeys and a client must not give. The first one sets the beginning of all links of the site; no
socket of ours has a subprotocol. A value that is not ASCII is an error 500 with a traceback in the log."""
HEADERS: Final = [
    (name.encode(), value.encode())
    for name, value in {
        **COMMON,
        "Cache-Control": NO_STORE,
        "Content-Security-Policy": FILE_POLICY,
        "Content-Type": "text/plain; charset=utf-8",
    }.items()
]
MAX_BODY: Final = 60_000_000
"""Bytes of a request's body: a little more than the largest file that the site takes (`scenarios.services`). The server
stores a body on the disk before anybody asks who sends it."""
MAX_FRAME: Final = 1024
"""Bytes of a frame that a client sends. Pages send none; control frames have 125 at most."""
REFUSED: Final = "tokenburn_refused"
_process, _got_length, _chunk = WebRequest.process, WebRequest.gotLength, WebRequest.handleContentChunk
_on_connect = WebSocketProtocol.onConnect


def _without_dropped(request: WebRequest) -> Any:
    if getattr(request, REFUSED, False):
        return None  # the end of its body came along
    for name in DROPPED:
        request.requestHeaders.removeHeader(name)
    return _process(request)


def _bounded_length(request: WebRequest, length: int | None) -> None:
    _got_length(request, length)
    if (length or 0) > _most(request):
        _too_large(request)


def _bounded_chunk(request: WebRequest, data: bytes) -> None:
    """Of bodies without a length (chunked) too."""
    if getattr(request, REFUSED, False) or request.content.tell() + len(data) > _most(request):
        _too_large(request)
    else:
        _chunk(request, data)


def _most(request: WebRequest) -> int:
    """A handshake of a WebSocket has no body: the server would take one into its memory."""
    return 0 if request.requestHeaders.hasHeader(b"Upgrade") else MAX_BODY


def _too_large(request: WebRequest) -> None:
    """As Twisted refuses what it cannot read: without waiting for the rest."""
    if not getattr(request, REFUSED, False):
        setattr(request, REFUSED, True)
        request.channel.transport.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n\r\n")
        request.channel.loseConnection()


def _bounded_socket(protocol: WebSocketProtocol, request: Any) -> Any:
    protocol.maxFramePayloadSize = MAX_FRAME  # the limit for messages would hold for those of the site too
    return _on_connect(protocol, request)


def _plain_error(request: WebRequest, status: int, status_text: bytes, body: str) -> None:
    """Its own errors: plain text with the headers of all other responses, instead of HTML with a style in it."""
    request.handle_reply({"type": "http.response.start", "status": status, "headers": HEADERS})
    text = f"{status} {status_text.decode('ascii')}: {body.rstrip('.')}.\n"
    request.handle_reply({"type": "http.response.body", "body": text.encode()})


def harden() -> None:
    WebRequest.process = _without_dropped
    WebRequest.basic_error = _plain_error
    WebRequest.gotLength = _bounded_length
    WebRequest.handleContentChunk = _bounded_chunk
    WebSocketProtocol.onConnect = _bounded_socket

"""What daphne does with a request before any part of the site sees it, where it has no setting for that."""

from __future__ import annotations

from typing import Any, Final

from daphne.http_protocol import WebRequest

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
_process = WebRequest.process


def _without_dropped(request: WebRequest) -> Any:
    for name in DROPPED:
        request.requestHeaders.removeHeader(name)
    return _process(request)


def _plain_error(request: WebRequest, status: int, status_text: bytes, body: str) -> None:
    """Its own errors: plain text with the headers of all other responses, instead of HTML with a style in it."""
    request.handle_reply({"type": "http.response.start", "status": status, "headers": HEADERS})
    text = f"{status} {status_text.decode('ascii')}: {body.rstrip('.')}.\n"
    request.handle_reply({"type": "http.response.body", "body": text.encode()})


def harden() -> None:
    WebRequest.process = _without_dropped
    WebRequest.basic_error = _plain_error

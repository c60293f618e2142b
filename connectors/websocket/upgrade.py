"""The WebSocket upgrade, request and response, for both lanes. No I/O."""

from __future__ import annotations

from typing import Final, NoReturn

from connectors.content.foreign import not_http, unanswered_advice
from connectors.content.wording import ONLY_SOCKETIO
from connectors.errors import BadRequest, BrokenTransport, TooLarge
from connectors.http.redirects import NOT_FOLLOWED, REDIRECTS, pointing
from connectors.mapping.request import RenderedRequest
from connectors.timeline import Timeline

REFUSAL_BYTES: Final = 4096
"""Number of bytes of a refusal's body to read, enough to say why."""

_STATUS_LINE: Final = b"HTTP/1."
_OURS: Final = frozenset({"upgrade", "connection", "content-length", "transfer-encoding"})


def upgrade_headers(request: RenderedRequest, host_header: str) -> list[tuple[str, str]]:
    """`host_header` and the mapping's own headers, without those that make the upgrade itself.

    Raises BadRequest for a header of the mapping that the protocol sets.
    """
    headers = list(request.headers)
    named = {name.lower() for name, _ in headers}
    for name in sorted(named):
        if name in _OURS or name.startswith("sec-websocket-"):
            raise BadRequest("request_invalid", f"header {name!r} belongs to the upgrade: take it out of the mapping")
    defaults = (("Host", host_header), ("User-Agent", "token-burn"))
    return [(name, value) for name, value in defaults if name.lower() not in named] + headers


class UpgradeAnswer:
    """Takes the answer to an upgrade, in any split. `status` is 0 until the head is whole."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._wanted = 0
        self.status = 0
        self.head = b""

    @property
    def rest(self) -> bytes:
        """The bytes after the head: the first frames, or as much of a refusal's body as is kept."""
        return bytes(self._data)

    def feed(self, data: bytes) -> bool:
        """Whether all is there that is needed. Raises TooLarge (header_too_large) or BrokenTransport
        (upgrade_malformed)."""
        begin = max(len(self._data) - 3, 0)
        self._data += data
        if not self.status:
            end = self._data.find(b"\r\n\r\n", begin)
            if (len(self._data) + 1 if end < 0 else end + 4) > self._limit:
                raise TooLarge("header_too_large", f"no end of the headers within {self._limit} bytes")
            if not self._data.startswith(_STATUS_LINE[: len(self._data)]):
                what, advice = not_http(bytes(self._data)) or (f"not HTTP/1.1: {bytes(self._data[:40])!r}", "")
                raise BrokenTransport("upgrade_malformed", what, advice)
            if end < 0:
                return False
            self.head = bytes(self._data[: end + 4])
            del self._data[: end + 4]
            self.status = _status(self.head)
            self._wanted = 0 if self.status == 101 else min(_length(self.head), REFUSAL_BYTES)
        if self.status != 101:
            del self._data[REFUSAL_BYTES:]
        return len(self._data) >= self._wanted

    @property
    def begun(self) -> bool:
        return bool(self._data or self.status)

    @property
    def set_cookies(self) -> list[str]:
        return _headers(self.head, b"set-cookie")

    def ended(self, *, tls: bool) -> BrokenTransport:
        """The error if the target closed before the head was complete."""
        if self._data:
            return BrokenTransport("connection_closed", "the target closed in the middle of the headers")
        what = "the target closed without a byte of answer to the upgrade"
        return BrokenTransport("connection_closed", what, unanswered_advice(tls=tls))

    def refuse(self, timeline: Timeline, *, socketio: bool) -> NoReturn:
        """Raises Refused, because the answer is not a 101. `timeline` reads its body."""
        refused = timeline.refusal(self.status, self.rest)
        if self.status in REDIRECTS:
            refused.advice = NOT_FOLLOWED
            raise pointing(refused, _header(self.head, b"location"))
        refused.advice = _refusal_advice(self.status, refused.detail, socketio=socketio) or refused.advice
        raise refused


def _refusal_advice(status: int, detail: str, *, socketio: bool) -> str:
    if socketio and status == 400 and "transport" in detail.lower():
        return 'the target accepts only long polling: set socketio.transport to "polling"'
    if socketio and status == 400:
        return f"{ONLY_SOCKETIO}: check the target's version (socketio.eio) and transports (socketio.transport)"
    if socketio and status == 404:
        return "no Socket.IO at this address: check the URL and socketio.path"
    if 200 <= status < 300:
        return "the address answers, but not as WebSocket: check the URL's path and the preset"
    if status in {400, 426}:
        return "the target did not accept the upgrade to WebSocket: check path, headers and subprotocols"
    return "nothing accepts WebSocket at this address: check the URL's path" if status == 404 else ""


def _header(head: bytes, wanted: bytes) -> str:
    """A header's first value; empty if there is none. `wanted` in lower case."""
    return next(iter(_headers(head, wanted)), "")


def _headers(head: bytes, wanted: bytes) -> list[str]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return [value.strip().decode("latin-1") for name, _, value in pairs if name.strip().lower() == wanted]


def _status(head: bytes) -> int:
    parts = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(parts) < 2 or len(parts[1]) != 3 or not parts[1].isdigit() or parts[1] < b"100":
        raise BrokenTransport("upgrade_malformed", f"the status line is {head[:40]!r}")
    return int(parts[1])


def _length(head: bytes) -> int:
    """The declared length of the body; 0 if there is none or it is invalid."""
    value = _header(head, b"content-length")
    return min(int(value[:18]), REFUSAL_BYTES) if value.isascii() and value.isdigit() else 0

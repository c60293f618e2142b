"""The upgrade to WebSocket as both lanes see it: what is asked, and what the target answers. No I/O."""

from __future__ import annotations

from typing import Final

from connectors.errors import BadRequest, BrokenTransport, TooLarge
from connectors.mapping import RenderedRequest

REFUSAL_BYTES: Final = 4096
"""Of a refusal's body: enough to say why."""

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
        """What came behind the head: the first frames, or as much of a refusal's body as is kept."""
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
                raise BrokenTransport("upgrade_malformed", f"not HTTP/1.1: {bytes(self._data[:40])!r}")
            if end < 0:
                return False
            self.head = bytes(self._data[: end + 4])
            del self._data[: end + 4]
            self.status = _status(self.head)
            self._wanted = 0 if self.status == 101 else min(_length(self.head), REFUSAL_BYTES)
        if self.status != 101:
            del self._data[REFUSAL_BYTES:]
        return len(self._data) >= self._wanted

    def ended(self) -> BrokenTransport:
        """What it means that the target closed before the head was whole."""
        where = "in the middle of the headers" if self._data else "without a byte of answer to the upgrade"
        return BrokenTransport("connection_closed", f"the target closed {where}")


def _status(head: bytes) -> int:
    parts = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(parts) < 2 or len(parts[1]) != 3 or not parts[1].isdigit() or parts[1] < b"100":
        raise BrokenTransport("upgrade_malformed", f"the status line is {head[:40]!r}")
    return int(parts[1])


def _length(head: bytes) -> int:
    """The announced length of the body; 0 if there is none that can be understood."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit():
            return min(int(value.strip()[:18]), REFUSAL_BYTES)
    return 0

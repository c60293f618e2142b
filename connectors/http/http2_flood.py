"""What both lanes refuse of HTTP/2 before a library sees it: other protocols, and much that brings no answer further.
No I/O."""

from __future__ import annotations

from typing import Final

from connectors.errors import BrokenTransport, TooLarge
from connectors.http.http2_codes import unavailable
from connectors.http.http2_format import CONTINUATION, END_HEADERS, FRAME_BYTES, HEADERS, HTTP1, PUSH_PROMISE

BESIDE_EACH: Final = 4
"""Bytes beside an answer that each byte of an answer excuses."""
_SECOND_NS: Final = 1_000_000_000


class FloodLimit:
    """Of one connection. `beside`: bytes that belong to no answer (pings, settings, windows, priorities, frames of
    unknown kinds, early hints, padding, empty pieces), less what answers and time have excused since. Answers excuse
    BESIDE_EACH times their own size, a second excuses the limit. `in_block`: a header block has begun, in which only
    its own frames may come."""

    __slots__ = ("_block", "_limit", "_ns", "beside", "in_block")

    def __init__(self, header_limit: int) -> None:
        self._limit = header_limit
        self._ns = self._block = self.beside = 0
        self.in_block = False

    def count(self, ns: int, beside: int, answered: int) -> None:
        """What a read at `ns` brought. Raises BrokenTransport."""
        excused = answered * BESIDE_EACH + max(ns - self._ns, 0) * self._limit // _SECOND_NS
        self._ns = ns
        self.beside = max(self.beside + beside - excused, 0)
        if self.beside > self._limit:
            raise malformed(f"more than {self._limit} bytes that belong to no answer came faster than answers")

    def follow_block(self, kind: int, flags: int, size: int) -> None:
        """What a frame of `size` bytes means for header blocks. Raises TooLarge."""
        if kind not in {HEADERS, PUSH_PROMISE, CONTINUATION}:
            return
        self._block += size
        if self._block > self._limit:
            raise TooLarge("header_too_large", f"no end of the headers within {self._limit} bytes")
        self.in_block = not flags & END_HEADERS
        if not self.in_block:
            self._block = 0


def begins(data: bytes) -> bool:
    """Whether enough came to see that HTTP/2 is spoken. Raises ConnectFailed if it is another version."""
    if data.startswith(HTTP1):
        raise unavailable("the port answers in HTTP/1.1")
    return not HTTP1.startswith(data)


def padded(data: bytes, body: int, after: int) -> tuple[int, int]:
    """Where the content of the padded frame at `body` begins and ends. Raises BrokenTransport."""
    padding = data[body] if body < after else 0
    if body + 1 + padding > after:
        raise malformed("a frame that is shorter than its padding")
    return body + 1, after - padding


def overlong(size: int) -> BrokenTransport:
    return malformed(f"a frame of {size} bytes, and {FRAME_BYTES} are allowed")


def malformed(what: str) -> BrokenTransport:
    return BrokenTransport("http_malformed", f"the target breaks the rules of HTTP/2: {what}")

"""How much a target may send over HTTP/2 that brings no answer further. No I/O; used by both lanes."""

from __future__ import annotations

from typing import Final

from connectors.errors import BrokenTransport, TooLarge
from connectors.http.http2_format import FRAME_BYTES

BESIDE_EACH: Final = 4
"""Bytes beside an answer that each byte of an answer excuses."""
BLOCK_FRAMES: Final = 64
"""Frames of a header block, as many as h2 takes."""
_SECOND_NS: Final = 1_000_000_000


class FloodLimit:
    """Of one connection. `beside`: bytes that belong to no answer (pings, settings, windows, priorities, frames of
    unknown kinds, early hints, padding, empty pieces), less what answers and time have excused since. Answers excuse
    BESIDE_EACH times their own size, a second excuses the limit."""

    __slots__ = ("_block", "_frames", "_limit", "_ns", "beside")

    def __init__(self, header_limit: int) -> None:
        self._limit = header_limit
        self._ns = self._block = self._frames = self.beside = 0

    def count(self, ns: int, beside: int, answered: int) -> None:
        """What a read at `ns` brought. Raises BrokenTransport."""
        excused = answered * BESIDE_EACH + max(ns - self._ns, 0) * self._limit // _SECOND_NS
        self._ns = ns
        self.beside = max(self.beside + beside - excused, 0)
        if self.beside > self._limit:
            raise malformed(f"more than {self._limit} bytes that belong to no answer came faster than answers")

    def block(self, size: int, *, ends: bool) -> None:
        """A frame of `size` bytes of a header block, which `ends` with it. Raises TooLarge or BrokenTransport."""
        self._block += size
        self._frames += 1
        if self._block > self._limit:
            raise TooLarge("header_too_large", f"no end of the headers within {self._limit} bytes")
        if self._frames > BLOCK_FRAMES:
            raise malformed(f"more than {BLOCK_FRAMES} frames of one header block")
        if ends:
            self._block = self._frames = 0


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

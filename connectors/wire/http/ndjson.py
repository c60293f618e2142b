"""Newline-delimited JSON without I/O: bytes in any split, whole lines out."""

from __future__ import annotations

from connectors.errors import TooLarge


class LineParser:
    """`feed` returns the lines that became whole, without those that are blank.

    Raises TooLarge when one line has more than `limit` bytes.
    """

    __slots__ = ("_limit", "_tail")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tail = bytearray()  # grows in place: a hostile target sends a line without end a byte at a time

    def feed(self, data: bytes) -> list[bytes]:
        end = data.rfind(b"\n")
        if end < 0:
            self._tail += data
            self._check(self._tail)
            return []
        text = data[:end]
        if self._tail:
            text = bytes(self._tail) + text
        self._tail[:] = data[end + 1 :]
        lines = [line for line in text.split(b"\n") if line and not line.isspace()]
        for line in lines:
            self._check(line)
        self._check(self._tail)
        return lines

    def rest(self) -> bytes:
        """The last line, whose line end may be missing."""
        return bytes(self._tail.strip())

    def _check(self, line: bytes | bytearray) -> None:
        if len(line) > self._limit:
            raise TooLarge("event_too_large", f"one line of the stream is larger than {self._limit} bytes")

"""Records in WebSocket messages, each ended by a separator. No I/O; used by both lanes."""

from __future__ import annotations

from connectors.errors import TooLarge


class Records:
    """Takes messages, which may hold several records, and parts of them at their ends."""

    def __init__(self, separator: str, limit: int) -> None:
        self._separator = separator.encode()
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The whole records. Raises TooLarge. One in many small pieces must not cost the square of their number."""
        records: list[bytes] = []
        seen = max(len(self._rest) - len(self._separator) + 1, 0)
        self._rest += data
        if self._rest.find(self._separator, seen) >= 0:
            *records, rest = bytes(self._rest).split(self._separator)
            self._rest = bytearray(rest)
        if max(map(len, (*records, self._rest))) > self._limit:
            raise TooLarge("message_too_large", f"one record has more than {self._limit} bytes")
        return [record for record in records if record]

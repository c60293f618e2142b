"""Records in WebSocket messages, each ended by a separator. No I/O; used by both lanes."""

from __future__ import annotations

from connectors.errors import TooLarge


class Records:
    """Takes messages, which may hold several records, and parts of them at their ends."""

    def __init__(self, separator: str, limit: int) -> None:
        self._separator = separator.encode()
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The whole records. Raises TooLarge."""
        *records, self._rest = (self._rest + data).split(self._separator)
        if len(self._rest) > self._limit:
            raise TooLarge("message_too_large", f"one record has more than {self._limit} bytes")
        return [record for record in records if record]

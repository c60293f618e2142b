"""Server-sent events without I/O: bytes in any split, whole events out (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

from typing import NamedTuple

from connectors.errors import TooLarge

_BOM = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
    data: bytes
    name: str | None = None


class SseParser:
    """Feeds return the events that became whole. An event without data is none. Raises TooLarge beyond `limit` bytes
    of one event. `last_id` is the last event id seen, as text."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tail = b""
        self._at_start = True
        self._skip_lf = False
        self._data: list[bytes] = []
        self._size = 0
        self._name: str | None = None
        self._fresh = True
        self.last_id: str | None = None

    def feed(self, data: bytes) -> list[SseEvent]:
        if (
            self._fresh
            and data.startswith(b"data: ")
            and data.endswith(b"\n\n")
            and data.find(b"\n") == len(data) - 2
            and data.find(b"\r") < 0
            and len(data) <= self._limit
        ):
            self._at_start = False
            return [SseEvent(data[6:-2])]  # nearly every read of a token stream is one event of one line
        return self._general(data)

    def _general(self, data: bytes) -> list[SseEvent]:
        if self._skip_lf and data:
            self._skip_lf = False
            if data.startswith(b"\n"):
                data = data[1:]
        text = self._tail + data
        if self._at_start:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._tail = text
                self._fresh = False
                return []
            text = text.removeprefix(_BOM)
            self._at_start = False
        lines = text.splitlines(keepends=True)
        self._tail = b""
        if lines and not lines[-1].endswith((b"\n", b"\r")):
            self._tail = lines.pop()
        elif lines and lines[-1].endswith(b"\r"):
            self._skip_lf = True
        events: list[SseEvent] = []
        for line in lines:
            self._line(line.rstrip(b"\r\n"), events)
        if self._size + len(self._tail) > self._limit:
            raise TooLarge("event_too_large", f"one event of the stream is larger than {self._limit} bytes")
        self._fresh = not (self._tail or self._skip_lf or self._data or self._name)
        return events

    def _line(self, line: bytes, events: list[SseEvent]) -> None:
        if not line:
            if self._data:
                events.append(SseEvent(b"\n".join(self._data), self._name))
            self._data = []
            self._size = 0
            self._name = None
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._size += len(value) + 1
            if self._size > self._limit:
                raise TooLarge("event_too_large", f"one event of the stream is larger than {self._limit} bytes")
        elif field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"id" and b"\0" not in value:
            self.last_id = value.decode(errors="replace")

"""Server-sent events without I/O: bytes in any split, the data of whole events out (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from connectors.content.said_errors import error_event, is_error_name
from connectors.errors import TooLarge
from connectors.http.sse_fields import COMMENT_BYTES, name_of
from connectors.timeline.named import UNNAMED

_BOM = b"\xef\xbb\xbf"


class SseParser:
    """`feed` returns the data of each completed event; an event without data is ignored.

    Raises TooLarge when one event has more than `limit` bytes. Event names and ids are skipped (see NamedSseParser);
    but with `errors`, an event whose name says that it is an error gives a document that says so, also without data.
    """

    __slots__ = (
        "_at_start",
        "_comment",
        "_data",
        "_error",
        "_errors",
        "_fresh",
        "_limit",
        "_size",
        "_skip_lf",
        "_tail",
    )

    def __init__(self, limit: int, *, errors: bool = False) -> None:
        self._limit = limit
        self._errors = errors
        self._error = ""
        self._comment = b""
        self._tail = bytearray()  # grows in place: a hostile target sends a line without end a byte at a time
        self._at_start = True
        self._skip_lf = False
        self._data: list[bytes] = []
        self._size = 0
        self._fresh = True

    def feed(self, data: bytes) -> list[bytes]:
        size = len(data)
        if (
            self._fresh
            and data[:6] == b"data: "
            and data.find(b"\n") == size - 2
            and data[-1:] == b"\n"
            and b"\r" not in data
            and size <= self._limit
        ):
            self._at_start = False
            return [data[6:-2]]  # nearly every read of a token stream is one event of one line
        return self._general(data)

    def rest(self) -> bytes:
        """The data that no blank line ended. It is no event, except an end mark (see `connectors.wire.http.pieces`)."""
        if self._tail:
            tail, self._tail = self._tail, bytearray()
            self._line(bytes(tail), [])
        return b"\n".join(self._data)

    def _general(self, data: bytes) -> list[bytes]:
        if self._skip_lf and data:
            self._skip_lf = False
            if data.startswith(b"\n"):
                data = data[1:]
        if self._tail and not self._at_start and b"\n" not in data and b"\r" not in data:
            self._tail += data
            self._check(len(self._tail))
            return []
        text = bytes(self._tail) + data
        if self._at_start:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._tail[:] = text
                self._fresh = False
                return []
            text = text.removeprefix(_BOM)
            self._at_start = False
        lines = text.splitlines(keepends=True)
        self._tail.clear()
        if lines and not lines[-1].endswith((b"\n", b"\r")):
            self._tail += lines.pop()
        elif lines and lines[-1].endswith(b"\r"):
            self._skip_lf = True
        events: list[bytes] = []
        for line in lines:
            self._line(line.rstrip(b"\r\n"), events)
        self._check(len(self._tail))
        self._fresh = not (self._tail or self._skip_lf or self._data or self._error)
        return events

    def _line(self, line: bytes, events: list[bytes]) -> None:
        if not line:
            if self._error:
                events.append(error_event(self._error, b"\n".join(self._data) or self._comment))
                self._error = ""
            elif self._data:
                events.append(b"\n".join(self._data))
            self._data = []
            self._size = 0
            self._comment = b""
            return
        field, _, value = line.partition(b":")
        if field == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._size += len(value) + 1
            self._check(0)
        elif field == b"event" and self._errors:
            name = name_of(value)
            self._error = name if is_error_name(name) else ""
        elif not field:
            self._comment = value[:COMMENT_BYTES]

    def _check(self, unfinished: int) -> None:
        if self._size + unfinished > self._limit:
            raise TooLarge("event_too_large", f"one event of the stream is larger than {self._limit} bytes")


class Named(Protocol):
    """Receiver of event names."""

    event_name: str


class NamedSseParser(SseParser):
    """Tells `listener` each event's name before it gives the event's data."""

    __slots__ = ("_listener", "_name", "_names")

    def __init__(self, limit: int, listener: Named, *, errors: bool = True) -> None:
        super().__init__(limit, errors=errors)
        self._listener = listener
        self._name = UNNAMED
        self._names: list[str] = []

    def feed(self, data: bytes) -> Iterator[bytes]:  # type: ignore[override] # one by one: the name is set in between
        events = self._general(data)
        names, self._names = self._names, []
        for self._listener.event_name, event in zip(names, events, strict=True):
            yield event

    def _line(self, line: bytes, events: list[bytes]) -> None:
        if not line:
            if not self._data and self._errors and is_error_name(self._name):
                self._data.append(self._comment)  # an error needs no data
            if self._data:
                self._names.append(self._name)
            self._name = UNNAMED
        elif line.startswith(b"event"):
            field, _, value = line.partition(b":")
            if field == b"event":
                self._name = name_of(value)
                return
        super()._line(line, events)

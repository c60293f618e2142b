"""Streams whose events have a name outside of their data, and streams that end within a piece."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connectors.content.formats import Reader
from connectors.content.said_errors import error_event, event_text, is_error_name
from connectors.errors import BadAnswer, TurnError
from connectors.mapping.answers.part import Part
from connectors.timeline.base import Timeline
from connectors.timeline.judge import UNLISTED_ADVICE
from connectors.timeline.state import NOTHING_CAME

MOST_NAMES, NAME_CHARS = 4, 40
"""Maximum number of unlisted event names that are kept for an error message."""
UNNAMED = "message"
"""The name of an event without one (WHATWG HTML, section 9.2.6)."""


class NamedTimeline(Timeline):
    """For a mapping whose kind is `@event`. The lane sets `event_name` before each `event`.

    An event whose name is not listed is read by the rules of every event, if there are some and it is a document;
    otherwise it is not looked into: its data need not be JSON. Nor need that of one which ends the answer.
    """

    __slots__ = ("_unlisted", "event_name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.event_name = UNNAMED
        self._unlisted: tuple[str, ...] = ()

    def event(self, ns: int, data: bytes) -> None:
        part = self.response.named(self.event_name)
        readable = _is_document(data) or self._reader() is not None
        if part is None and self.response.rest is not None and readable:
            self._check_name(data)
            super().event(ns, data)
        elif part is None:
            if self.first_chunk_ns is None:
                self.first_chunk_ns = ns
            if len(self._unlisted) < MOST_NAMES and self.event_name not in self._unlisted:
                self._unlisted += (self.event_name[:NAME_CHARS],)
            self._check_name(data)
        elif part.only_ends or (part.always_ends and not readable):
            self.done_ns = ns
        elif part.error is not None and not _is_document(data):
            self._check_name(data)
            super().event(ns, data)
        else:
            super().event(ns, data)

    def _reader(self) -> Reader | None:
        return self.response.reader_for(self.event_name)

    def _read_apart(self, data: bytes) -> None:
        apart = NamedTimeline(self.response, self.planned_ns, decode=self._decode)
        apart.event_name = self.event_name
        apart.event(self.planned_ns, data)

    def _check_name(self, data: bytes) -> None:
        if self.response.known_errors and is_error_name(self.event_name):
            raise BadAnswer("target_error", event_text(self.event_name, data))

    def _seen(self) -> str:
        names = f"; {self.response.unlisted_names(self._unlisted)}" if self._unlisted else ""
        return f"{names}{super()._seen()}"

    def _unmatched(self, message: Any) -> BadAnswer:
        if message is NOTHING_CAME and self._unlisted:
            return BadAnswer("answer_unmatched", self.response.unlisted_names(self._unlisted), UNLISTED_ADVICE)
        return super()._unmatched(message)

    def _part_of(self, message: Any) -> Part | None:
        return None if self.response.ignores(message) else self.response.named(self.event_name) or self.response.rest


def _is_document(data: bytes) -> bool:
    return data[:1] in {b"{", b"["}


def named_data(timeline: Timeline, name: str, data: bytes) -> bytes:
    """The data of an event of that name for `timeline`, which is told the name if it reads names; else an error by name
    becomes a document of its own."""
    if isinstance(timeline, NamedTimeline):
        timeline.event_name = name
    elif timeline.response.known_errors and is_error_name(name):
        return error_event(name, data)
    return data


@contextmanager
def cut_off() -> Iterator[None]:
    """What cannot be read at the very end of a stream was cut off there."""
    try:
        yield
    except TurnError as exc:
        if exc.code not in {"json_invalid", "xml_invalid", "utf8_invalid"}:
            raise
        raise BadAnswer("stream_incomplete", "the stream ended in the middle of a line", exc.advice) from exc

"""The pieces of a streamed body: which parser finds them, and what is left at the body's end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from connectors.headers import EVENTS, Style
from connectors.named import NamedTimeline, cut_off
from connectors.timeline import Timeline
from connectors.wire.ndjson import LineParser
from connectors.wire.sse import NamedSseParser, SseParser


class PieceParser(Protocol):
    def feed(self, data: bytes) -> Iterable[bytes]:
        """The pieces that became whole. Raises TooLarge."""

    def rest(self) -> bytes:
        """A last piece that the end of the body ends."""


def make_parser(style: Style, limit: int, timeline: Timeline) -> PieceParser:
    """For the body of one answer, none of whose pieces has more than `limit` bytes."""
    if style.name != EVENTS.name:
        return LineParser(limit)
    if isinstance(timeline, NamedTimeline):
        return NamedSseParser(limit, timeline, errors=timeline.meaning.known_errors)
    return SseParser(limit, errors=timeline.meaning.known_errors)


def last_piece(parser: PieceParser, timeline: Timeline, ns: int) -> None:
    """The body is over. Raises TurnError."""
    if not (rest := parser.rest()):
        return
    if timeline.done_ns is not None:
        timeline.late(rest)
        return
    with cut_off():
        timeline.event(ns, rest)

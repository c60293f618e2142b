"""Splits a streamed body into pieces: chooses the parser, and handles the rest at the end of the body."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from connectors.content.styles import EVENTS, FRAMES, TEXTS, Style
from connectors.http.aws_frames import AwsFrames
from connectors.http.text_pieces import TextPieces
from connectors.timeline import Timeline
from connectors.timeline.named import NamedTimeline, cut_off
from connectors.wire.http.ndjson import LineParser
from connectors.wire.http.sse import NamedSseParser, SseParser


class PieceParser(Protocol):
    def feed(self, data: bytes) -> Iterable[bytes]:
        """The pieces that became whole. Raises TooLarge."""

    def rest(self) -> bytes:
        """The last piece, which the end of the body completes."""


def make_parser(style: Style, limit: int, timeline: Timeline) -> PieceParser:
    """For the body of one answer, none of whose pieces has more than `limit` bytes."""
    if style.name == TEXTS.name:
        return TextPieces(timeline)
    if style.name != EVENTS.name:
        return AwsFrames(limit, timeline) if style.name == FRAMES.name else LineParser(limit)
    if isinstance(timeline, NamedTimeline):
        return NamedSseParser(limit, timeline, errors=timeline.response.known_errors)
    return SseParser(limit, errors=timeline.response.known_errors)


def last_piece(parser: PieceParser, timeline: Timeline, ns: int) -> None:
    """The body is over. Raises TurnError."""
    rest = parser.rest()
    if not rest or (isinstance(parser, SseParser) and rest != timeline.response.part.done_data):
        return  # an event wants a blank line; of the last one, vendors' clients do not ask for it
    if timeline.done_ns is not None:
        timeline.late(rest)
        return
    with cut_off():
        timeline.event(ns, rest)

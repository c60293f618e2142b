"""How to request an answer over HTTP, and which content types its body may have."""

from __future__ import annotations

from typing import NamedTuple


class Style(NamedTuple):
    """How an answer is requested. It is read in pieces if its content type is in `streamed` ("": none given)."""

    name: str
    accept: str
    encoding: str
    streamed: frozenset[str]
    pieces: str = "json"
    """What its pieces are."""

    @property
    def in_frames(self) -> bool:
        """Whether its pieces have a beginning and an end of their own: white space alone is none of them."""
        return self.name != "texts"

    def of(self, pieces: str) -> Style:
        """The same for answers that are not JSON."""
        accept = self.accept if self.streamed else _ACCEPT.get(pieces, self.accept)
        return self._replace(accept=accept, pieces=pieces)


_ACCEPT = {"text": "text/plain, */*;q=0.8", "xml": "application/xml, text/xml;q=0.9, */*;q=0.8"}
WHOLE = Style("whole", "application/json", "gzip, deflate", frozenset())
# Streams must not be compressed: compression holds tokens back until it has enough of them.
EVENTS = Style("events", "text/event-stream", "identity", frozenset({"text/event-stream", ""}))
LINE_TYPES = ("x-ndjson", "ndjson", "jsonl", "x-jsonlines", "json-lines", "stream+json", "json")
# Rasa calls its lines events.
LIKE_LINES = ("", "text/plain", "text/event-stream", *(f"application/{t}" for t in LINE_TYPES))
TEXT_TYPES = ("", "text/plain", "text/markdown", "text/html", "application/octet-stream")
TEXTS = Style("texts", "text/plain, */*;q=0.8", "identity", frozenset(TEXT_TYPES))
FRAMES_TYPE = "application/vnd.amazon.eventstream"
FRAMES = Style("frames", FRAMES_TYPE, "identity", frozenset({FRAMES_TYPE, ""}))
LINES = Style("lines", "application/x-ndjson", "identity", frozenset(LIKE_LINES))

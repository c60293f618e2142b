"""A streamed text without I/O, for both lanes: bytes in any split, whole characters out."""

from __future__ import annotations

import codecs

from connectors.errors import BadAnswer, BrokenTransport
from connectors.timeline import Timeline


class TextPieces:
    """`feed` returns what came, in UTF-8, without a character that is not whole yet."""

    __slots__ = ("_charset", "_decoder")

    def __init__(self, timeline: Timeline) -> None:
        """`timeline` gets the pieces."""
        charset, timeline.charset = timeline.charset, None  # what it gets is UTF-8
        self._charset = charset or "UTF-8"
        errors = "replace" if charset == "cp1252" else "strict"
        self._decoder = codecs.getincrementaldecoder(charset or "utf-8-sig")(errors)

    def feed(self, data: bytes) -> list[bytes]:
        """Raises BrokenTransport (utf8_invalid)."""
        text = self._decoded(data, final=False)
        return [text.encode()] if text else []

    def rest(self) -> bytes:
        """Nothing, at the end of the text. Raises BadAnswer (stream_incomplete)."""
        try:
            self._decoded(b"", final=True)
        except BrokenTransport as exc:
            raise BadAnswer("stream_incomplete", "the text ended in the middle of a character") from exc
        return b""

    def _decoded(self, data: bytes, *, final: bool) -> str:
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError as exc:
            raise BrokenTransport("utf8_invalid", f"a byte of the text is not {self._charset}") from exc

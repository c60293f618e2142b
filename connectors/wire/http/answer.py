"""Passes what llhttp (`httptools`) finds in an HTTP/1.1 answer to the turn's timeline.

The parser's calls must not raise: a failure is kept until the read is done.
"""

from __future__ import annotations

from typing import Protocol

import httptools

from connectors.content.styles import Style
from connectors.errors import TooLarge
from connectors.http.lenient import mended_head, new_parser, unreadable
from connectors.spec import Limits
from connectors.wire.http.body_reader import NO_BODY_STATUS, BodyReader
from connectors.wire.http.header_names import known_name, remembered


class Kept(Protocol):
    """The connection that the answer comes on: an answer may say that nothing more can be asked on it."""

    usable: bool
    draining: bool


class AnswerReader(BodyReader):
    """Reads one answer after the other, of one connection. `beside_body` counts bytes since the last piece of the body,
    which are headers or what else is none."""

    __slots__ = ("_connection", "_parser", "feed")

    def __init__(self, limits: Limits, connection: Kept, style: Style) -> None:
        super().__init__(limits, style)
        self._connection = connection
        self._new_parser()

    def _new_parser(self) -> None:
        self._parser = new_parser(self)
        self.feed = self._parser.feed_data

    def endless_headers(self) -> TooLarge:
        """Headers, or trailers, or what else is neither body nor its end."""
        return TooLarge("header_too_large", f"no end of the headers within {self.header_limit} bytes")

    def unparsable(self, exc: Exception, data: bytes, *, first: bool) -> None:
        """`feed` raised `exc` at `data`, of which it is known whether it is the first of the answer."""
        if not self.status and data.startswith(b"HTTP/"):
            mended = mended_head(data)
            if mended != data:
                self._new_parser()
                self._forget_headers()
                try:
                    self.feed(mended)
                except (httptools.HttpParserUpgrade, httptools.HttpParserError) as again:
                    self.unparsable(again, b"", first=False)
                return
        if self.whole:
            self._connection.usable = self._connection.draining = False
            return
        begun = not first or bool(self.status)
        self.failure = self.failure or unreadable(exc, data, begun=begun)

    # --- the parser's calls -----------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.beside_body > self.header_limit:
            self.header_bytes += len(name) + len(value) + 4
        known = remembered(name)
        if known is None:
            known = known_name(name)
        if not known:
            return
        if known == b"content-length":
            if not self.until_close:
                self._connection.usable = False
            self.until_close = False
        elif known == b"transfer-encoding":
            if not self.until_close:
                self._connection.usable = False  # a length beside chunks: who knows where this answer ends
            self.until_close = b"chunked" not in value.lower()
        else:
            self.header(known, value)

    def on_message_begin(self) -> None:
        if self.whole:  # a second answer to the one request: not this turn's, and not the next one's
            self._connection.usable = self._connection.draining = False

    def on_headers_complete(self) -> None:
        if self.header_bytes > self.header_limit:
            self.failure = self.failure or self.endless_headers()
        status = self._parser.get_status_code()
        if self.whole:
            return
        if status < 200 and status >= 100:
            self._forget_headers()
            return
        self.headers_over(status)
        if status in NO_BODY_STATUS or self._is_head:
            self.until_close = False
        if not self._parser.should_keep_alive():
            self._connection.usable = False
        if self._is_head:
            self.on_message_complete()
            self._new_parser()

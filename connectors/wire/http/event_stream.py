"""The load lane's standing stream: a GET answered with server-sent events during a conversation."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import httptools

from connectors.content.styles import EVENTS
from connectors.errors import BrokenTransport, Refused, TooLarge, TurnError
from connectors.http.endpoint import Endpoint
from connectors.http.event_streams import looks_like_events, refused_standing, stream_over, unfit
from connectors.http.headers import encode_head, encode_request
from connectors.http.lenient import mended_head, new_parser, unreadable
from connectors.mapping.request import RenderedRequest
from connectors.network.failures import stream_failure
from connectors.spec import Limits
from connectors.timeline.named import UNNAMED
from connectors.wire.http.sse import NamedSseParser
from connectors.wire.transport.stream import StampedStream

REFUSAL_BYTES: Final = 4096


class Listener(Protocol):
    def bytes_read(self, ns: int, size: int) -> None: ...

    def heard(self, ns: int, name: str, data: bytes) -> None: ...

    def lost(self, error: TurnError) -> None:
        """The stream is over. Comes once, after `opened` was done."""


class EventStream:
    """`opened` is done when the target has accepted; it raises the target's answer otherwise."""

    def __init__(self, stream: StampedStream, listener: Listener, limits: Limits) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.event_name = UNNAMED
        self.open = True
        self._stream = stream
        self._listener = listener
        self._header_limit = limits.header_bytes
        self._parser = new_parser(self)
        self._events = NamedSseParser(limits.event_bytes, self)
        self._beside_body = 0
        self._header_bytes = 0
        self._status = 0
        self._first: bytes | None = b""
        """What came of a body of which it is not yet known that it is events; None: it is."""
        self._headers: dict[str, str] = {}
        self._refusal = bytearray()
        self._complete = False
        self._failure: TurnError | None = None
        self._ns = 0

    def ask(self, request: RenderedRequest, endpoint: Endpoint) -> None:
        self._stream.start(self)
        head = encode_head(request, endpoint.host_header, EVENTS, endpoint.via)
        self._stream.write(endpoint.release(encode_request(head, request), request.headers))

    def close(self) -> None:
        self.open = False
        self._stream.close()
        if not self.opened.done():
            self.opened.cancel()

    def _end(self, error: TurnError) -> None:
        if not self.open:
            return
        self.open = False
        self._stream.close()
        if self.opened.done():
            self._listener.lost(error)
        else:
            self.opened.set_exception(error)

    # --- the stream's calls -----------------------------------------------------------------------------------

    def data_received(self, ns: int, data: bytes) -> None:
        self._ns = ns
        self._beside_body += len(data)
        self._listener.bytes_read(ns, len(data))
        if not self.open:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as exc:
            self._unparsable(exc, data)
        if self._failure is None and self._beside_body > self._header_limit:
            self._failure = TooLarge("header_too_large", f"no end of the headers within {self._header_limit} bytes")
        if self._failure is not None:
            self._end(self._failure)
        elif self._complete:
            self._end(stream_over())

    def _unparsable(self, exc: Exception, data: bytes) -> None:
        if not self._status and data.startswith(b"HTTP/") and (mended := mended_head(data)) != data:
            self._parser = new_parser(self)
            self._headers.clear()
            try:
                self._parser.feed_data(mended)
            except (httptools.HttpParserUpgrade, httptools.HttpParserError) as again:
                exc = again
            else:
                return
        begun = bool(self._status or self._headers or data.startswith(b"HTTP/1."))
        self._failure = self._failure or unreadable(exc, data, begun=begun)

    def stream_closed(self, ns: int, error: OSError | None) -> None:
        if error is not None:
            self._end(stream_failure(error))
        elif not self._status:
            self._end(BrokenTransport("connection_closed", "the target closed before it answered"))
        elif not 200 <= self._status < 300:
            self._end(self._refused())
        elif "content-length" in self._headers or "transfer-encoding" in self._headers:
            self._end(BrokenTransport("connection_closed", "the target closed the standing stream's connection"))
        else:
            self._end(stream_over())

    # --- the parser's calls: they must not raise, so a failure is kept until the read is done -------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > self._header_limit:
            limit = self._header_limit
            self._failure = self._failure or TooLarge("header_too_large", f"no end of the headers in {limit} bytes")
        else:
            self._headers[name.decode("latin-1").lower().rstrip()] = value.decode("latin-1").strip().lower()

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._headers.clear()
            return
        self._status = status
        if 200 <= status < 300:
            self._failure = self._failure or unfit(self._headers)
            if self._failure is None and not self.opened.done():
                self.opened.set_result(None)

    def on_body(self, data: bytes) -> None:
        self._beside_body = 0
        if self._failure is not None or not self.open:
            return
        if not 200 <= self._status < 300:
            self._refusal += data[: REFUSAL_BYTES - len(self._refusal)]
            if len(self._refusal) == REFUSAL_BYTES:
                self._failure = self._refused()
            return
        try:
            if self._first is not None:
                data = self._look_at(data)
            for event in self._events.feed(data):
                self._listener.heard(self._ns, self.event_name, event)
        except TurnError as exc:
            self._failure = exc

    def _look_at(self, data: bytes) -> bytes:
        """Returns the data to read now. Raises BadAnswer if the body is not an event stream."""
        first = (self._first or b"") + data
        if not looks_like_events(self._headers, first):
            self._first = first
            return b""
        self._first = None
        return first

    def on_message_complete(self) -> None:
        if self._status:
            self._complete = True
            if not 200 <= self._status < 300:
                self._failure = self._failure or self._refused()

    def _refused(self) -> Refused:
        return refused_standing(self._status, bytes(self._refusal))

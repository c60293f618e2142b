"""HTTP/1.1 of the load lane, with streams of events or lines in its bodies: llhttp (`httptools`) over a stamped
stream, one connection per user.

Nothing is awaited per read: bytes go from the socket's callback through the parser into the Timeline, and the one
future of the turn is resolved at its end.
"""

from __future__ import annotations

import asyncio
import time
from functools import lru_cache
from typing import Final

import httptools

from connectors.decoding import declared_charset
from connectors.errors import Aborted, BrokenTransport, ReusedClosed, TimedOut, TooLarge, TurnError
from connectors.foreign import unanswered_advice
from connectors.headers import WHOLE, Style, encode_head, encode_request
from connectors.mapping import RenderedRequest, Via
from connectors.shaking import BODY_WAIT_S, REUSED_CLOSED_S
from connectors.sniff import is_stream, note_type
from connectors.spec import Limits, Timeouts
from connectors.timeline import Timeline
from connectors.wire.body import Decoder, make_decoder
from connectors.wire.clock import not_before
from connectors.wire.lenient import mended_head, new_parser, unreadable
from connectors.wire.ndjson import LineParser
from connectors.wire.pieces import PieceParser, last_piece, make_parser
from connectors.wire.stream import StampedStream, stream_failure

READ_HEADERS: Final = frozenset(
    (b"content-length", b"transfer-encoding", b"content-encoding", b"content-type", b"set-cookie", b"location")
)
DRAIN_S: Final = 1.0
"""How long a body may go on after the stream's end mark while nothing is sent; then its connection is closed."""
REUSED_CLOSED_NS: Final = int(REUSED_CLOSED_S * 1e9)

_NO_BODY_STATUS = frozenset({204, 304})


MOST_NAMES: Final = 500
"""Of headers, that are remembered."""
_names: dict[bytes, bytes] = {}
"""Of a header's name as it came: the name in READ_HEADERS, or nothing for one that is not read."""


def _known_name(name: bytes) -> bytes:
    lower = name.rstrip().lower()
    known = lower if lower in READ_HEADERS else b""
    if len(_names) < MOST_NAMES:
        _names[name] = known
    return known


@lru_cache(maxsize=64)
def _content_type(value: bytes) -> tuple[str, str | None]:
    """Of the header's value: the media type, and the charset if it is not UTF-8."""
    text = value.decode("latin-1")
    return text.partition(";")[0].strip().lower(), declared_charset(text) if ";" in text else None


class ClosedUnsent(BrokenTransport):
    """The connection ended before anything of the request was written: it may go out on another one."""

    def __init__(self) -> None:
        super().__init__("connection_closed", "the target closed before the request was sent")


class HttpConnection:
    """One connection; at most one turn in flight. `usable` says whether another turn may be sent on it.

    A turn is over at the end mark of its answer. Until the body ends, too, the connection is `draining`, not usable.
    """

    # Slots, because Python looks an attribute up by hash in an object that has over thirty, and this is per token.
    __slots__ = (
        "_answer_limit",
        "_beside_body",
        "_body",
        "_body_limit",
        "_body_size",
        "_content_type",
        "_declared",
        "_decoder",
        "_encoding",
        "_failure",
        "_feed",
        "_head",
        "_head_of",
        "_header_bytes",
        "_header_limit",
        "_host_header",
        "_is_head",
        "_last_at",
        "_limits",
        "_loop",
        "_ns",
        "_over_ns",
        "_parser",
        "_patience_ns",
        "_pieces",
        "_reused",
        "_sent_at",
        "_status",
        "_stream",
        "_stream_limit",
        "_style",
        "_timeline",
        "_timeouts",
        "_timer",
        "_turn",
        "_undecided",
        "_until_close",
        "_via",
        "_waiter",
        "_whole",
        "draining",
        "location",
        "set_cookies",
        "usable",
    )

    def __init__(
        self, stream: StampedStream, limits: Limits, timeouts: Timeouts, host_header: str, via: Via | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._stream = stream
        self._limits = limits
        self._body_limit = self._stream_limit = limits.body_bytes
        self._answer_limit = min(limits.body_bytes, limits.answer_bytes)
        self._header_limit = limits.header_bytes
        self._timeouts = timeouts
        # The timer is never further away than the shortest time limit, or a deadline that begins meanwhile would
        # find it set to a later one.
        self._patience_ns = int(min(timeouts.first_byte, timeouts.idle, timeouts.total) * 1e9)
        self._host_header = host_header
        self._via = via
        self._head_of: tuple[object, object, bool] = (None, None, False)
        self._head = b""
        self._new_parser()
        self._pieces: PieceParser | None = None
        self._body: bytes | bytearray = b""
        """Of an answer, which may be large: nothing of it is held while the user waits or is done."""
        self._timer: asyncio.TimerHandle | None = None
        self._timeline: Timeline | None = None
        self._turn: asyncio.Future[None] | None = None
        self._ns = self._over_ns = 0
        self._reused = False
        self.set_cookies: list[str] = []
        self._waiter: asyncio.Future[None] | None = None
        self.draining = False
        self.usable = True
        stream.start(self)

    # --- a turn ---------------------------------------------------------------------------------------------

    async def exchange(
        self, request: RenderedRequest, timeline: Timeline, style: Style = WHOLE
    ) -> tuple[int, int] | None:
        """Send `request`; return when its answer is whole. Raises TurnError. A cancelled turn closes the connection.

        Returns from when to when (monotonic ns) it waited for what an answer may still tell behind its end.
        """
        turn = self._turn = self._loop.create_future()
        self._timeline = timeline
        self._style = style
        self._begin_answer()
        # Not at once, but with all others of this turn of the loop: sent one by one between other work, each request
        # would wake a target on the same host anew, which costs the sender more than sending.
        self._loop.call_soon(self._send, turn, self._encode(request, style))
        try:
            await turn
            if not self._whole and timeline.lacks_usage:
                return await self._hear_usage(timeline)
        except asyncio.CancelledError:
            self.close()
            if timeline.done_ns is None:
                raise Aborted from None
        finally:
            self._turn = self._timeline = self._pieces = None
            self._body = b""
            self._reused = True
            if not (self.usable or self.draining):
                self.close()
        return None

    async def _hear_usage(self, timeline: Timeline) -> tuple[int, int]:
        """Some servers say behind the end mark, in a packet of its own, what an answer used. Raises TurnError if one
        says there that the answer failed."""
        ends_here = not (self.usable or self.draining)
        self.draining = True
        await self.drained()
        if self._failure is not None and timeline.done_ns is None:
            raise self._failure
        if ends_here:
            self.usable = self.draining = False
        return self._over_ns, time.monotonic_ns()

    async def drained(self) -> None:
        """Wait for the end of the body whose answer is over, until BODY_WAIT_S after the answer's end at most; `usable`
        says whether it came."""
        left_s = BODY_WAIT_S - (time.monotonic_ns() - self._over_ns) / 1e9
        if self.draining and left_s > 0:
            self._waiter = self._loop.create_future()
            await asyncio.wait([self._waiter], timeout=left_s)

    def _send(self, turn: asyncio.Future[None], data: bytes) -> None:
        if turn.done() or self._timeline is None:
            return  # cancelled, or the connection closed first: nothing was sent
        self._sent_at = self._last_at = not_before(self._timeline.planned_ns)
        self._timeline.sent(self._sent_at, len(data))
        self._stream.write(data)
        if self._timer is None:
            self._arm(self._patience_ns)

    def close(self) -> None:
        self.usable = False
        self._stop_draining()
        self._stream.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _new_parser(self) -> None:
        self._parser = new_parser(self)
        self._feed = self._parser.feed_data

    def _encode(self, request: RenderedRequest, style: Style) -> bytes:
        headers, path, with_body = self._head_of
        if request.headers is not headers or request.path is not path or bool(request.body) is not with_body:
            self._head = encode_head(request, self._host_header, style, self._via)
            self._head_of = (request.headers, request.path, bool(request.body))
            self._is_head = request.method == "HEAD"
        return encode_request(self._head, request)

    def _begin_answer(self) -> None:
        if self.set_cookies:
            self.set_cookies = []
        self.location = ""
        self._until_close = True
        self._encoding = ""
        self._content_type = ""
        self._beside_body = 0
        self._header_bytes = 0
        self._status = 0
        self._decoder: Decoder | None = None
        self._body_size = 0
        self._failure: TurnError | None = None
        self._whole = self._undecided = self._declared = False

    def _forget_headers(self) -> None:
        self.location = ""
        self._until_close = True
        self._encoding = ""
        self._content_type = ""

    def _endless_headers(self) -> TooLarge:
        """Headers, or trailers, or what else is neither body nor its end."""
        return TooLarge("header_too_large", f"no end of the headers within {self._header_limit} bytes")

    def _drain_later(self) -> None:
        """The answer is over and its body is not."""
        self._over_ns = time.monotonic_ns()
        if not self.usable:
            return  # the connection is closed at the end of the answer anyway
        self.usable = False
        self.draining = True
        if self._timer is not None:
            self._timer.cancel()
        self._arm(int(DRAIN_S * 1e9))

    def _drain(self, data: bytes) -> None:
        """More of a body that nobody waits for."""
        self._beside_body += len(data)
        try:
            self._feed(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError):
            self.draining = False
        if self._failure is not None or self._beside_body > self._header_limit:
            self.draining = False
        if not self.draining:
            self.close()
        elif self._whole:
            self._drained()

    def _drained(self) -> None:
        """The body is over, and nothing came after it."""
        self._stop_draining()
        self.usable = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_draining(self) -> None:
        self.draining = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _finish(self, failure: TurnError | None) -> None:
        turn = self._turn
        if failure is not None:
            self.usable = False
            self._stop_draining()
            if self._timeline is not None and self._timeline.done_ns is not None:
                failure = None  # the answer was complete: what its transport does then costs the connection alone
        if turn is not None and not turn.done():
            if failure is None:
                turn.set_result(None)
            else:
                turn.set_exception(failure)

    # --- deadlines: one timer a connection, armed anew only when it fires ------------------------------------

    def _deadline(self) -> tuple[int, str]:
        """The next deadline of the turn in flight (monotonic ns) and its code."""
        limits = self._timeouts
        timeline = self._timeline
        began_at = self._sent_at if timeline is None or timeline.sent_ns is None else timeline.sent_ns
        total = (began_at + int(limits.total * 1e9), "total_timeout")
        if timeline is not None and timeline.first_byte_ns is None:
            return min(total, (self._sent_at + int(limits.first_byte * 1e9), "first_byte_timeout"))
        return min(total, (self._last_at + int(limits.idle * 1e9), "idle_timeout"))

    def _arm(self, delay_ns: int) -> None:
        self._timer = self._loop.call_later(max(delay_ns, 0) / 1e9, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        if self.draining:
            self.close()
            return
        if self._turn is None or self._turn.done():
            return  # the next turn arms it again
        due, code = self._deadline()
        left = due - time.monotonic_ns()
        if left > 0:
            self._arm(min(left, self._patience_ns))
        else:
            self._finish(TimedOut(code, self._waited(code)))

    def _waited(self, code: str) -> str:
        limits = self._timeouts
        seconds = {"total_timeout": limits.total, "first_byte_timeout": limits.first_byte}.get(code, limits.idle)
        size = self._timeline.bytes_in if self._timeline else 0
        return f"{seconds:g} s passed; {size} bytes had come"

    # --- the stream's calls ---------------------------------------------------------------------------------

    def data_received(self, ns: int, data: bytes) -> None:
        timeline = self._timeline
        if timeline is None or timeline.sent_ns is None:
            if self.draining and timeline is None:
                self._drain(data)
                return
            self.close()  # bytes that belong to no answer: whatever they are, they are not the next one's
            self._finish(None if self._whole else ClosedUnsent())
            return
        self._ns = self._last_at = ns
        size = len(data)
        timeline.bytes_in += size
        if timeline.first_byte_ns is None:
            timeline.first_byte_ns = ns
        self._beside_body = beside = self._beside_body + size
        if beside > self._header_limit:  # only then can the headers be too long, and each is counted
            self._header_bytes = beside - size
        try:
            self._feed(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as exc:
            self._unparsable(exc, data)
        if self._failure is not None:
            self._finish(self._failure)
        elif self._whole:
            self._end()
        elif timeline.done_ns is not None or self._beside_body > self._header_limit:
            self._end_early()

    def _end(self) -> None:
        """The body is over."""
        self._timeline = None  # what comes from now on belongs to no answer
        if self.draining:
            self._drained()
        turn = self._turn
        if turn is not None and not turn.done():
            turn.set_result(None)

    def _end_early(self) -> None:
        """The body is not over. Its answer is, or there is no end of what is not the answer."""
        if self._beside_body > self._header_limit:
            self._finish(self._endless_headers())
        elif not self.draining:
            self._drain_later()
            self._finish(None)

    def _unparsable(self, exc: Exception, data: bytes) -> None:
        if not self._status and data.startswith(b"HTTP/"):
            mended = mended_head(data)
            if mended != data:
                self._new_parser()
                self._forget_headers()
                try:
                    self._feed(mended)
                except (httptools.HttpParserUpgrade, httptools.HttpParserError) as again:
                    self._unparsable(again, b"")
                return
        if self._whole:
            self.usable = self.draining = False
            return
        begun = self._timeline is None or self._timeline.bytes_in != len(data) or bool(self._status)
        self._failure = self._failure or unreadable(exc, data, begun=begun)

    def stream_closed(self, ns: int, error: OSError | None) -> None:
        self.usable = False
        self._stop_draining()
        timeline = self._timeline
        if timeline is None or self._turn is None or self._turn.done():
            return
        if timeline.sent_ns is None:
            self._finish(ClosedUnsent())
        elif self._reused and timeline.first_byte_ns is None and ns - self._sent_at < REUSED_CLOSED_NS:
            self._finish(ReusedClosed("closed" if error is None else "reset"))
        elif error is not None:
            self._finish(stream_failure(error, timeline.bytes_in, self._unanswered_advice(timeline)))
        elif timeline.first_byte_ns is None:
            what = "the target closed without a byte of answer"
            self._finish(BrokenTransport("connection_closed", what, self._unanswered_advice(timeline)))
        elif not self._status:
            self._finish(BrokenTransport("connection_closed", "the target closed in the middle of the headers"))
        elif self._until_close:
            self._ns = self._last_at
            self.on_message_complete()
            self._finish(self._failure)
        else:
            self._finish(BrokenTransport("body_truncated", "the target closed in the middle of the body"))

    def _unanswered_advice(self, timeline: Timeline) -> str:
        first = not self._reused and timeline.first_byte_ns is None
        return unanswered_advice(tls=self._stream.is_tls) if first else ""

    # --- the parser's calls; they must not raise, so a failure is kept until the read is done -----------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._beside_body > self._header_limit:
            self._header_bytes += len(name) + len(value) + 4
        known = _names.get(name)
        if known is None:
            known = _known_name(name)
        if not known:
            return
        if known == b"content-length":
            if not self._until_close:
                self.usable = False
            self._until_close = False
        elif known == b"content-type":
            self._content_type, charset = _content_type(value)
            if charset is not None and self._timeline is not None:
                self._timeline.charset = charset
        elif known == b"transfer-encoding":
            if not self._until_close:
                self.usable = False  # a length beside chunks: who knows where this answer ends
            self._until_close = b"chunked" not in value.lower()
        elif known == b"content-encoding":
            self._encoding = value.decode("latin-1").strip().lower()
        elif known == b"set-cookie":
            self.set_cookies.append(value.decode("latin-1"))
        else:
            self.location += f"{', ' if self.location else ''}{value.decode('latin-1')}"

    def on_message_begin(self) -> None:
        if self._whole:
            self.usable = self.draining = (
                False  # a second answer to the one request: not this turn's, and not the next one's
            )

    def on_headers_complete(self) -> None:
        if self._header_bytes > self._header_limit:
            self._failure = self._failure or self._endless_headers()
        status = self._parser.get_status_code()
        if self._whole:
            return
        if status < 200 and status >= 100:
            self._forget_headers()
            return
        self._status = status
        if status in _NO_BODY_STATUS or self._is_head:
            self._until_close = False
        if not self._parser.should_keep_alive():
            self.usable = False
        self._body_limit = self._answer_limit
        if (types := self._style.streamed) and status < 300:
            self._undecided = True
            if self._content_type in types:
                self._declared = True
                self._body_limit = self._stream_limit
        if self._encoding:
            try:
                self._decoder = make_decoder(self._encoding, self._body_limit)
            except TurnError as exc:
                self._failure = self._failure or exc
        if self._is_head:
            self.on_message_complete()
            self._new_parser()

    def on_body(self, data: bytes) -> None:
        self._beside_body = 0
        timeline = self._timeline
        if self._failure is not None or self._whole or timeline is None:
            return
        if timeline.done_ns is not None and self._pieces is None:
            return
        try:
            for piece in (data,) if self._decoder is None else self._decoder.decode(data):
                self._body_size += len(piece)
                if self._body_size > self._body_limit:
                    self._failure = TooLarge("body_too_large", f"the answer is larger than {self._body_limit} bytes")
                    return
                if self._pieces is None:
                    if self._undecided:
                        piece = self._decide(piece, timeline)  # noqa: PLW2901 - with what was held back before it
                    if self._pieces is None:
                        if self._body:
                            self._keep(piece)
                        else:
                            self._body = piece
                        continue
                for event in self._pieces.feed(piece):
                    if timeline.done_ns is None:
                        timeline.event(self._ns, event)
                    else:
                        timeline.late(event)
        except TurnError as exc:
            self._failure = exc

    def _keep(self, piece: bytes) -> None:
        """More of a body that is read when it is whole."""
        if type(self._body) is bytes:
            self._body = bytearray(self._body)  # no list of pieces: a hostile target sends them a byte each
        self._body += piece

    def _decide(self, piece: bytes, timeline: Timeline) -> bytes:
        """Whether the body is a stream, by what it begins with, whatever its content type. Returns what is to be read
        now: all that came, or nothing while it is too little to say."""
        held = bytes(self._body) + piece
        found = is_stream(self._style, held, declared=self._declared)
        if found is None:
            self._body = held
            return b""
        self._body = b""
        self._undecided = False
        self._body_limit = self._stream_limit if found else self._answer_limit
        if found:
            self._pieces = make_parser(self._style, self._limits.event_bytes, timeline)
        if found is not self._declared:
            note_type(self._content_type)
        return held

    def on_message_complete(self) -> None:
        if not self._status or self._whole:
            return  # a 1xx answer: the real one follows; or one too many
        self._whole = True
        timeline = self._timeline
        if self._failure is not None or timeline is None:
            return
        if timeline.done_ns is not None:
            if type(self._pieces) is LineParser:
                self._read_rest(self._pieces, timeline)
            return
        try:
            status = timeline.status = self._status
            if self._decoder is not None:
                self._decoder.finish()
            if status // 100 != 2:
                timeline.refused(status, bytes(self._body))
            elif self._pieces is not None:
                last_piece(self._pieces, timeline, self._ns)
                timeline.end(self._ns)
            elif self._undecided and self._declared and self._body:
                timeline.end(self._ns)  # a stream that ended before it could mean anything
            else:
                timeline.answer(self._ns, bytes(self._body))
        except TurnError as exc:
            self._failure = exc

    def _read_rest(self, lines: LineParser, timeline: Timeline) -> None:
        """The body is over, and so was its answer before: a last line may go without its end."""
        try:
            last_piece(lines, timeline, self._ns)
        except TurnError as exc:
            self._failure = exc

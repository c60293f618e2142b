"""Reads the body of an answer, whole or in pieces, into the turn's timeline. Every version of HTTP does it alike."""

from __future__ import annotations

from typing import Final

from connectors.content.sniff import is_stream, note_type
from connectors.content.styles import Style
from connectors.errors import TooLarge, TurnError
from connectors.http.body import Decoder, make_decoder
from connectors.spec import Limits
from connectors.timeline import Timeline
from connectors.wire.http.header_names import content_type_of
from connectors.wire.http.ndjson import LineParser
from connectors.wire.http.pieces import PieceParser, last_piece, make_parser

NO_BODY_STATUS: Final = frozenset({204, 304})


class BodyReader:
    """Reads one answer after the other. `whole`: the body is over; `failure`: why it cannot be read; `ns`: when what is
    fed came. Its calls do not raise: a failure is kept. `beside_body` counts bytes since the last piece of the body;
    `until_close`: only the end of the connection ends the body, which is never so over HTTP/2."""

    __slots__ = (
        "_answer_limit",
        "_body",
        "_body_limit",
        "_body_size",
        "_content_type",
        "_declared",
        "_decoder",
        "_encoding",
        "_is_head",
        "_limits",
        "_pieces",
        "_stream_limit",
        "_streamed",
        "_style",
        "_timeline",
        "_undecided",
        "beside_body",
        "failure",
        "header_bytes",
        "header_limit",
        "location",
        "ns",
        "set_cookies",
        "status",
        "until_close",
        "whole",
    )

    def __init__(self, limits: Limits, style: Style) -> None:
        self._limits = limits
        self._body_limit = self._stream_limit = limits.body_bytes
        self._answer_limit = min(limits.body_bytes, limits.answer_bytes)
        self.header_limit = limits.header_bytes
        self.restyle(style)
        self._undecided = self._declared = False
        self._pieces: PieceParser | None = None
        self._body: bytes | bytearray = b""
        """Of an answer, which may be large: nothing of it is held while the user waits or is done."""
        self._timeline: Timeline | None = None
        self.ns = 0
        self.set_cookies: list[str] = []
        self.whole = False

    def begin(self, timeline: Timeline, *, is_head: bool) -> None:
        """The answer to the next request goes to `timeline`. `is_head`: it has no body, whatever its headers say."""
        self._timeline = timeline
        self._is_head = is_head
        if self.set_cookies:
            self.set_cookies = []
        self.location = ""
        self.until_close = True
        self._encoding = ""
        self._content_type = ""
        self.beside_body = 0
        self.header_bytes = 0
        self.status = 0
        self._decoder: Decoder | None = None
        self._body_size = 0
        self.failure: TurnError | None = None
        self.whole = False

    def restyle(self, style: Style) -> None:
        """The answers that follow are read in this style."""
        self._style = style
        self._streamed = style.streamed

    def end(self) -> None:
        """Nobody waits for it any longer."""
        self._timeline = self._pieces = None
        self._body = b""

    def _forget_headers(self) -> None:
        self.location = ""
        self.until_close = True
        self._encoding = ""
        self._content_type = ""

    def header(self, known: bytes, value: bytes) -> None:
        """A header of the body, by its known name in lower case."""
        if known == b"content-type":
            self._content_type, charset = content_type_of(value)
            if charset is not None and self._timeline is not None:
                self._timeline.charset = charset
        elif known == b"content-encoding":
            self._encoding = value.decode("latin-1").strip().lower()
        elif known == b"set-cookie":
            self.set_cookies.append(value.decode("latin-1"))
        elif known == b"location":
            self.location += f"{', ' if self.location else ''}{value.decode('latin-1')}"

    def headers_over(self, status: int) -> None:
        """The body of an answer with this final status follows."""
        self.status = status
        self._body_limit = self._answer_limit
        if types := self._streamed:
            self._undecided = status < 300
            self._declared = self._undecided and self._content_type in types
            if self._declared:
                self._body_limit = self._stream_limit
        if self._encoding:
            try:
                self._decoder = make_decoder(self._encoding, self._body_limit)
            except TurnError as exc:
                self.failure = self.failure or exc

    def on_body(self, data: bytes) -> None:
        self.beside_body = 0
        timeline = self._timeline
        if self.failure is not None or self.whole or timeline is None:
            return
        if timeline.done_ns is not None and self._pieces is None:
            return
        try:
            for piece in (data,) if self._decoder is None else self._decoder.decode(data):
                self._body_size += len(piece)
                if self._body_size > self._body_limit:
                    self.failure = TooLarge("body_too_large", f"the answer is larger than {self._body_limit} bytes")
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
                        timeline.event(self.ns, event)
                    else:
                        timeline.late(event)
        except TurnError as exc:
            self.failure = exc

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
        if not self.status or self.whole:
            return  # a 1xx answer: the real one follows; or one too many
        self.whole = True
        timeline = self._timeline
        if self.failure is not None or timeline is None:
            return
        if timeline.done_ns is not None:
            if type(self._pieces) is LineParser:
                self._read_rest(self._pieces, timeline)
            return
        try:
            status = timeline.status = self.status
            if self._decoder is not None:
                self._decoder.finish()
            if status // 100 != 2:
                timeline.refused(status, bytes(self._body))
            elif self._pieces is not None:
                last_piece(self._pieces, timeline, self.ns)
                timeline.end(self.ns)
            elif self._undecided and self._declared and self._body and self._style.in_frames:
                timeline.end(self.ns)  # a stream that ended before it could mean anything
            else:
                timeline.answer(self.ns, bytes(self._body))
        except TurnError as exc:
            self.failure = exc

    def _read_rest(self, lines: LineParser, timeline: Timeline) -> None:
        """The body is over, and so was its answer before: a last line may go without its end."""
        try:
            last_piece(lines, timeline, self.ns)
        except TurnError as exc:
            self.failure = exc

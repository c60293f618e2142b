"""HTTP/1.1 answers whose headers are kept, for targets that save values of them: reading every header costs time."""

from __future__ import annotations

from connectors.content.heads import AnswerHead, add_header
from connectors.content.styles import Style
from connectors.mapping.request import RenderedRequest
from connectors.spec import Limits
from connectors.timeline import Timeline
from connectors.timeline.heads import HeadTimeline
from connectors.wire.http.answer import AnswerReader, Kept
from connectors.wire.http.connection import HttpConnection


class HeadReader(AnswerReader):
    """Hands the head of each answer to a timeline that takes it. `url` is the request's."""

    __slots__ = ("_headers", "url")

    def __init__(self, limits: Limits, connection: Kept, style: Style) -> None:
        super().__init__(limits, connection, style)
        self._headers: dict[str, str] = {}
        self.url = ""

    def begin(self, timeline: Timeline, *, is_head: bool) -> None:
        super().begin(timeline, is_head=is_head)
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        add_header(self._headers, name, value)

    def on_headers_complete(self) -> None:
        status, timeline = self._parser.get_status_code(), self._timeline
        if status < 200:
            self._headers = {}
        elif not self.whole and isinstance(timeline, HeadTimeline):
            timeline.head(AnswerHead(status, self.url, self._headers, tuple(self.set_cookies)))
        super().on_headers_complete()


class HeadConnection(HttpConnection):
    """A connection with such answers."""

    __slots__ = ()
    reader = HeadReader
    answer: HeadReader

    async def exchange(self, request: RenderedRequest, timeline: Timeline) -> tuple[int, int] | None:
        self.answer.url = f"{self._encoder.origin}{request.path}"
        return await super().exchange(request, timeline)

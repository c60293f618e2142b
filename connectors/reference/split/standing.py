"""Reads the standing stream of a split conversation in its own thread."""

from __future__ import annotations

import contextlib
from itertools import chain

import requests

from connectors.errors import BrokenTransport, TurnError
from connectors.http.cookies import Cookies
from connectors.http.event_streams import looks_like_events, refused_standing, stream_over, unfit
from connectors.mapping.answers.response import ResponseMapping
from connectors.mapping.request import RenderedRequest
from connectors.reference.http.sse import SseExchange
from connectors.reference.split.inbox import Heard, Inbox
from connectors.reference.transport.deadlines import GraceOver
from connectors.timeline import Timeline
from connectors.timeline.named import NamedTimeline


class FeedTimeline(NamedTimeline):
    """A timeline for the whole stream that passes everything to `inbox`."""

    __slots__ = ("inbox",)

    def __init__(self, response: ResponseMapping, inbox: Inbox) -> None:
        super().__init__(response, 0)
        self.inbox = inbox

    def received(self, ns: int, size: int) -> None:
        super().received(ns, size)
        self.inbox.read_ns = ns
        self.inbox.read_bytes += size

    def event(self, ns: int, data: bytes) -> None:
        self.inbox.put(Heard(ns, self.event_name, data))

    def answer(self, ns: int, data: bytes) -> None:
        raise stream_over()

    def end(self, ns: int) -> None:
        raise stream_over()


class StandingExchange(SseExchange):
    """Reads one stream in its own thread."""

    def _read(self, response: requests.Response, timeline: Timeline) -> None:
        status = response.status_code
        if 200 <= status < 300:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if (error := unfit(headers)) is not None:
                raise error
            if isinstance(timeline, FeedTimeline):
                timeline.inbox.set()
            pieces = self._pieces(response)
            first = b""
            for piece in pieces:
                first += piece
                if looks_like_events(headers, first):
                    break
            self._begun = chain((first,), pieces)
            self._read_stream(response, timeline)
            return
        body = b""
        with contextlib.suppress(TurnError):
            for piece in self._pieces(response):
                body += piece
                if len(body) > 4096:
                    break
        raise refused_standing(status, body[:4096])

    def listen(self, request: RenderedRequest, timeline: FeedTimeline, cookies: Cookies | None) -> None:
        """The thread. Whatever ends the stream is the inbox's end."""
        inbox = timeline.inbox
        try:
            self.send(request, timeline, cookies)
        except TurnError as exc:
            inbox.set(end=_closed() if exc.code == "body_truncated" else exc)
        except GraceOver:
            inbox.set(end=stream_over())


def _closed() -> TurnError:
    return BrokenTransport("connection_closed", "the target closed the standing stream's connection")

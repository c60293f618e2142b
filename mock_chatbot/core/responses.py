"""Sends answers at the planned times, stamped as the last step.

A pace is a row of absolute deadlines (delay, then one per token), so that lateness of one chunk does not move the
next. Whoever has left is noticed at the next deadline; what follows is not sent and not counted.
"""

from __future__ import annotations

import asyncio
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import NamedTuple

import orjson
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from mock_chatbot.core.concurrency import ConcurrencyLimit
from mock_chatbot.core.errors import Failure
from mock_chatbot.core.stats import Stats

JSON_HEADERS = [(b"content-type", b"application/json")]


class Framing(NamedTuple):
    """How the objects of a stream stand in an HTTP body; `tail` is its end, `tail_events` how many events that is."""

    content_type: bytes
    before: bytes
    after: bytes
    tail: bytes = b""
    tail_events: int = 0

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"content-type", self.content_type), (b"cache-control", b"no-cache")]


SSE = Framing(b"text/event-stream; charset=utf-8", b"data: ", b"\n\n", b"data: [DONE]\n\n", 1)
NDJSON = Framing(b"application/x-ndjson", b"", b"\n")


class Chunk(NamedTuple):
    """Stream events that are written together: JSON objects, and how many tokens of text they carry."""

    objects: tuple[bytes, ...]
    tokens: int


Stamper = Callable[[bytes], bytes]
"""Puts the current time into a JSON object."""


def stamper(key: str) -> Stamper:
    """Of an object that has at least one key of its own; without a `key` it is left as it is.

    uvicorn and uvloop write at once when nothing waits before it, so that the stamp is as old as their few calls.
    """
    if not key:
        return lambda json: json
    head = b'{"%s":%%d,' % key.encode()
    return lambda json: head % time.monotonic_ns() + json[1:]


async def sleep_until(deadline_s: float) -> None:
    """Never returns early; at least one pass of the loop, so that a stream without pace does not starve others.

    Rounded up because uvloop's timers count whole milliseconds.
    """
    wait_s = deadline_s - time.monotonic()
    await asyncio.sleep(math.ceil(wait_s * 1000) / 1000 if wait_s > 0 else 0)
    while (wait_s := deadline_s - time.monotonic()) > 0:
        await asyncio.sleep(wait_s)


def failure_response(failure: Failure) -> Response:
    return Response(orjson.dumps(failure.body()), failure.status, failure.headers(), media_type="application/json")


class Timed(Response, ABC):
    """A response that begins at `deadline_s` (monotonic) and ends when the client disconnects."""

    concurrency: ConcurrencyLimit | None = None
    """Limits the number of answers in progress."""

    def __init__(self, stats: Stats, deadline_s: float) -> None:
        super().__init__()
        self._stats, self._deadline_s = stats, deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.ensure_future(receive())  # the body is read: the next event is the disconnect
        try:
            if self.concurrency is None:
                await self._serve(send, leaving)
            else:
                await self._serve_in_turn(self.concurrency, send, leaving)
        finally:
            leaving.cancel()

    async def _serve_in_turn(self, concurrency: ConcurrencyLimit, send: Send, leaving: asyncio.Future[Message]) -> None:
        self._deadline_s += await concurrency.take()
        try:
            if not leaving.done():
                await self._serve(send, leaving)
        finally:
            concurrency.give(min(self._deadline_s, time.monotonic()))  # sooner if the client left

    async def _serve(self, send: Send, leaving: asyncio.Future[Message]) -> None:
        await sleep_until(self._deadline_s)
        if not leaving.done():
            await self._write(send, leaving)

    @abstractmethod
    async def _write(self, send: Send, leaving: asyncio.Future[Message]) -> None:
        """Send the answer, or stop when `leaving` is done: the client has disconnected."""


class PlainAnswer(Timed):
    """The whole answer at once."""

    def __init__(self, stats: Stats, deadline_s: float, answer: Chunk, input_tokens: int, stamp: Stamper) -> None:
        super().__init__(stats, deadline_s)
        self._answer, self._input_tokens, self._stamp = answer, input_tokens, stamp

    async def _write(self, send: Send, leaving: asyncio.Future[Message]) -> None:
        self._stats.input_tokens += self._input_tokens
        self._stats.output_tokens += self._answer.tokens
        body = self._stamp(self._answer.objects[0])
        headers = [*JSON_HEADERS, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class DelayedFailure(Timed):
    """An error after the delay that an answer would have had."""

    def __init__(self, stats: Stats, deadline_s: float, failure: Failure) -> None:
        super().__init__(stats, deadline_s)
        self._error = failure_response(failure)

    async def _write(self, send: Send, leaving: asyncio.Future[Message]) -> None:
        error = self._error
        await send({"type": "http.response.start", "status": error.status_code, "headers": error.raw_headers})
        await send({"type": "http.response.body", "body": error.body})


class Streamed(NamedTuple):
    """The content of a stream."""

    chunks: Iterable[Chunk]
    closing: tuple[bytes, ...]
    itl_s: float
    input_tokens: int


class EventStream(Timed):
    """A stream: headers and first chunk, then a chunk per `itl_s`; at the end `closing` and the framing's tail."""

    def __init__(
        self, stats: Stats, deadline_s: float, streamed: Streamed, stamp: Stamper, framing: Framing = SSE
    ) -> None:
        super().__init__(stats, deadline_s)
        self._streamed, self._stamp, self._framing = streamed, stamp, framing

    async def _write(self, send: Send, leaving: asyncio.Future[Message]) -> None:
        stats, deadline_s, framing = self._stats, self._deadline_s, self._framing
        chunks, closing, itl_s, input_tokens = self._streamed
        stats.input_tokens += input_tokens
        await send({"type": "http.response.start", "status": 200, "headers": framing.headers()})
        for chunk in chunks:
            await sleep_until(deadline_s)
            if leaving.done():
                return
            self._deadline_s = deadline_s
            stats.chunks += chunk.tokens > 0
            stats.events += len(chunk.objects)
            stats.output_tokens += chunk.tokens
            await send({"type": "http.response.body", "body": self._events(chunk.objects), "more_body": True})
            deadline_s += itl_s
        stats.events += len(closing) + framing.tail_events
        body = self._events(closing) + framing.tail
        await send({"type": "http.response.body", "body": body})

    def _events(self, objects: tuple[bytes, ...]) -> bytes:
        framing, stamp = self._framing, self._stamp
        return b"".join([b"%s%s%s" % (framing.before, stamp(json), framing.after) for json in objects])

"""The server's state, and how a request becomes a response. Dialects only format replies."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from mock_chatbot.core.concurrency import ConcurrencyLimit
from mock_chatbot.core.errors import InvalidBody
from mock_chatbot.core.options import CONVERSATION, Options
from mock_chatbot.core.reply import Ask, Dice, Plan, Reply, plan
from mock_chatbot.core.responses import (
    SSE,
    Chunk,
    DelayedFailure,
    EventStream,
    Framing,
    PlainAnswer,
    Stamper,
    Streamed,
    Timed,
    stamper,
)
from mock_chatbot.core.stats import Stats

Body = TypeVar("Body", bound=BaseModel)
Headers = Iterable[tuple[bytes, bytes]]
"""Names in lower case, as ASGI has them."""


class Wording(Protocol):
    """A reply in a dialect: JSON objects as bytes, each with at least one key."""

    def plain(self, reply: Reply) -> bytes: ...

    def chunks(self, reply: Reply) -> Iterator[Chunk]: ...

    def closing(self, reply: Reply) -> tuple[bytes, ...]: ...


@dataclass(frozen=True, slots=True)
class Chatbot:
    options: Options
    concurrency: ConcurrencyLimit | None = None
    stats: Stats = field(default_factory=Stats)
    dice: Dice = field(default_factory=Dice)

    def reset(self) -> None:
        """As if just started, so that a seeded run can be repeated."""
        self.stats.reset()
        self.dice.reset()

    def plan(self, ask: Ask, headers: Headers) -> tuple[Plan, Options]:
        """The planned reply, drawn with the request's options. Raises InvalidOption for an unusable header."""
        options = self.options.with_headers(headers)
        return plan(ask, options, self.dice.roll(options.seed, ask)), options

    def stamper(self, headers: Headers) -> Stamper:
        """The options of a connection with these headers. Raises InvalidOption."""
        return stamper(self.options.with_headers(headers).stamp)

    def answer(self, ask: Ask, request: Request, wording: Wording, framing: Framing = SSE) -> Response:
        """Raises InvalidOption for an `X-Mock-` header that has no usable value."""
        response = self._response(ask, request, wording, framing)
        response.concurrency = self.concurrency
        return response

    def _response(self, ask: Ask, request: Request, wording: Wording, framing: Framing) -> Timed:
        now_s = time.monotonic()
        planned, options = self.plan(ask, request.scope["headers"])
        reply, stamp = planned.reply, stamper(options.stamp)
        deadline_s = now_s + reply.delay_s
        if planned.failure:
            return DelayedFailure(self.stats, deadline_s, planned.failure)
        if ask.stream:
            chunks, closing = wording.chunks(reply), wording.closing(reply)
            streamed = Streamed(chunks, closing, reply.itl_s, reply.input_tokens)
            return EventStream(self.stats, deadline_s, streamed, stamp, framing)
        whole = Chunk((wording.plain(reply),), reply.output_tokens)
        return PlainAnswer(self.stats, deadline_s, whole, reply.input_tokens, stamp)


async def read_body(kind: type[Body], request: Request) -> Body:
    """The request's JSON, whatever its content type, as OpenAI's servers do it. Raises InvalidBody."""
    return parse_body(kind, await request.body())


def parse_body(kind: type[Body], raw: bytes | str) -> Body:
    """`raw` as JSON of this kind. Raises InvalidBody, which names the place."""
    try:
        return kind.model_validate_json(raw)
    except ValidationError as exc:
        raise invalid_body(exc) from exc


def parse_object(kind: type[Body], found: Any) -> Body:
    """The same for an object that has been parsed elsewhere."""
    try:
        return kind.model_validate(found)
    except ValidationError as exc:
        raise invalid_body(exc) from exc


def invalid_body(exc: ValidationError) -> InvalidBody:
    first = exc.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return InvalidBody(first["msg"], place or None)


def conversation_of(request: Request) -> str:
    """The name that the client gave to its conversation, if any."""
    return conversation_in(request.scope["headers"])


def conversation_in(headers: Headers) -> str:
    found = next((value for name, value in headers if name == CONVERSATION.encode()), b"")
    return found.decode("latin-1")

"""The server's state, and how a request becomes a response. A dialect only says how a reply is worded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from mock_chatbot.errors import InvalidBody
from mock_chatbot.options import CONVERSATION, Options
from mock_chatbot.reply import Ask, Dice, Reply, plan
from mock_chatbot.responses import Chunk, DelayedFailure, EventStream, PlainAnswer, stamper
from mock_chatbot.stats import Stats

Body = TypeVar("Body", bound=BaseModel)


class Wording(Protocol):
    """A reply in a dialect: JSON objects as bytes, each with at least one key."""

    def plain(self, reply: Reply) -> bytes: ...

    def chunks(self, reply: Reply) -> Iterator[Chunk]: ...

    def closing(self, reply: Reply) -> tuple[bytes, ...]: ...


@dataclass(frozen=True, slots=True)
class Chatbot:
    options: Options
    stats: Stats = field(default_factory=Stats)
    dice: Dice = field(default_factory=Dice)

    def reset(self) -> None:
        """As if just started, so that a seeded run can be repeated."""
        self.stats.reset()
        self.dice.reset()

    def answer(self, ask: Ask, request: Request, wording: Wording) -> Response:
        """Raises InvalidOption for an `X-Mock-` header that has no usable value."""
        now_s = time.monotonic()
        options = self.options.with_headers(request.scope["headers"])
        planned = plan(ask, options, self.dice.roll(options.seed, ask))
        reply, stamp = planned.reply, stamper(options.stamp)
        deadline_s = now_s + reply.delay_s
        if planned.failure:
            return DelayedFailure(self.stats, deadline_s, planned.failure)
        if ask.stream:
            chunks, closing = wording.chunks(reply), wording.closing(reply)
            return EventStream(self.stats, deadline_s, reply.itl_s, chunks, closing, reply.input_tokens, stamp)
        whole = Chunk((wording.plain(reply),), reply.output_tokens)
        return PlainAnswer(self.stats, deadline_s, whole, reply.input_tokens, stamp)


async def read_body(kind: type[Body], request: Request) -> Body:
    """The request's JSON, whatever content type it claims: OpenAI's servers do not ask either. Raises InvalidBody."""
    raw = await request.body()
    try:
        return kind.model_validate_json(raw)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidBody(first["msg"], place or None) from exc


def conversation_of(request: Request) -> str:
    """The name that the client gave to its conversation, if any."""
    return request.headers.get(CONVERSATION, "")

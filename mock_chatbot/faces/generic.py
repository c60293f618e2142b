"""A typical custom API: POST /chat {"message"} -> {"response"}."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from mock_chatbot.core.chatbot import Chatbot, conversation_of, parse_object, read_body
from mock_chatbot.core.reply import Ask, Reply
from mock_chatbot.core.responses import NDJSON, Chunk


class ChatMessage(BaseModel):
    """`session` is ignored: its value differs between runs, and answers must not (mock_chatbot.core.reply)."""

    model_config = ConfigDict(strict=True)

    message: str
    session: str | int | None = None
    history: list[dict[str, Any]] = []
    stream: bool = False
    max_tokens: int | None = Field(None, ge=1)

    def ask(self, conversation: str, *, stream: bool | None = None) -> Ask:
        """`stream`: set by a transport that implies it."""
        before = tuple((str(said.get("role", "")), str(said.get("content", ""))) for said in self.history)
        streamed = self.stream if stream is None else stream
        return Ask((*before, ("user", self.message)), streamed, self.max_tokens, conversation)


class GenericWording:
    """Streamed: `{"delta"}` per token, then one object with the usage. Reasoning is not shown in this dialect."""

    def plain(self, reply: Reply) -> bytes:
        return orjson.dumps({"response": "".join(reply.tokens), **_end(reply)})

    def chunks(self, reply: Reply) -> Iterator[Chunk]:
        for token in reply.tokens:
            yield Chunk((delta(token),), 1)

    def closing(self, reply: Reply) -> tuple[bytes, ...]:
        return (orjson.dumps(_end(reply)),)


class MessageWording:
    """The same as whole messages of any transport: the last one carries the whole answer and says that it is one."""

    def plain(self, reply: Reply) -> bytes:
        return orjson.dumps({"response": "".join(reply.tokens), **_end(reply), "done": True})

    def chunks(self, reply: Reply) -> Iterator[Chunk]:
        unsaid = len(reply.reasoning)  # the usage counts it, though this face does not send it
        for token in reply.tokens:
            yield Chunk((delta(token),), 1 + unsaid)
            unsaid = 0

    def closing(self, reply: Reply) -> tuple[bytes, ...]:
        return (self.plain(reply),)


def delta(token: str) -> bytes:
    return b'{"delta":%s}' % orjson.dumps(token)


def _end(reply: Reply) -> dict[str, Any]:
    usage = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
    return {"usage": usage, "finish": reply.finish}


def router(chatbot: Chatbot) -> APIRouter:
    api = APIRouter()

    @api.post("/chat", response_model=None)
    async def chat(request: Request) -> Response:
        body = await read_body(ChatMessage, request)
        return chatbot.answer(body.ask(conversation_of(request)), request, GenericWording())

    @api.post("/ndjson", response_model=None)
    async def ndjson(request: Request) -> Response:
        body = await read_body(ChatMessage, request)
        return chatbot.answer(body.ask(conversation_of(request)), request, MessageWording(), NDJSON)

    @api.get("/sse", response_model=None)
    async def sse(request: Request) -> Response:
        await request.body()  # the next event is the disconnect, which the answer waits for
        body = parse_object(ChatMessage, dict(request.query_params))
        return chatbot.answer(body.ask(conversation_of(request), stream=True), request, GenericWording())

    return api

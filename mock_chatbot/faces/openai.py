"""The OpenAI dialect: /v1/models and /v1/chat/completions, plain and streamed."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any, Literal

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from mock_chatbot.core.chatbot import Chatbot, conversation_of, read_body
from mock_chatbot.core.errors import InvalidBody
from mock_chatbot.core.reply import Ask, Reply
from mock_chatbot.core.responses import Chunk

MODELS = ("mock-chat", "mock-chat-mini")


class _Strict(BaseModel):
    """The types that OpenAI accepts, not those that could be converted; unknown keys are ignored."""

    model_config = ConfigDict(strict=True)


class ImageUrl(_Strict):
    url: str


class InputAudio(_Strict):
    data: str
    format: str


class InputFile(_Strict):
    filename: str
    file_data: str


class Part(_Strict):
    type: str
    text: str = ""
    image_url: ImageUrl | None = None
    input_audio: InputAudio | None = None
    file: InputFile | None = None

    def attached(self) -> int | None:
        """The bytes of an image, a sound or a file that is here; None: it is a text. Raises InvalidBody for what is no
        base64."""
        if self.type in {"text", "input_text", "refusal"}:
            return None
        packed = self.input_audio.data if self.input_audio else self.file.file_data if self.file else ""
        if self.image_url is not None:
            if not self.image_url.url.startswith("data:"):
                return 0
            packed = self.image_url.url
        try:
            return len(base64.b64decode(packed.rpartition("base64,")[2], validate=True))
        except ValueError as exc:
            raise InvalidBody("is not base64", f"messages.content.{self.type}") from exc


class Message(_Strict):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None

    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""

    def attachments(self) -> list[int]:
        """Their sizes. Raises InvalidBody."""
        parts = self.content if isinstance(self.content, list) else []
        return [size for part in parts if (size := part.attached()) is not None]


class StreamOptions(_Strict):
    include_usage: bool = False


class ChatRequest(_Strict):
    model: str = MODELS[0]
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: Literal[1] | None = None

    def ask(self, conversation: str) -> Ask:
        limits = [limit for limit in (self.max_tokens, self.max_completion_tokens) if limit]
        messages = tuple((message.role, message.text()) for message in self.messages)
        return Ask(messages, self.stream, min(limits, default=None), conversation)


class OpenAIWording:
    """`with_usage`: the stream ends with a usage chunk, and all others have `"usage": null`, as OpenAI's do."""

    def __init__(self, model: str, *, with_usage: bool) -> None:
        self._model, self._with_usage = model, with_usage
        self._created = int(time.time())

    def plain(self, reply: Reply) -> bytes:
        message = {"role": "assistant", "content": "".join(reply.tokens)}
        if reply.reasoning:
            message["reasoning_content"] = "".join(reply.reasoning)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}
        return self._object(reply, "chat.completion", choices=[choice], usage=usage(reply))

    def chunks(self, reply: Reply) -> Iterator[Chunk]:
        """Content and reasoning are inserted into one rendered chunk, so that a token costs no more than its own
        JSON."""
        role = self._chunk(reply, {"role": "assistant", "content": ""})
        opening: tuple[bytes, ...] = (role,)
        for name, tokens in (("reasoning_content", reply.reasoning), ("content", reply.tokens)):
            head, tail = self._chunk(reply, {name: "\0"}).split(rb'"\u0000"')
            for token in tokens:
                yield Chunk((*opening, head + orjson.dumps(token) + tail), 1)
                opening = ()
        if opening:
            yield Chunk(opening, 0)

    def closing(self, reply: Reply) -> tuple[bytes, ...]:
        finish = self._chunk(reply, {}, reply.finish)
        if not self._with_usage:
            return (finish,)
        return finish, self._object(reply, "chat.completion.chunk", choices=[], usage=usage(reply))

    def _chunk(self, reply: Reply, delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        more = {"usage": None} if self._with_usage else {}
        return self._object(reply, "chat.completion.chunk", choices=[choice], **more)

    def _object(self, reply: Reply, kind: str, **more: Any) -> bytes:
        head = {"id": f"chatcmpl-{reply.id}", "object": kind, "created": self._created, "model": self._model}
        return orjson.dumps(head | more)


def usage(reply: Reply) -> dict[str, Any]:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "completion_tokens_details": {"reasoning_tokens": len(reply.reasoning)},
    }


def router(chatbot: Chatbot) -> APIRouter:
    api = APIRouter(prefix="/v1")

    @api.get("/models")
    async def models() -> dict[str, Any]:
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "mock"} for name in MODELS]
        return {"object": "list", "data": data}

    @api.post("/chat/completions", response_model=None)
    async def completions(request: Request) -> Response:
        body = await read_body(ChatRequest, request)
        chatbot.stats.count_attachments([size for message in body.messages for size in message.attachments()])
        with_usage = body.stream_options is not None and body.stream_options.include_usage
        wording = OpenAIWording(body.model, with_usage=with_usage)
        return chatbot.answer(body.ask(conversation_of(request)), request, wording)

    return api

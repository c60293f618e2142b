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


class Function(_Strict):
    name: str


class Tool(_Strict):
    function: Function | None = None


class ChatRequest(_Strict):
    model: str = MODELS[0]
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: Literal[1] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | dict[str, Any] | None = None

    def calls(self) -> str | None:
        """The tool to call: the first one, when a user said something. Its result is answered."""
        if self.tool_choice == "none" or self.messages[-1].role == "tool":
            return None
        return next((tool.function.name for tool in self.tools or () if tool.function is not None), None)

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
        message = self._message(reply)
        if reply.reasoning:
            message["reasoning_content"] = "".join(reply.reasoning)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish(reply)}
        return self._object(reply, "chat.completion", choices=[choice], usage=usage(reply))

    def _message(self, reply: Reply) -> dict[str, Any]:
        return {"role": "assistant", "content": "".join(reply.tokens)}

    def _finish(self, reply: Reply) -> str:
        return reply.finish

    def chunks(self, reply: Reply) -> Iterator[Chunk]:
        """Content and reasoning are inserted into one rendered chunk, so that a token costs no more than its own
        JSON."""
        opening: tuple[bytes, ...] = (self._opening(reply),)
        parts = (
            ({"reasoning_content": "\0"}, reply.reasoning, orjson.dumps),
            (self._token("\0"), reply.tokens, self._written),
        )
        for delta, tokens, written in parts:
            head, tail = self._chunk(reply, delta).split(rb'"\u0000"')
            for token in tokens:
                yield Chunk((*opening, head + written(token) + tail), 1)
                opening = ()
        if opening:
            yield Chunk(opening, 0)

    def _opening(self, reply: Reply) -> bytes:
        return self._chunk(reply, {"role": "assistant", "content": ""})

    def _token(self, token: str) -> dict[str, Any]:
        return {"content": token}

    def _written(self, token: str) -> bytes:
        """What stands in the place of `_token`'s text."""
        return orjson.dumps(token)

    def closing(self, reply: Reply) -> tuple[bytes, ...]:
        finish = self._chunk(reply, {}, self._finish(reply))
        if not self._with_usage:
            return (finish,)
        return finish, self._object(reply, "chat.completion.chunk", choices=[], usage=usage(reply))

    def _chunk(self, reply: Reply, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        more = {"usage": None} if self._with_usage else {}
        return self._object(reply, "chat.completion.chunk", choices=[choice], **more)

    def _object(self, reply: Reply, kind: str, **more: Any) -> bytes:
        head = {"id": f"chatcmpl-{reply.id}", "object": kind, "created": self._created, "model": self._model}
        return orjson.dumps(head | more)


class CallWording(OpenAIWording):
    """Calls a tool, with the reply's text as its argument."""

    def __init__(self, model: str, tool: str, *, with_usage: bool) -> None:
        super().__init__(model, with_usage=with_usage)
        self._tool = tool

    def _message(self, reply: Reply) -> dict[str, Any]:
        arguments = orjson.dumps({"text": "".join(reply.tokens)}).decode()
        return {"role": "assistant", "content": None, "tool_calls": [self._call(reply, arguments)]}

    def _opening(self, reply: Reply) -> bytes:
        call = self._call(reply, '{"text":"', index=0)
        return self._chunk(reply, {"role": "assistant", "content": None, "tool_calls": [call]})

    def _token(self, token: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": 0, "function": {"arguments": token}}]}

    def _written(self, token: str) -> bytes:
        """A part of a text of JSON, in a text of JSON."""
        return orjson.dumps(orjson.dumps(token).decode()[1:-1])

    def closing(self, reply: Reply) -> tuple[bytes, ...]:
        return self._chunk(reply, self._token('"}')), *super().closing(reply)

    def _finish(self, reply: Reply) -> str:
        return "tool_calls"

    def _call(self, reply: Reply, arguments: str, **more: int) -> dict[str, Any]:
        function = {"name": self._tool, "arguments": arguments}
        return {**more, "id": f"call_{reply.id}", "type": "function", "function": function}


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
        if (tool := body.calls()) is not None:
            wording = CallWording(body.model, tool, with_usage=with_usage)
        return chatbot.answer(body.ask(conversation_of(request)), request, wording)

    return api

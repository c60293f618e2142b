"""A chat model of LangChain that answers at random: behind LangServe, and in a graph."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from tests.peers.common import pieces, sent


class Speaker(BaseChatModel):
    log: str

    @property
    def _llm_type(self) -> str:
        return "speaker"

    def _draw(self, messages: list[BaseMessage]) -> list[str]:
        *history, said = [str(message.content) for message in messages if message.type != "system"]
        if said == "fail":
            raise RuntimeError("the model is asleep")
        drawn = pieces(len(history) // 2 + 1)
        sent(self.log, message=said, text="".join(drawn), history=history)
        return drawn

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(self._draw(messages))))])

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        for piece in self._draw(messages):
            yield ChatGenerationChunk(message=AIMessageChunk(piece))

    async def _astream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk

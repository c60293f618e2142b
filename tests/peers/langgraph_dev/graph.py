"""A graph with one node that streams, in a folder as `langgraph new` makes one: `langgraph dev` serves it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import START, MessagesState, StateGraph

from tests.peers.common import pieces, sent


class Speaker(BaseChatModel):
    @property
    def _llm_type(self) -> str:
        return "speaker"

    def _draw(self, messages: list[BaseMessage]) -> list[str]:
        *history, said = [str(message.content) for message in messages if message.type != "system"]
        if said == "fail":
            raise RuntimeError("the model is asleep")
        drawn = pieces(len(history) // 2 + 1)
        sent(os.environ["PEER_LOG"], message=said, text="".join(drawn), history=history)
        return drawn

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(self._draw(messages))))])

    async def _astream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for piece in self._draw(messages):
            yield ChatGenerationChunk(message=AIMessageChunk(piece))


async def answer(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await Speaker().ainvoke(state["messages"])]}


graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()

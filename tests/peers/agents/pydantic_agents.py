"""One agent of pydantic-ai behind AG-UI and behind the Vercel AI SDK's stream; its model is a function, which calls the
first tool that it is offered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from pydantic_ai import Agent
from pydantic_ai.messages import BinaryContent, ModelMessage, TextPart, ToolReturnPart, UserContent, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_ai.ui.ag_ui import AGUIAdapter
from pydantic_ai.ui.vercel_ai import VercelAIAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tests.peers.common import pieces, sent

Piece = str | dict[int, DeltaThinkingPart] | dict[int, DeltaToolCall]


def text_of(content: str | Sequence[UserContent]) -> str:
    return content if isinstance(content, str) else "".join(part for part in content if isinstance(part, str))


def routes(log: str) -> list[BaseRoute]:
    async def answer(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Piece]:
        parts = [part for one in messages for part in one.parts if isinstance(part, UserPromptPart | TextPart)]
        *history, said = [text_of(part.content) for part in parts]
        if said == "fail":
            raise RuntimeError("the model is asleep")
        last = messages[-1].parts[-1]
        if info.function_tools and not isinstance(last, ToolReturnPart):
            yield {0: DeltaToolCall(name=info.function_tools[0].name, json_args='{"city": ', tool_call_id="c1")}
            yield {0: DeltaToolCall(json_args='"Graz"}')}
            return
        drawn = pieces(len(history) // 2 + 1)
        returned = [part.content for one in messages for part in one.parts if isinstance(part, ToolReturnPart)]
        files = [part for part in parts[-1].content if isinstance(part, BinaryContent)]
        more = {"attached": [[file.media_type, len(file.data)] for file in files]}
        more |= {"returned": returned} if returned else {}
        sent(log, message=said, text="".join(drawn), history=history, **more)
        yield {0: DeltaThinkingPart(content="What is thought is no part of the answer.")}
        for piece in drawn:
            yield piece

    agent = Agent(FunctionModel(stream_function=answer))

    async def ag_ui(request: Request) -> Response:
        return await AGUIAdapter.dispatch_request(request, agent=agent)

    async def vercel(request: Request) -> Response:
        return await VercelAIAdapter.dispatch_request(request, agent=agent)

    return [Route("/ag-ui", ag_ui, methods=["POST"]), Route("/api/chat", vercel, methods=["POST"])]

"""An agent of a2a-sdk, which speaks 1.0 and 0.3 at one address and answers in each of the ways that agents do."""

from __future__ import annotations

from collections import Counter

from a2a.helpers import new_task_from_user_message, new_text_message
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandlerV2
from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, Part
from starlette.routing import BaseRoute

from tests.peers.common import pieces, sent


class Echo(AgentExecutor):
    """The first answer of a conversation is a message, the second one asks for input, and the third ends that task."""

    def __init__(self, log: str) -> None:
        self.log = log
        self.turns: Counter[str] = Counter()

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        said = context.get_user_input()
        self.turns[context.context_id] += 1
        count = self.turns[context.context_id]
        drawn = pieces(count)
        if count == 1 and said != "fail":
            files = [part for part in context.message.parts if part.HasField("raw")]
            self.sent(said, drawn, [[file.media_type, len(file.raw)] for file in files])
            await event_queue.enqueue_event(new_text_message("".join(drawn), context_id=context.context_id))
            return
        task = context.current_task or new_task_from_user_message(context.message)
        if context.current_task is None:
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work(new_text_message("What is done meanwhile is no part of the answer."))
        if said == "fail":
            await updater.failed(new_text_message("the model is asleep"))
            return
        self.sent(said, drawn)
        if context.current_task is None:
            await updater.requires_input(new_text_message("".join(drawn)))
            return
        for at, piece in enumerate(drawn):
            parts, last = [Part(text=piece)], at == len(drawn) - 1
            await updater.add_artifact(parts, artifact_id="answer", append=at > 0, last_chunk=last)
        await updater.complete()

    def sent(self, said: str, drawn: list[str], attached: list[list[object]] | None = None) -> None:
        sent(self.log, message=said, text="".join(drawn), attached=attached or [])

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Nobody cancels a task here; the base class asks for it."""


def routes(log: str) -> list[BaseRoute]:
    card = AgentCard(
        name="Echo",
        description="Answers at random.",
        version="1.0.0",
        default_input_modes=["text"],
        default_output_modes=["text"],
        capabilities=AgentCapabilities(streaming=True),
        supported_interfaces=[
            AgentInterface(protocol_binding="JSONRPC", protocol_version=version, url="/a2a")
            for version in ("1.0", "0.3")
        ],
    )
    handler = DefaultRequestHandlerV2(agent_executor=Echo(log), task_store=InMemoryTaskStore(), agent_card=card)
    return list(create_jsonrpc_routes(handler, "/a2a", enable_v0_3_compat=True))

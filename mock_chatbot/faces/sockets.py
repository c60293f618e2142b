"""WebSocket connections of all dialects: several turns, one at a time."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress

from starlette.types import Message, Receive, Scope, Send

from mock_chatbot.core.chatbot import Chatbot
from mock_chatbot.core.errors import Failure
from mock_chatbot.core.responses import failure_response
from mock_chatbot.core.stats import Stats
from mock_chatbot.core.turns import BUSY


class Conversation(ABC):
    """The protocol of one connection. It is created before the upgrade is accepted."""

    @abstractmethod
    async def respond(self, data: str | bytes, send: Send) -> None:
        """Handles one turn to its end. Raises OSError when the client has disconnected."""

    @abstractmethod
    async def refuse(self, failure: Failure, send: Send, *, binary: bool) -> None:
        """Sends an error frame immediately; it counts as a turn."""


async def reject(stats: Stats, failure: Failure, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends an HTTP answer instead of the upgrade."""
    stats.requests += 1
    stats.count_status(failure.status)
    await failure_response(failure)(scope, receive, send)
    while (await receive())["type"] != "websocket.disconnect":
        pass
    await receive()  # a second call when the connection is down: uvicorn treats an earlier return as a failure


async def converse(chatbot: Chatbot, conversation: Conversation, scope: Scope, receive: Receive, send: Send) -> None:
    """Accepts the upgrade and answers until the client disconnects; chooses the first subprotocol that is offered."""
    await receive()  # websocket.connect
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    turn: asyncio.Task[None] | None = None
    with chatbot.stats.session():
        try:
            while (message := await receive())["type"] == "websocket.receive":
                data = message["text"] if message.get("text") is not None else message["bytes"]
                if turn and not turn.done():
                    await conversation.refuse(BUSY, send, binary=isinstance(data, bytes))
                    continue
                if turn:
                    await turn  # it is over: raises its exception
                turn = asyncio.create_task(conversation.respond(data, send))
        except OSError:
            return  # the client has disconnected, which the server reports when something is sent
        finally:
            if turn:
                turn.cancel()
                with suppress(asyncio.CancelledError, OSError):
                    await turn


def frame(data: bytes, *, binary: bool) -> Message:
    return {"type": "websocket.send", "bytes": data} if binary else {"type": "websocket.send", "text": data.decode()}

"""WS /ws: the generic JSON shape in frames. A question in a binary frame is answered in binary frames."""

from __future__ import annotations

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from mock_chatbot.core.chatbot import Chatbot, conversation_in, parse_body
from mock_chatbot.core.errors import Failure, InvalidInput
from mock_chatbot.core.reply import Ask, Reply
from mock_chatbot.core.responses import Stamper
from mock_chatbot.core.turns import Turn, Voice
from mock_chatbot.faces.generic import ChatMessage, MessageWording, delta
from mock_chatbot.faces.sockets import Conversation, converse, frame, reject

WORDING = MessageWording()


class _Voice(Voice):
    def __init__(self, send: Send, stamp: Stamper, *, binary: bool) -> None:
        self._send, self._stamp, self._binary = send, stamp, binary

    async def delta(self, token: str, index: int) -> None:
        await self._send(frame(self._stamp(delta(token)), binary=self._binary))

    async def whole(self, reply: Reply) -> None:
        await self._send(frame(self._stamp(WORDING.plain(reply)), binary=self._binary))

    async def failure(self, failure: Failure) -> None:
        await self._send(frame(orjson.dumps(failure.body()), binary=self._binary))


class _Generic(Conversation):
    def __init__(self, chatbot: Chatbot, scope: Scope) -> None:
        """Raises InvalidOption for an unusable header."""
        self._chatbot, self._headers = chatbot, scope["headers"]
        self._stamp = chatbot.stamper(self._headers)
        self._name = conversation_in(self._headers)

    async def respond(self, data: str | bytes, send: Send) -> None:
        voice = _Voice(send, self._stamp, binary=isinstance(data, bytes))
        await Turn(self._chatbot, voice, self._headers).take(lambda: self._read(data))

    async def refuse(self, failure: Failure, send: Send, *, binary: bool) -> None:
        await Turn(self._chatbot, _Voice(send, self._stamp, binary=binary), self._headers).refuse(failure)

    def _read(self, data: str | bytes) -> Ask:
        """Streamed, unless the message says `"stream": false`."""
        message = parse_body(ChatMessage, data)
        return message.ask(self._name, stream=message.stream or "stream" not in message.model_fields_set)


def socket(chatbot: Chatbot) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            conversation = _Generic(chatbot, scope)
        except InvalidInput as exc:
            await reject(chatbot.stats, exc.failure(), scope, receive, send)
        else:
            await converse(chatbot, conversation, scope, receive, send)

    return serve

"""The split protocol: POST /split/{session}/messages asks, the stream of GET /split/{session}/events answers.

A turn is refused while there is no stream for its session. A second stream for a session takes over from the first,
which ends: a client that dials again may be here before the server knows that its old connection is gone.
"""

from __future__ import annotations

import asyncio

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mock_chatbot.core.chatbot import Chatbot, conversation_of, read_body
from mock_chatbot.core.errors import Failure, InvalidInput, invalid_request
from mock_chatbot.core.reply import Reply
from mock_chatbot.core.responses import SSE, Stamper, failure_response
from mock_chatbot.core.turns import BUSY, Turn, Voice
from mock_chatbot.faces.generic import ChatMessage, MessageWording, delta

WORDING = MessageWording()
NO_STREAM = invalid_request("Nobody listens: GET the session's events first.", status=409, code="no_stream")


class _Stream(Response, Voice):
    """A standing stream, and the output of the turns on it. It does not end by itself."""

    def __init__(self, chatbot: Chatbot, streams: dict[str, _Stream], session: str) -> None:
        super().__init__()
        self._chatbot, self._streams, self._session = chatbot, streams, session
        self._over = asyncio.Event()
        self._send: Send | None = None
        self.stamp: Stamper = lambda json: json
        self.turn: asyncio.Task[bool] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if earlier := self._streams.get(self._session):
            earlier.end()
        self._streams[self._session], self._send = self, send
        leaving = asyncio.ensure_future(self._wait_for_the_client(receive))
        with self._chatbot.stats.session():
            try:
                await send({"type": "http.response.start", "status": 200, "headers": SSE.headers()})
                await send({"type": "http.response.body", "body": b"", "more_body": True})
                await self._over.wait()
            finally:
                leaving.cancel()
                if self._streams.get(self._session) is self:
                    del self._streams[self._session]
                if self.turn:
                    self.turn.cancel()
        await send({"type": "http.response.body", "body": b""})

    def end(self) -> None:
        self._over.set()

    async def delta(self, token: str, index: int) -> None:
        await self._event(self.stamp(delta(token)))

    async def whole(self, reply: Reply) -> None:
        await self._event(self.stamp(WORDING.plain(reply)))

    async def failure(self, failure: Failure) -> None:
        await self._event(orjson.dumps(failure.body()))

    async def _event(self, json: bytes) -> None:
        if self._send:
            body = b"%s%s%s" % (SSE.before, json, SSE.after)
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _wait_for_the_client(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.end()


def router(chatbot: Chatbot) -> APIRouter:
    api = APIRouter(prefix="/split/{session}")
    streams: dict[str, _Stream] = {}

    @api.get("/events", response_model=None)
    async def events(session: str) -> Response:
        return _Stream(chatbot, streams, session)

    @api.post("/messages", response_model=None)
    async def messages(session: str, request: Request) -> Response:
        """The turn counts here, refused or not, like a request of any other dialect; HTTP counts its status."""
        headers = request.scope["headers"]
        stream = streams.get(session)
        refused = NO_STREAM if stream is None else BUSY if stream.turn and not stream.turn.done() else None
        try:
            ask = (await read_body(ChatMessage, request)).ask(conversation_of(request), stream=True)
            stamp = chatbot.stamper(headers)
        except InvalidInput as exc:
            refused = exc.failure()
        if stream is None or refused:
            chatbot.stats.chat_begins()
            chatbot.stats.chat_ends(answered=False, failed=True)
            return failure_response(refused or NO_STREAM)
        stream.stamp = stamp
        turn = Turn(chatbot, stream, headers, is_request=False)
        turn.begin()
        stream.turn = asyncio.create_task(turn.take(lambda: ask))
        return JSONResponse({}, 202)

    return api

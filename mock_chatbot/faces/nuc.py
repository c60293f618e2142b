"""The NUC dialect: a token, a chat, and a WebSocket with encrypted frames.

POST /nuc/token (`x-api-key`), POST /nuc/chats (`Authorization: Bearer`), WS /nuc/ws?session_id=... Each answer carries
`session_attributes`, and the next question of the chat must bring just these: a client that does not save them fails.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mock_chatbot.core.chatbot import Chatbot, Headers, conversation_in, parse_body, read_body
from mock_chatbot.core.errors import UNAUTHORIZED, Failure, InvalidBody, InvalidInput, invalid_request
from mock_chatbot.core.reply import Ask, Reply
from mock_chatbot.core.responses import Stamper, failure_response
from mock_chatbot.core.turns import Turn, Voice
from mock_chatbot.faces import cryptojs
from mock_chatbot.faces.sockets import Conversation, converse, frame, reject

KNOWN_CHATS = 200_000
"""Maximum number that is kept; the oldest are forgotten, so memory stays bounded."""

BAD_TOKEN = invalid_request("The token is missing, unknown or expired.", status=401, code="invalid_token")
NO_CHAT = invalid_request("There is no such session_id: POST /nuc/chats first.", "session_id", 404)


@dataclass(frozen=True, slots=True)
class NucSettings:
    passphrase: str = "mock-passphrase"  # noqa: S105 - of a mock, and printed by --help
    token_ttl_s: float = 900


@dataclass(slots=True)
class Chat:
    """`attributes` are those of the last answer, which the next question must contain."""

    id: str
    turns: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)

    def advance(self) -> None:
        self.turns += 1
        seal = blake2b(f"{self.id} {self.turns}".encode(), digest_size=8).hexdigest()
        self.attributes = {"turn": self.turns, "seal": seal}


class Desk:
    """The tokens and chats that have been issued."""

    def __init__(self, settings: NucSettings, api_key: str) -> None:
        self.settings, self._key = settings, api_key
        self._expiry_s: OrderedDict[str, float] = OrderedDict()
        self._chats: OrderedDict[str, Chat] = OrderedDict()

    def token(self, api_key: str) -> str | None:
        """None if the key is wrong."""
        if self._key and not compare_digest(api_key.encode(), self._key.encode()):
            return None
        now_s = time.monotonic()
        while self._expiry_s and next(iter(self._expiry_s.values())) <= now_s:
            self._expiry_s.popitem(last=False)
        token = secrets.token_urlsafe(24)
        self._expiry_s[token] = now_s + self.settings.token_ttl_s
        return token

    def admits(self, headers: Headers) -> bool:
        sent = next((value.decode("latin-1") for name, value in headers if name == b"authorization"), "")
        scheme, _, token = sent.partition(" ")
        return scheme.lower() == "bearer" and self._expiry_s.get(token, 0.0) > time.monotonic()

    def open(self) -> Chat:
        chat = Chat(secrets.token_hex(12))
        self._chats[chat.id] = chat
        if len(self._chats) > KNOWN_CHATS:
            self._chats.popitem(last=False)
        return chat

    def find(self, scope: Scope) -> Chat | None:
        """The chat that the upgrade's query names."""
        (chat_id,) = parse_qs(scope["query_string"].decode("latin-1")).get("session_id", [""])[:1]
        return self._chats.get(chat_id)


class NewChat(BaseModel):
    """The course is required; the questions of a chat may be about other courses."""

    model_config = ConfigDict(strict=True)

    course_id: str | int


class Question(BaseModel):
    """`language` and `timezone` are accepted and ignored."""

    model_config = ConfigDict(strict=True)

    question: str
    session_id: str
    course_id: str | int
    session_attributes: dict[str, Any] = {}
    message_id: str = ""


class _Voice(Voice):
    def __init__(self, send: Send, stamp: Stamper, chat: Chat, passphrase: str) -> None:
        self._send, self._stamp, self._chat, self._passphrase = send, stamp, chat, passphrase
        self.message_id = ""

    async def delta(self, token: str, index: int) -> None:
        await self._seal({"response_chunk": token, "message_id": self.message_id})

    async def whole(self, reply: Reply) -> None:
        self._chat.advance()
        usage = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}
        answer = {"chat_user_id": f"user-{self._chat.id}", "complete_response": "".join(reply.tokens)}
        await self._seal(answer | {"session_attributes": self._chat.attributes, "usage": usage})

    async def failure(self, failure: Failure) -> None:
        await self._send(frame(cryptojs.encrypt(orjson.dumps(failure.body()), self._passphrase), binary=False))

    async def _seal(self, said: dict[str, Any]) -> None:
        """The stamp is inside the encrypted frame, so it is older than the frame by the time of encryption."""
        sealed = cryptojs.encrypt(self._stamp(orjson.dumps(said)), self._passphrase)
        await self._send(frame(sealed, binary=False))


class _Encrypted(Conversation):
    def __init__(self, chatbot: Chatbot, chat: Chat, passphrase: str, headers: Headers) -> None:
        """Raises InvalidOption for an unusable header."""
        self._chatbot, self._chat, self._passphrase, self._headers = chatbot, chat, passphrase, headers
        self._stamp = chatbot.stamper(headers)

    async def respond(self, data: str | bytes, send: Send) -> None:
        voice = self._voice(send)
        await Turn(self._chatbot, voice, self._headers).take(lambda: self._read(data, voice))

    async def refuse(self, failure: Failure, send: Send, *, binary: bool) -> None:
        await Turn(self._chatbot, self._voice(send), self._headers).refuse(failure)

    def _voice(self, send: Send) -> _Voice:
        return _Voice(send, self._stamp, self._chat, self._passphrase)

    def _read(self, data: str | bytes, voice: _Voice) -> Ask:
        try:
            plain = cryptojs.decrypt(data, self._passphrase)
        except ValueError as exc:
            raise InvalidBody(f"The frame cannot be decrypted: {exc}.") from exc
        found, chat = parse_body(Question, plain), self._chat
        if found.session_id != chat.id:
            raise InvalidBody("is not this connection's.", "session_id")
        if chat.turns and found.session_attributes != chat.attributes:
            raise InvalidBody("must be those of the last answer.", "session_attributes")
        voice.message_id = found.message_id
        return Ask((("user", found.question),), stream=True, conversation=conversation_in(self._headers))


def router(desk: Desk) -> APIRouter:
    api = APIRouter(prefix="/nuc")

    @api.post("/token", response_model=None)
    async def token(request: Request) -> Response:
        given = desk.token(request.headers.get("x-api-key", ""))
        if given is None:
            return failure_response(UNAUTHORIZED)
        return JSONResponse({"token": given, "expires_in": desk.settings.token_ttl_s})

    @api.post("/chats", response_model=None)
    async def chats(request: Request) -> Response:
        if not desk.admits(request.scope["headers"]):
            return failure_response(BAD_TOKEN)
        await read_body(NewChat, request)
        return JSONResponse({"session_id": desk.open().id}, status_code=201)

    return api


def socket(chatbot: Chatbot, desk: Desk) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        chat = desk.find(scope)
        try:
            if not desk.admits(scope["headers"]):
                failure = BAD_TOKEN
            elif chat is None:
                failure = NO_CHAT
            else:
                conversation = _Encrypted(chatbot, chat, desk.settings.passphrase, scope["headers"])
                await converse(chatbot, conversation, scope, receive, send)
                return
        except InvalidInput as exc:
            failure = exc.failure()
        await reject(chatbot.stats, failure, scope, receive, send)

    return serve

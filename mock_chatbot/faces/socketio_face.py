"""Socket.IO at /socket.io/: namespace "/" in the Talksy shape, and "/generic", where the answer can be the ack.

Loaded at the first connection, or when the server starts with `--socketio`: the library takes a tenth of a second.
"""

from __future__ import annotations

import secrets
import time
from abc import abstractmethod
from asyncio import Task, current_task
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any

import socketio
from pydantic import BaseModel, ConfigDict
from socketio.exceptions import ConnectionRefusedError as Refused
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mock_chatbot.core.chatbot import Chatbot, Headers, conversation_in, parse_object
from mock_chatbot.core.errors import UNAUTHORIZED, Failure, InvalidInput, invalid_request
from mock_chatbot.core.reply import Ask, Reply
from mock_chatbot.core.turns import BUSY, Turn, Voice
from mock_chatbot.faces.generic import ChatMessage

TALKSY, GENERIC = "/", "/generic"
EVENTS = {TALKSY: ("user_message", "user_message_stream"), GENERIC: ("chat",)}
SESSION_MS = 3_600_000

_MARK = 10**17 + secrets.randbelow(9 * 10**17)
"""Placeholder of the stamp until the frame is sent: the library queues frames, and an earlier stamp would be too
early."""

_acked: ContextVar[bool] = ContextVar("acked", default=False)
"""Whether the client requests an ack of the event that is being handled."""


class _Server(socketio.AsyncServer):
    async def _handle_event_internal(self, *args: Any) -> None:
        """Runs in the event's own task; the library passes a handler its arguments, but not whether an ack is
        requested."""
        _acked.set(args[-1] is not None)
        await super()._handle_event_internal(*args)


@dataclass(slots=True)
class _Session:
    """One client in one namespace."""

    sid: str
    headers: Headers
    key: str
    """Of the stamp; empty without one."""
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    turn: Task[Any] | None = None
    counted: ExitStack = field(default_factory=ExitStack)


class TextMessage(BaseModel):
    model_config = ConfigDict(strict=True)

    text: str


class _Events(Voice):
    """A turn in named events; `ack` is what the handler returns."""

    namespace: str

    def __init__(self, server: _Server, session: _Session) -> None:
        self._server, self.session = server, session
        self.ack: dict[str, Any] | None = None

    @abstractmethod
    def ask(self, argument: Any) -> Ask:
        """Raises InvalidBody."""

    async def failure(self, failure: Failure) -> None:
        if _acked.get():
            self.ack = failure.body()
        else:
            await self.emit("error", {"code": failure.code or failure.kind, "message": failure.message}, stamped=False)

    async def emit(self, event: str, said: dict[str, Any], *, stamped: bool = True) -> None:
        await self._server.emit(
            event, self.stamp(said) if stamped else said, to=self.session.sid, namespace=self.namespace
        )

    def stamp(self, said: dict[str, Any]) -> dict[str, Any]:
        return {self.session.key: _MARK, **said} if self.session.key else said


class _Talksy(_Events):
    namespace = TALKSY

    def __init__(self, server: _Server, session: _Session, *, streamed: bool) -> None:
        super().__init__(server, session)
        self._streamed, self._begun = streamed, False

    def ask(self, argument: Any) -> Ask:
        text = parse_object(TextMessage, argument).text
        return Ask((("user", text),), self._streamed, conversation=conversation_in(self.session.headers))

    async def delta(self, token: str, index: int) -> None:
        await self._begin()
        await self.emit("stream_chunk", {"content": token, "index": index})

    async def whole(self, reply: Reply) -> None:
        if self._streamed:
            await self._begin()
            await self.emit("stream_end", {"sessionId": self.session.id, "usage": _usage(reply)})
        else:
            said = {"text": "".join(reply.tokens), "timestamp": _now_ms(), "usage": _usage(reply)}
            await self.emit("assistant_response", said)

    async def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            await self.emit("stream_start", {"sessionId": self.session.id}, stamped=False)


class _Generic(_Events):
    namespace = GENERIC

    def ask(self, argument: Any) -> Ask:
        """Sends the whole answer if an ack is requested, otherwise streams it."""
        return parse_object(ChatMessage, argument).ask(conversation_in(self.session.headers), stream=not _acked.get())

    async def delta(self, token: str, index: int) -> None:
        await self.emit("delta", {"text": token})

    async def whole(self, reply: Reply) -> None:
        said = {"response": "".join(reply.tokens), "usage": _usage(reply)}
        if _acked.get():
            self.ack = self.stamp(said)
        else:
            await self.emit("done", said)


def _usage(reply: Reply) -> dict[str, int]:
    return {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Face:
    """The handlers and the sessions they know."""

    def __init__(self, chatbot: Chatbot, api_key: str) -> None:
        self._chatbot, self._api_key = chatbot, api_key
        self._sessions: dict[str, _Session] = {}
        self.server = _Server(async_mode="asgi", namespaces=[TALKSY, GENERIC], cors_allowed_origins="*")
        for namespace in (TALKSY, GENERIC):
            self.server.on("connect", self._connect if namespace == GENERIC else self._greet, namespace=namespace)
            self.server.on("disconnect", self._disconnect, namespace=namespace)
            self.server.on("*", self._event(namespace), namespace=namespace)

    async def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        if self._api_key and not (isinstance(token, str) and compare_digest(token.encode(), self._api_key.encode())):
            raise Refused(UNAUTHORIZED.message)
        headers = environ["asgi.scope"]["headers"]
        try:
            key = self._chatbot.options.with_headers(headers).stamp
        except InvalidInput as exc:
            raise Refused(str(exc)) from exc
        session = self._sessions[sid] = _Session(sid, headers, key)
        session.counted.enter_context(self._chatbot.stats.session())

    async def _greet(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        await self._connect(sid, environ, auth)
        said = {"sessionId": self._sessions[sid].id, "expiresAt": _now_ms() + SESSION_MS}
        self.server.start_background_task(self.server.emit, "SESSION_CREATED", said, to=sid, namespace=TALKSY)

    async def _disconnect(self, sid: str, _reason: str) -> None:
        if session := self._sessions.pop(sid, None):
            session.counted.close()
            if session.turn:
                session.turn.cancel()

    def _event(self, namespace: str) -> Any:
        async def handle(event: str, sid: str, *arguments: Any) -> Any:
            session = self._sessions.get(sid)
            return await self._turn(session, namespace, event, arguments) if session else None

        return handle

    async def _turn(self, session: _Session, namespace: str, event: str, arguments: tuple[Any, ...]) -> Any:
        voice: _Events = _Generic(self.server, session)
        if namespace == TALKSY:
            voice = _Talksy(self.server, session, streamed=event == "user_message_stream")
        turn = Turn(self._chatbot, voice, session.headers)
        if event not in EVENTS[namespace]:
            await turn.refuse(invalid_request(f"There is no event {event!r} here.", status=404, code="unknown_event"))
        elif session.turn:
            await turn.refuse(BUSY)
        else:
            session.turn = current_task()
            try:
                await turn.take(lambda: voice.ask(arguments[0] if arguments else None))
            finally:
                session.turn = None
        return voice.ack


def asgi(chatbot: Chatbot, api_key: str) -> ASGIApp:
    app = socketio.ASGIApp(Face(chatbot, api_key).server)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def stamping(message: Message) -> None:
            await send(_stamped(message))

        await app(scope, receive, stamping)

    return serve


def _stamped(message: Message) -> Message:
    """Padded with white space to its former length, because a length may have been sent before."""
    for name in ("text", "body"):
        said = message.get(name)
        mark: Any = str(_MARK) if isinstance(said, str) else str(_MARK).encode()
        if said and mark in said:
            now: Any = f"{time.monotonic_ns():18d}"
            return {**message, name: said.replace(mark, now if isinstance(said, str) else now.encode())}
    return message

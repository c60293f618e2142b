"""Counts every request and checks its key before anything reads its body."""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mock_chatbot.core.chatbot import Headers
from mock_chatbot.core.errors import UNAUTHORIZED, Failure, invalid_request
from mock_chatbot.core.responses import failure_response
from mock_chatbot.core.stats import Stats
from mock_chatbot.faces.sockets import reject

CHATS = frozenset({("POST", "/v1/chat/completions"), ("POST", "/chat"), ("POST", "/ndjson"), ("GET", "/sse")})
OWN_PATHS = "/__"
"""Prefix of the server's own pages: neither counted nor locked."""

SOCKET_IO = "/socket.io/"
OWN_CREDENTIALS = "/nuc/"
"""Prefix of a face with its own check of the key; Socket.IO has one too."""


def admits(headers: Headers, api_key: str) -> bool:
    """Whether `Authorization: Bearer` has the key; without a key everybody is admitted."""
    sent = next((value for name, value in headers if name == b"authorization"), b"")
    return not api_key or compare_digest(sent[:7].lower() + sent[7:], b"bearer " + api_key.encode())


class AuthMiddleware:
    """ASGI middleware: counts every request and checks its key before anything reads its body."""

    def __init__(self, app: ASGIApp, sockets: Mapping[str, ASGIApp], stats: Stats, api_key: str) -> None:
        """`sockets`: handlers of WebSocket upgrades by path, and of Socket.IO by its prefix."""
        self._app, self._sockets = app, sockets
        self._stats = stats
        self._key = api_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"} and scope["path"].startswith(SOCKET_IO):
            await self._sockets[SOCKET_IO](scope, receive, send)  # not a request either: its turns are
            return
        if scope["type"] == "websocket":
            await self._upgrade(scope, receive, send)
            return
        if scope["type"] != "http" or scope["path"].startswith(OWN_PATHS):
            await self._app(scope, receive, send)
            return
        self._stats.requests += 1
        app = self._app if self._admits(scope) else failure_response(UNAUTHORIZED)
        if (scope["method"], scope["path"]) in CHATS:
            await self._count_chat(app, scope, receive, send)
        else:
            await app(scope, receive, self._count_status(send))

    async def _upgrade(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A connection is not a request: its turns are. A refused connection is one."""
        socket = self._sockets.get(scope["path"])
        failure: Failure | None = None
        if not self._admits(scope):
            failure = UNAUTHORIZED
        elif socket is None:
            failure = invalid_request(f"Not Found (WebSocket {scope['path']})", status=404)
        if failure:
            await reject(self._stats, failure, scope, receive, send)
        elif socket:
            await socket(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        return scope["path"].startswith(OWN_CREDENTIALS) or admits(scope["headers"], self._key)

    def _count_status(self, send: Send) -> Send:
        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._stats.count_status(message["status"])
            await send(message)

        return counting

    async def _count_chat(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        status, complete = 0, False
        counting = self._count_status(send)

        async def watching(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                await counting(message)
            else:
                complete = not message.get("more_body", False)
                await send(message)

        self._stats.chat_begins()
        try:
            await app(scope, receive, watching)
        finally:
            self._stats.chat_ends(answered=complete and status < 400, failed=status >= 400)

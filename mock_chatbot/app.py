"""The application: dialects, the server's own pages, and every error in OpenAI's form."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mock_chatbot.core.chatbot import Chatbot
from mock_chatbot.core.errors import InvalidInput, invalid_request
from mock_chatbot.core.responses import failure_response
from mock_chatbot.faces import generic, nuc, openai, split, websocket
from mock_chatbot.faces.auth import SOCKET_IO, AuthMiddleware
from mock_chatbot.faces.nuc import NucSettings


def create_app(chatbot: Chatbot, api_key: str = "", nuc_settings: NucSettings | None = None) -> ASGIApp:
    """`api_key`: requests without it in `Authorization: Bearer` get a 401; empty: no key is required."""
    app = FastAPI(title="Mock chatbot", openapi_url=None)
    app.include_router(openai.router(chatbot))
    app.include_router(generic.router(chatbot))

    @app.get("/__stats")
    async def stats() -> dict[str, Any]:
        return chatbot.stats.as_dict()

    @app.post("/__stats/reset", status_code=HTTPStatus.NO_CONTENT)
    async def reset() -> None:
        chatbot.reset()

    app.exception_handler(InvalidInput)(_invalid)
    app.exception_handler(HTTPException)(_bad_request)
    app.include_router(split.router(chatbot))
    desk = nuc.Desk(nuc_settings or NucSettings(), api_key)
    app.include_router(nuc.router(desk))
    sockets: dict[str, ASGIApp] = {
        "/ws": websocket.socket(chatbot),
        "/nuc/ws": nuc.socket(chatbot, desk),
        SOCKET_IO: _LateSocketIo(chatbot, api_key),
    }
    return AuthMiddleware(app, sockets, chatbot.stats, api_key)


class _LateSocketIo:
    """Loads the face on first use, because it takes longer to load than all the rest."""

    def __init__(self, chatbot: Chatbot, api_key: str) -> None:
        self._chatbot, self._api_key = chatbot, api_key
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            from mock_chatbot.faces import socketio_face

            self._app = socketio_face.asgi(self._chatbot, self._api_key)
        await self._app(scope, receive, send)


async def _invalid(_request: Request, exc: InvalidInput) -> Response:
    return failure_response(exc.failure())


async def _bad_request(request: Request, exc: HTTPException) -> Response:
    message = f"{exc.detail} ({request.method} {request.url.path})"
    return failure_response(invalid_request(message, status=exc.status_code))

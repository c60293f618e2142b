"""What sockets were refused: before they opened, and when the right to them ended."""

from __future__ import annotations

import logging
from io import BytesIO
from typing import Any

from channels.db import database_sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError

from audit.middleware import REFUSALS
from audit.models import Door
from audit.services import record_refusal

logger = logging.getLogger(__name__)
CODES = 4000
"""Closing codes are this and the status that a page would have."""
DENIED = 403
"""By a library's validator of origins, which gives no code."""


class AuditedSocket:
    """Around a socket's application, below the authentication and the routes."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        async def sent(message: Any) -> None:
            if message["type"] == "websocket.close" and (status := _status(message)) in REFUSALS:
                await database_sync_to_async(_note)(scope, status)
            await send(message)

        return await self.application(scope, receive, sent)


def _status(message: Any) -> int:
    return DENIED if (code := message.get("code")) is None else int(code) - CODES


def _note(scope: Any, status: int) -> None:
    about = {"on": ("", scope["url_route"]["kwargs"].get("pk", ""), scope["path"]), "details": {"status": status}}
    try:
        record_refusal("request.socket", request=_request(scope), door=Door.SOCKET, **about)
    except DatabaseError:
        logger.exception("audit_lost: %s", scope["path"])


def _request(scope: Any) -> ASGIRequest:
    """The handshake, without what has a format that it may not keep to."""
    headers = [(name, value) for name, value in scope["headers"] if not name.startswith(b"content-")]
    request = ASGIRequest({**scope, "method": "GET", "query_string": b"", "headers": headers}, BytesIO())
    request.user = scope["user"]
    return request

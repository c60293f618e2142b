"""Refuses sockets whose Origin is no address: the validators behind end in an error of the server there."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier


class ReadableOrigins:
    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        given = [value for name, value in scope.get("headers", ()) if name == b"origin"]
        answering = self._application if all(map(_is_readable, given)) else WebsocketDenier()
        return await answering(scope, receive, send)


def _is_readable(origin: bytes) -> bool:
    try:
        return urlsplit(origin.decode("latin-1")).port != 0
    except ValueError:
        return False

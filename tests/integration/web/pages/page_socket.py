"""Live pages' sockets without a server: opened and read as a browser does."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from runs.models import Run
from tests.integration.web import made_up
from tokenburn_site.asgi import application

WAIT_S = 60.0


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def cookie(user: User) -> str:
    return f"{settings.SESSION_COOKIE_NAME}={session_of(user)}"


def page(run: Run, session: str = "", last: str = "", origin: str = "http://localhost:8000") -> WebsocketCommunicator:
    """A page's socket, as a browser opens it."""
    given = {"host": "localhost:8000", "origin": origin, "cookie": session}
    encoded = [(name.encode(), value.encode()) for name, value in given.items() if value]
    return WebsocketCommunicator(application, f"/ws/runs/{run.pk}/" + (f"?last={last}" if last else ""), encoded)


def in_loop(steps: Callable[[], Awaitable[Any]]) -> Any:
    return async_to_sync(steps)()


async def until(socket: WebsocketCommunicator, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """The messages up to the one with which there are enough."""
    messages: list[dict[str, Any]] = []
    while not enough(messages):
        messages.append(json.loads(await socket.receive_from(timeout=WAIT_S)))
    return messages


def entries(messages: list[dict[str, Any]]) -> list[Any]:
    return [entry for message in messages if message["type"] == "entries" for entry in message["entries"]]


def viewer() -> str:
    """The session of somebody who may look and read."""
    return cookie(made_up.user("runs.view_run", "runs.view_texts"))


def refused(socket: WebsocketCommunicator) -> bool:
    async def steps() -> bool:
        connected, _ = await socket.connect(timeout=WAIT_S)
        await socket.disconnect()
        return not connected

    return bool(in_loop(steps))

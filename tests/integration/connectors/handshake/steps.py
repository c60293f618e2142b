"""A bot with steps before its conversations, and conversations at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from connectors.registry import Lane, connector_class
from connectors.spec import TargetSpec
from connectors.target import CompiledTarget
from tests.hostile import http
from tests.hostile.table import whole
from tests.integration.connectors.lanes import LANES, Turn, make_spec, say, wait
from tests.integration.connectors.scripted import Asked, says

lanes = pytest.mark.parametrize("lane", LANES)
SECRET = "planted-key"
TOKEN = {"name": "token", "url": "/token", "headers": {"X-Key": "{{ secret.api_key }}"}, "save": {"token": "token"}}
RUN_TOKEN = {**TOKEN, "per": "run"}
CHAT = {
    "name": "chat",
    "url": "/chats/{{ saved.token }}",
    "headers": {"Authorization": "Bearer {{ saved.token }}"},
    "body": {"token": "{{ saved.token }}", "user": "{{ session.id }}"},
    "expect": [201],
    "save": {"chat": "session_id"},
}
REQUEST = {"path": "/say/{{ saved.chat }}", "headers": {"Authorization": "Bearer {{ saved.token }}"}}
SAY = {"path": "/say", "headers": {"Authorization": "Bearer {{ saved.token }}"}}


def spec_with(url: str, steps: list[dict[str, Any]], **overrides: Any) -> TargetSpec:
    spec = make_spec("http", url, **{"handshake": {"steps": steps}, "request": REQUEST} | overrides)
    return TargetSpec.model_validate(spec.wire_dict() | {"secrets": {"api_key": SECRET}})


class Bot:
    """Gives tokens t1, t2, ... and chats c1, c2, ...; `refuse` says which turns it answers with 401."""

    def __init__(self, refuse: Callable[[Asked], bool] = lambda _: False, **token: Any) -> None:
        self._refuse = refuse
        self._token = token
        self._lock = threading.Lock()
        self._numbers = count(1)

    def __call__(self, request: Asked) -> bytes:
        if request.path.startswith("/say"):
            refused = whole(b'{"error":"expired"}', status="401 No")
            return refused if self._refuse(request) else whole(http.GOOD)
        with self._lock:
            number = next(self._numbers)
        if request.path == "/token":
            return says({"token": f"t{number}", **self._token})
        return says({"session_id": f"c{number}"}, "201 Created")


def converse_at_once(
    lane: Lane, target: CompiledTarget, number: int, begun: threading.Semaphore | None = None
) -> list[Turn]:
    """As many conversations at the same time, one turn each. `begun` is released for each that begins."""
    kind = connector_class(target.spec.protocol, lane)

    async def conversation() -> Turn:
        connector = kind(target)
        connector.begin({"id": "s"})
        if begun is not None:
            begun.release()
        try:
            return await say(connector, "hello")
        finally:
            await wait(connector.disconnect())

    async def all_of_them() -> list[Turn]:
        return list(await asyncio.gather(*(conversation() for _ in range(number))))

    if lane == "load":
        return asyncio.run(all_of_them())
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda _: asyncio.run(conversation()), range(number)))

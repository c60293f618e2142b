"""A server of HTTP/2, users of it on the load lane, and what they need in tests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from connectors.registry import connector_class
from connectors.spec import TargetSpec
from connectors.target import CompiledTarget
from tests.hostile.http2.answers import ANSWER
from tests.hostile.server import HostileServer
from tests.integration.connectors.lanes import Turn, make_spec, say, wait
from tests.support.servers.http2_server import Answer, Asked, http2_script

EVENTS = ("content-type", "text/event-stream")
NO_ERROR, CANCEL, REFUSED_STREAM = 0, 8, 7


def events(asked: Asked) -> None:
    asked.answer(ANSWER, EVENTS)


def spec(url: str, *, streams: int | None = None, **overrides: Any) -> TargetSpec:
    http = {"version": "2"} | ({"streams_per_connection": streams} if streams else {})
    return make_spec("http2", url, http=http, **overrides)


class Served:
    """A server with `answer`, for one test."""

    def __init__(self, answer: Answer = events, tls: ssl.SSLContext | None = None, **settings: int) -> None:
        script, self.seen = http2_script(answer, **settings)
        self.server = HostileServer(script, tls)

    def __enter__(self) -> Served:
        self.server.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.server.__exit__(*error)

    @property
    def url(self) -> str:
        return f"{self.server.url}/v1"


def users(number: int, target: TargetSpec, work: Callable[[list[Any]], Coroutine[Any, Any, Any]]) -> Any:
    """What `work` returns of so many connectors in one loop."""

    async def all_of_them() -> Any:
        compiled = CompiledTarget(target)
        made = [connector_class(target.protocol)(compiled) for _ in range(number)]
        for connector in made:
            connector.begin({"id": "s"})
        try:
            return await work(made)
        finally:
            for connector in made:
                await wait(connector.disconnect())
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(all_of_them())


async def at_once(connectors: list[Any]) -> list[Turn]:
    return list(await asyncio.gather(*(say(connector, f"from {i}") for i, connector in enumerate(connectors))))


def steps(turn: Turn) -> dict[str, int]:
    return turn.timeline.handshake_ns or {}

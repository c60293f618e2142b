"""A client against a script, and what its turns came to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connectors.registry import Lane
from tests.hostile.server import HostileServer, Script
from tests.integration.connectors.lanes import ROOMY, Client, Turn, make_spec

Doc = dict[str, Any]


@contextmanager
def client(lane: Lane, protocol: str, script: Script, **overrides: Any) -> Iterator[Client]:
    with HostileServer(script) as server:
        spec = make_spec(protocol, server.url, timeouts=ROOMY, **overrides)
        with Client(lane, spec) as talk:
            yield talk


def came_to(turn: Turn) -> tuple[str | None, str | None]:
    return turn.code, turn.timeline.kind

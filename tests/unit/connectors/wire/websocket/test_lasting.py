"""The load lane's messages that keep a connection alive."""

from __future__ import annotations

import asyncio

from connectors.spec import build_target_spec
from connectors.target import CompiledTarget
from connectors.wire.websocket.connector import WebSocketConnector

BEAT = {"keep_alive": {"every_s": 0.1, "body": {"type": "ping"}}}


def test_a_connection_that_rests_is_kept_alive_no_longer() -> None:
    target = CompiledTarget(build_target_spec(name="t", url="ws://h", preset="generic-websocket", overrides=BEAT))

    async def kept() -> tuple[bool, bool]:
        connector = WebSocketConnector(target)
        connector.keep_alive()
        beat = connector._beat
        assert beat is not None
        before = beat.cancelled()
        connector.rest()
        connector.rest()  # again: there is none any more
        return before, beat.cancelled()

    assert asyncio.run(kept()) == (False, True)

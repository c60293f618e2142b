"""What the tests of WebSocket read of turns, and how they wait."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.hostile.frames import CLOSE, FIN, frame
from tests.integration.connectors.lanes import LANES, Client, Turn

lanes = pytest.mark.parametrize("lane", LANES)
LONG = {"connect": 30, "first_byte": 30, "idle": 30, "total": 30}
GOODBYE = frame((1001).to_bytes(2, "big") + b"restart", CLOSE, FIN)
STEPS = {"resolve", "connect", "upgrade"}


def said(turns: list[Turn]) -> list[tuple[str | None, str]]:
    return [(turn.code, turn.text) for turn in turns]


def steps(turns: list[Turn]) -> list[set[str]]:
    return [set(turn.timeline.handshake_ns or {}) for turn in turns]


def wait_for(client: Client, holds: Callable[[], bool]) -> None:
    """Until `holds`, while the lane's loop runs."""
    until = time.monotonic() + 30
    while not holds() and time.monotonic() < until:
        client.idle(0.005)
    assert holds()

"""What the reference lane sends over a WebSocket between two turns."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from connectors.errors import BrokenTransport
from connectors.reference.websocket.client import WsClient
from connectors.reference.websocket.connector import WebSocketConnector
from connectors.reference.websocket.socket import WatchedSocket, keep
from connectors.spec import build_target_spec
from connectors.target import CompiledTarget


class Full:
    """A connection whose target reads no longer."""

    def settimeout(self, seconds: float) -> None: ...

    def sendall(self, data: bytes) -> None:
        raise TimeoutError("timed out")

    def close(self) -> None: ...


@pytest.fixture
def connector(monkeypatch: pytest.MonkeyPatch) -> WebSocketConnector:
    """Between two turns: the last one is over."""
    made = WebSocketConnector(CompiledTarget(build_target_spec(name="t", url="ws://h", preset="generic-websocket")))
    timeline = made.timeline(0)
    timeline.sent(1, 1)
    timeline.done_ns = 2
    watch = made._watch
    watch.begin(timeline)
    watch.phase = "idle"
    full = Full()
    monkeypatch.setattr(watch, "dial", lambda *, lasting: full)
    made._sock = sock = WatchedSocket(made.target.endpoint, watch)
    sock.answer.status = 101
    made._client = WsClient(sock, watch, 1000)
    made._client.connected = made._asked = True
    return made


def test_a_target_that_takes_no_answer_to_its_ping_is_lost_and_no_thread_dies(connector: WebSocketConnector) -> None:
    client: Any = connector._client
    client.pong(b"ping")
    once = threading.Event()

    def drain() -> None:
        once.set()
        connector._drain()

    keep(once, 0.001, threading.RLock(), drain)
    assert connector._client is None
    assert isinstance(connector._lost, BrokenTransport)
    assert str(connector._lost).startswith("connection_closed: between two turns: the target does not take")


def test_a_connection_whose_target_takes_no_farewell_is_closed(connector: WebSocketConnector) -> None:
    connector.disconnect()
    assert connector._sock is None

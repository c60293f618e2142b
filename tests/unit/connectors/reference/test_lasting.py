"""The reference lane between the messages of a turn: which time limits run, and what is not sent."""

from __future__ import annotations

import time
from typing import Any

import pytest

from connectors.errors import TurnError
from connectors.mapping.request import RenderedRequest
from connectors.reference.socketio.engine_socket import EngineSocket
from connectors.reference.websocket.client import WsClient
from connectors.reference.websocket.connector import WebSocketConnector
from connectors.spec import build_target_spec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline

REQUEST = RenderedRequest("GET", "/", (), b"hello")
BESIDE = {"before": [{"body": {"type": "typing"}, "until": {"path": "ok"}}], "after": [{"body": {"type": "seen"}}]}


class Watch:
    phase = "idle"

    def __init__(self) -> None:
        self.done: list[str] = []

    def sent_aside(self) -> None:
        self.done.append("limits begin anew")


def test_limits_begin_with_the_turns_own_message_and_none_runs_for_what_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = CompiledTarget(build_target_spec(name="t", url="ws://h", preset="generic-websocket", overrides=BESIDE))
    connector, watch = WebSocketConnector(target), Watch()
    monkeypatch.setattr(connector, "_watch", watch, raising=False)
    monkeypatch.setattr(connector, "hold", lambda *given: watch.done.append("before"))
    monkeypatch.setattr(connector, "say_after", lambda timeline: watch.done.append(f"after, {watch.phase}"))

    def exchange(request: RenderedRequest, timeline: Timeline) -> None:
        watch.phase = "turn"
        watch.done.append("exchange")

    connector.around(REQUEST, connector.timeline(0), exchange)
    assert watch.done == ["before", "limits begin anew", "exchange", "after, idle"]


def test_messages_without_end_do_not_put_off_what_is_waited_for() -> None:
    hello = {"hello": [{"body": {"type": "join"}, "until": {"path": "ok"}, "within_s": 0.02}]}
    connector = WebSocketConnector(
        CompiledTarget(build_target_spec(name="t", url="ws://h", preset="generic-websocket", overrides=hello))
    )
    until_s = time.monotonic() + 5
    taken: list[float] = []

    def take(left_s: float) -> None:
        assert time.monotonic() < until_s
        taken.append(left_s)
        connector.idle_event(b'{"type": "busy"}', 1)

    connector.expect_greeting()
    with pytest.raises(TurnError, match="connect_timeout"):
        connector.wait_for_greeting(take)
    assert len(taken) > 1
    assert 0 < min(taken) < max(taken) <= 0.02


def test_a_packet_that_version_2_does_not_want_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def send(self: WsClient, payload: str, opcode: int = 1) -> int:
        sent.append(payload)
        return len(payload)

    monkeypatch.setattr(WsClient, "send", send)
    socket = object.__new__(EngineSocket)
    for payload, size in (("", 0), ("42[]", 4)):
        monkeypatch.setattr(EngineSocket, "_said", lambda self, given, says=payload: says)
        socket.sent_bytes = 0
        assert (socket.send("40"), socket.sent_bytes) == (size, size)
    assert sent == ["42[]"]

"""The recorded exchanges once over a real socket, in both lanes: what is sent, and what is read."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
import pytest
import uvloop

from connectors.base import BaseConnector
from connectors.errors import TurnError
from connectors.registry import Lane, connector_class
from connectors.spec import ONE_ANSWER
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from tests.hostile.frames import frame, read_frame, upgrade
from tests.hostile.server import HostileServer, Peer, Script
from tests.integration.connectors.lanes import LANES, LIMITS, ROOMY, wait
from tests.support.recordings import (
    SESSION,
    Case,
    check_outcome,
    recorded_cases,
    recording,
    sent_body,
    wire_bytes,
    without_secrets,
)

OVER_HTTP = [case for case in recorded_cases() if case.spec().protocol in ONE_ANSWER]


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("case", OVER_HTTP, ids=str)
def test_a_recorded_exchange_goes_over_the_wire(case: Case, lane: Lane) -> None:
    steps = recording(case.preset).get("handshake", {}).get("steps", []) if case.data.get("handshake", True) else []
    then = case.data.get("then", [])

    def replay(peer: Peer) -> None:
        for answer in (*(part["answer"] for part in (*steps, *then)), case.answer):
            peer.read_request()
            peer.send(wire_bytes(answer))
        peer.hold()

    sent = replayed(case, lane, replay)[len(steps) :]
    expected = [case.data["request"], *(part["request"] for part in then)]
    for wanted, request in zip(expected, sent, strict=True):
        check_request(wanted, case.data.get("secrets") or {}, request)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("case", [case for case in recorded_cases() if "dialogue" in case.data], ids=str)
def test_a_recorded_dialogue_goes_over_a_websocket(case: Case, lane: Lane) -> None:
    """With the messages before the turn's own."""
    heard = []

    def replay(peer: Peer) -> None:
        upgrade(peer)
        for part in case.data["dialogue"]:
            if "they" in part:
                peer.send(frame(orjson.dumps(part["they"])))
            else:
                heard.append(orjson.loads(read_frame(peer)[1]))
        peer.hold()

    replayed(case, lane, replay)
    assert heard == [part["we"] for part in case.data["dialogue"] if "we" in part]


def replayed(case: Case, lane: Lane, script: Script) -> list[bytes]:
    """What the lane has sent in a turn with it, which ends as recorded."""
    with HostileServer(script) as server:
        spec = case.spec(server.url.removesuffix("/v1"), timeouts=ROOMY, limits=LIMITS)
        connector = connector_class(spec.protocol, lane)(CompiledTarget(spec))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            timeline, error = runner.run(turn(connector, case))
    check_outcome(case, timeline, error)
    return server.requests


async def turn(connector: BaseConnector, case: Case) -> tuple[Timeline, TurnError | None]:
    connector.begin(SESSION)
    connector.saved.update(case.data.get("saved", {}))
    timeline = connector.timeline(time.monotonic_ns())
    try:
        await wait(connector.connect())
        await wait(connector.send_message(connector.render(case.context()), timeline))
        connector.finish_turn(timeline)
    except TurnError as exc:
        return timeline, exc
    finally:
        await wait(connector.disconnect())
    return timeline, None


def check_request(expected: dict[str, Any], secrets: dict[str, str], sent: bytes) -> None:
    head, _, body = sent.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert first == f"{expected['method']} {expected['path']} HTTP/1.1"
    assert sent_body(headers, body) == expected["body"]
    wanted = {name.lower(): value for name, value in expected["headers"].items()}
    assert wanted.items() <= without_secrets(headers, secrets).items()
    assert headers.get("content-type") == wanted.get("content-type", "application/json" if body else None)

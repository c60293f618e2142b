"""Several messages in a WebSocket frame, and messages over several frames, by a separator."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from connectors.registry import Lane
from connectors.websocket.records import Records
from tests.hostile.frames import frame, read_frame, upgrade
from tests.hostile.server import HostileServer, Peer
from tests.integration.connectors.lanes import Client
from tests.integration.connectors.lasting.test_websocket import spec
from tests.integration.connectors.websocket.talking import lanes, said


def in_records(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\x1e" for value in values)


@lanes
@pytest.mark.parametrize("end", [b"", b"\x1e"])
def test_records_are_read_one_by_one_however_they_are_sent(lane: Lane, end: bytes) -> None:
    heard: list[bytes] = []

    def script(peer: Peer) -> None:
        upgrade(peer)
        peer.send(frame(in_records({"type": "noise"}, {"type": "welcome", "sid": 7})))
        heard.append(read_frame(peer)[1])
        whole = in_records({"type": "delta", "text": "one "}, {"type": "delta", "text": "two"}, {"type": "end"})
        peer.send(frame(whole[:20]) + frame(whole[20:50]) + frame(whole[50:]))
        heard.append(read_frame(peer)[1])
        peer.send(frame(in_records({"type": "delta", "text": "three"}) + b"x" * 40_000))
        peer.send(frame(b"x" * 40_000 + end))
        peer.hold()

    quiet: dict[str, Any] = {"hello": None, "before": None, "after": None, "goodbye": None}
    separated: dict[str, Any] = {"websocket": {"separator": "\x1e"}, "limits": {"event_bytes": 65536}}
    with HostileServer(script) as server, Client(lane, spec(server.url, **quiet, **separated)) as client:
        turns = [client.say(), client.say()]
    assert said(turns) == [(None, "one two"), ("message_too_large", turns[1].text)], [turn.error for turn in turns]
    assert heard == [in_records({"type": "create"}).replace(b" ", b"")] * 2


def test_a_record_in_many_pieces_costs_no_more_than_its_bytes() -> None:
    records = Records("<>", 2_000_000)
    began = time.process_time()
    found = [records.feed(b"x") for _ in range(300_000)]
    assert time.process_time() - began < 4
    assert not any(found)
    assert records.feed(b"<") == []
    assert records.feed(b">y<>z") == [b"x" * 300_000, b"y"]
    assert records.feed(b"<><>") == [b"z"]

"""Servers of Socket.IO 2 (Engine.IO 3), and those that do not say what they are, in both lanes."""

from __future__ import annotations

import json
import time

import pytest

from connectors.registry import Lane
from connectors.spec import SpecError
from tests.hostile.frames import BINARY, frame, read_message, upgrade
from tests.hostile.server import HostileServer, Peer
from tests.hostile.socketio import CONNECTED, event, message, packet
from tests.integration.connectors.lanes import Client, make_spec, one_turn
from tests.integration.connectors.websocket.talking import lanes, said

OPENED = packet("0" + json.dumps({"sid": "e1", "upgrades": [], "pingInterval": 100, "pingTimeout": 30000}))
"""What versions 3 and 4 before maxPayload both say."""
ATTACHED = message("51-", ["delta", {"text": "one ", "raw": {"_placeholder": True, "num": 0}}])
PONG = packet("3")


def next_but_pings(peer: Peer, pings: list[float]) -> bytes:
    while (said := read_message(peer)) == b"2":
        pings.append(time.monotonic())
        peer.send(PONG)
    return said


@lanes
def test_a_server_of_version_2_is_found_out_pinged_and_understood(lane: Lane) -> None:
    asked: list[bytes] = []
    pings: list[float] = []

    def script(peer: Peer) -> None:
        upgrade(peer)
        peer.send(OPENED + packet("40"))
        asked.append(next_but_pings(peer, pings))
        peer.send(packet("40/generic,"))
        for _ in range(2):
            asked.append(next_but_pings(peer, pings))
            before = len(pings)
            while len(pings) == before:
                read_message(peer)
                pings.append(time.monotonic())
                peer.send(PONG)
            peer.send(ATTACHED + frame(b"\x04bytes", BINARY) + event("delta", {"text": "two"}) + event("done", {}))
        peer.hold()

    overrides = {"namespace": "/generic", "ack": False}
    with HostileServer(script) as server:
        with Client(lane, make_spec("socketio", server.url, socketio=overrides)) as client:
            turns = [client.say()]
            known = len(pings)
            client.idle(0.15)
            turns.append(client.say())
            client.connector.begin({"id": "another"})
            turns.append(client.say())
        heads = [request.split(b" ")[1] for request in server.requests]
    assert said(turns) == [(None, "one two")] * 3, [turn.error for turn in turns]
    assert asked[0] == asked[3] == b"40/generic,"
    assert len(pings) > known
    assert [b"EIO=4" in heads[0], b"EIO=3" in heads[1]] == [True, True]


@lanes
def test_a_server_that_could_be_of_version_2_and_is_not_is_asked_to_join(lane: Lane) -> None:
    asked: list[bytes] = []

    def script(peer: Peer) -> None:
        upgrade(peer)
        peer.send(OPENED)
        asked.append(read_message(peer))
        peer.send(CONNECTED)
        read_message(peer)
        peer.send(event("delta", {"text": "four"}) + event("done", {}))
        peer.hold()

    with HostileServer(script) as server, Client(lane, make_spec("socketio", server.url)) as client:
        turn = client.say()
    assert said([turn]) == [(None, "four")], turn.error
    assert asked == [b"40/generic,{}"]


@lanes
def test_auth_has_no_effect_with_version_2_and_is_refused(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        upgrade(peer)
        peer.send(OPENED + packet("40"))
        peer.hold()

    with HostileServer(script) as server:
        turn = one_turn(lane, make_spec("socketio", server.url, socketio={"auth": {"token": "t"}}))
    assert turn.error is not None
    assert (turn.code, "socketio.auth has no effect" in turn.error.detail) == ("request_invalid", True)
    with pytest.raises(SpecError, match="auth has no effect with eio 3"):
        make_spec("socketio", "http://t.example", socketio={"eio": 3, "auth": {"token": "t"}})

"""What WebSocket adds to a connection's life on both lanes: the upgrade, unrequested messages, an end between turns."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from connectors.registry import Lane
from tests.hostile import websocket
from tests.hostile.frames import (
    BINARY,
    TEXTUAL,
    accepted,
    read_frame,
    read_message,
    upgrade,
)
from tests.hostile.server import HostileServer, Peer
from tests.hostile.sse import TEXT
from tests.hostile.table import whole
from tests.hostile.websocket import ANSWER
from tests.integration.connectors.lanes import Client, make_spec, one_turn
from tests.integration.connectors.websocket.talking import LONG, STEPS, lanes, said, steps


@lanes
def test_turns_of_a_conversation_share_a_connection_and_the_next_conversation_has_its_own(lane: Lane) -> None:
    with HostileServer(websocket.good) as server, Client(lane, make_spec("websocket", server.url)) as client:
        turns = client.say_all(["one", "two", "three"])
        assert server.connections == 1
        client.connector.begin({"id": "another"})
        turns += client.say_all(["four"])
        assert server.connections == 2
    assert said(turns) == [(None, TEXT)] * 4
    assert steps(turns) == [STEPS, set(), set(), STEPS]


@lanes
def test_the_upgrade_and_the_message_are_what_the_mapping_says(lane: Lane) -> None:
    asked: list[Any] = []

    def script(peer: Peer) -> None:
        upgrade(peer, "Sec-WebSocket-Protocol: v2.chat")
        asked.append(json.loads(read_message(peer)))
        peer.send(ANSWER)
        peer.hold()

    own = {
        "path": "/ws/{{ session.id }}?key={{ secret.key }};v=1",
        "headers": {"X-Name": "M\xfcller", "Host": "bot.example"},
    }
    form = {"subprotocols": ["v1.chat", "v2.chat"], "compression": False}
    with HostileServer(script) as server:
        spec = make_spec("websocket", server.url, request=own, websocket=form, secrets={"key": "s3cret"})
        assert one_turn(lane, spec).code is None
        [head] = server.requests
    lines = head.split(b"\r\n")
    names = [line.partition(b":")[0].lower() for line in lines[1:] if line]
    assert lines[0] == b"GET /ws/s?key=s3cret;v=1 HTTP/1.1"
    assert {b"X-Name: M\xfcller", b"Host: bot.example", b"User-Agent: token-burn"} <= set(lines)
    assert [line.replace(b" ", b"") for line in lines if line.lower().startswith(b"sec-websocket-protocol")] == [
        b"Sec-WebSocket-Protocol:v1.chat,v2.chat"
    ]
    assert len(names) == len(set(names))
    assert not {b"sec-websocket-extensions", b"origin", b"cookie"} & set(names)
    assert asked == [{"message": "hello", "session": "s", "history": []}]


@lanes
@pytest.mark.parametrize("binary", [False, True])
def test_a_message_goes_out_as_text_or_binary_as_the_target_says(lane: Lane, binary: bool) -> None:
    kinds: list[int] = []

    def script(peer: Peer) -> None:
        upgrade(peer)
        kinds.append(read_frame(peer)[0])
        peer.send(ANSWER)
        peer.hold()

    with HostileServer(script) as server:
        assert one_turn(lane, make_spec("websocket", server.url, websocket={"binary": binary})).code is None
    assert kinds == [BINARY if binary else TEXTUAL]


@lanes
def test_a_subprotocol_that_was_wanted_and_not_chosen_is_no_upgrade(lane: Lane) -> None:
    with HostileServer(websocket.good) as server:
        turn = one_turn(lane, make_spec("websocket", server.url, websocket={"subprotocols": ["v2.chat"]}))
    assert turn.code == "upgrade_malformed", turn.error


@lanes
def test_a_refused_upgrade_says_why_and_what_to_do(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(whole(b'{"error": {"message": "the token is spent"}}', status="401 Unauthorized"))
        peer.hold()

    with HostileServer(script) as server:
        turn = one_turn(lane, make_spec("websocket", server.url))
    assert turn.error is not None
    assert (turn.code, turn.error.detail) == ("http_401", "the token is spent")
    assert "credentials" in turn.error.advice


@lanes
def test_a_cookie_of_one_session_is_not_sent_by_another(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        upgrade(peer, "Set-Cookie: who=somebody; Domain=target; Path=/", "Set-Cookie: who=somebody; Domain=127.0.0.1")
        read_message(peer)
        peer.send(ANSWER)
        peer.hold()

    with HostileServer(script) as server:
        for _ in range(2):
            assert one_turn(lane, make_spec("websocket", server.url)).code is None
        assert not [request for request in server.requests if b"cookie" in request.lower()]


@lanes
@pytest.mark.parametrize(
    ("name", "before", "gap_s"),
    [("first_byte", b"", 10), ("idle", websocket.PIECES[0], 10), ("total", websocket.PIECES[0], 0.1)],
)
def test_each_deadline_is_kept_though_the_others_are_far(lane: Lane, name: str, before: bytes, gap_s: float) -> None:
    def script(peer: Peer) -> None:
        upgrade(peer)
        read_message(peer)
        peer.send(ANSWER)  # an earlier turn has set the timer already
        read_message(peer)
        peer.send(before)
        while True:
            peer.pause(gap_s)
            peer.send(websocket.PIECES[1])

    long = LONG | {name: 0.4}
    with HostileServer(script) as server, Client(lane, make_spec("websocket", server.url, timeouts=long)) as client:
        first, second = client.say_all(["one", "two"])
    assert (first.code, second.code) == (None, f"{name}_timeout")
    assert 0.35 < second.late_s < 10


@lanes
def test_the_upgrade_is_part_of_connecting(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.hold()

    with HostileServer(script) as server:
        began_s = time.monotonic()
        turn = one_turn(lane, make_spec("websocket", server.url, timeouts=LONG | {"connect": 0.4}))
    assert turn.code == "connect_timeout"
    assert 0.35 < time.monotonic() - began_s < 10


@lanes
def test_a_message_larger_than_any_buffer_arrives_whole(lane: Lane) -> None:
    text = "word " * 400_000
    asked: list[Any] = []

    def script(peer: Peer) -> None:
        peer.send(accepted(peer.read_request()))
        asked.append(json.loads(read_message(peer))["message"])
        peer.send(ANSWER)
        peer.hold()

    with HostileServer(script) as server, Client(lane, make_spec("websocket", server.url, timeouts=LONG)) as client:
        assert client.say(text).code is None
    assert asked == [text]

"""What WebSocket adds to a connection's life on both lanes: the upgrade, what comes unasked, an end between turns."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from connectors.registry import Lane
from tests.hostile import websocket
from tests.hostile.frames import (
    BINARY,
    CLOSE,
    FIN,
    PING,
    PONG,
    TEXTUAL,
    accepted,
    frame,
    read_frame,
    read_message,
    upgrade,
)
from tests.hostile.server import HostileServer, Peer
from tests.hostile.sse import TEXT
from tests.hostile.table import whole
from tests.hostile.websocket import ANSWER
from tests.integration.connectors.lanes import LANES, Client, Turn, make_spec, one_turn

lanes = pytest.mark.parametrize("lane", LANES)
LONG = {"connect": 30, "first_byte": 30, "idle": 30, "total": 30}
STEPS = {"resolve", "connect", "upgrade"}


def said(turns: list[Turn]) -> list[tuple[str | None, str]]:
    return [(turn.code, turn.text) for turn in turns]


def steps(turns: list[Turn]) -> list[set[str]]:
    return [set(turn.timeline.handshake_ns or {}) for turn in turns]


def wait_for(client: Client, holds: Callable[[], bool]) -> None:
    """Until `holds`, while the lane's loop runs."""
    until = time.monotonic() + 5
    while not holds() and time.monotonic() < until:
        client.idle(0.005)
    assert holds()


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
def test_what_comes_between_turns_is_counted_may_be_saved_and_answers_nothing(lane: Lane) -> None:
    sent = threading.Event()

    def script(peer: Peer) -> None:
        upgrade(peer)
        read_message(peer)
        peer.send(ANSWER + frame(b'{"delta": "late"}') + frame(b'{"token": "t2", "delta": "unasked"}', BINARY))
        peer.send(frame(b"not even JSON"))
        sent.set()
        read_message(peer)
        peer.send(ANSWER)
        peer.hold()

    response = {"save": {"token": "token"}}
    with HostileServer(script) as server:
        with Client(lane, make_spec("websocket", server.url, response=response)) as client:
            turns = [client.say()]
            assert sent.wait(5)
            wait_for(client, lambda: client.connector.ready and client.connector.stray == 3)
            turns.append(client.say())
            assert client.connector.saved == {"token": "t2"}
        assert server.connections == 1
    assert said(turns) == [(None, TEXT)] * 2


@lanes
def test_a_ping_is_answered_with_what_it_says(lane: Lane) -> None:
    answers: list[tuple[int, bytes]] = []

    def script(peer: Peer) -> None:
        upgrade(peer)
        read_message(peer)
        peer.send(frame(b"early", PING) + frame(b"are you there?", PING))
        answers.append(read_frame(peer))
        peer.send(ANSWER)
        answers.append(read_frame(peer))
        peer.hold()

    with HostileServer(script) as server:
        assert one_turn(lane, make_spec("websocket", server.url)).code is None
    assert answers == [(PONG, b"are you there?"), (CLOSE, (1000).to_bytes(2, "big"))]


def one_answer(ending: bytes) -> Callable[[Peer], None]:
    """A server that ends each connection after one answer."""

    def script(peer: Peer) -> None:
        upgrade(peer)
        read_message(peer)
        peer.send(ANSWER)
        peer.send(ending)

    return script


GOODBYE = frame((1001).to_bytes(2, "big") + b"restart", CLOSE, FIN)


@lanes
@pytest.mark.parametrize("ending", [b"", GOODBYE], ids=["fin", "close"])
def test_a_connection_lost_between_turns_fails_the_next_one_if_the_target_says_so(lane: Lane, ending: bytes) -> None:
    with HostileServer(one_answer(ending)) as server, Client(lane, make_spec("websocket", server.url)) as client:
        turns = [client.say()]
        wait_for(client, lambda: not client.connector.ready)
        turns += [client.say(), client.say()]
        assert server.connections == 2
    assert said(turns) == [(None, TEXT), ("connection_closed", ""), (None, TEXT)]
    error = turns[1].error
    assert error is not None
    assert "between two turns" in error.detail
    assert "resume" in error.advice
    assert ("restart" in error.detail) == bool(ending)
    assert turns[1].timeline.sent_ns is None


@lanes
@pytest.mark.parametrize("ending", [b"", GOODBYE], ids=["fin", "close"])
def test_a_connection_lost_between_turns_is_made_anew_if_the_target_says_so(lane: Lane, ending: bytes) -> None:
    spec_of = {"websocket": {"reconnect": "resume"}}
    with (
        HostileServer(one_answer(ending)) as server,
        Client(lane, make_spec("websocket", server.url, **spec_of)) as client,
    ):
        turns = [client.say()]
        for _ in range(2):
            wait_for(client, lambda: not client.connector.ready)
            turns.append(client.say())
        assert server.connections == 3
    assert said(turns) == [(None, TEXT)] * 3
    assert steps(turns) == [STEPS] * 3


@lanes
def test_after_a_failed_turn_the_next_one_has_a_new_connection(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        upgrade(peer)
        read_message(peer)
        if len(server.requests) == 1:
            peer.send(frame(b'{"error": {"message": "overloaded"}}') + frame(b'{"delta": "late"}'))
        else:
            peer.send(ANSWER)
        peer.hold()

    with HostileServer(script) as server, Client(lane, make_spec("websocket", server.url)) as client:
        turns = client.say_all(["one", "two"])
        assert server.connections == 2
    assert said(turns) == [("target_error", ""), (None, TEXT)]


@lanes
@pytest.mark.parametrize("noise", [frame(b'{"noise": 1}'), frame(b"noise", PING)], ids=["messages", "pings"])
def test_a_flood_between_turns_keeps_no_turn_from_being_sent(lane: Lane, noise: bytes) -> None:
    def script(peer: Peer) -> None:
        upgrade(peer)
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)  # so that little of it is on its way
        until, asked = time.monotonic() + 10, False
        while not asked and time.monotonic() < until:
            peer.send(noise * 1000)
            if select.select([peer.sock], [], [], 0)[0]:
                asked = read_frame(peer)[0] == TEXTUAL
        if asked:
            peer.send(ANSWER)
            peer.hold()

    with HostileServer(script) as server:
        turn = one_turn(lane, make_spec("websocket", server.url, timeouts=LONG, limits={}))
    assert (turn.code, turn.text) == (None, TEXT), turn.error


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
    assert 0.35 < second.late_s < 1.4


@lanes
def test_the_upgrade_is_part_of_connecting(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.hold()

    with HostileServer(script) as server:
        began_s = time.monotonic()
        turn = one_turn(lane, make_spec("websocket", server.url, timeouts=LONG | {"connect": 0.4}))
    assert turn.code == "connect_timeout"
    assert 0.35 < time.monotonic() - began_s < 1.4


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

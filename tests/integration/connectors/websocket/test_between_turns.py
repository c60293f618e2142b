"""A WebSocket between turns, on both lanes: what comes unrequested, pings, and connections that are lost."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable

import pytest

from connectors.registry import Lane
from tests.hostile.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXTUAL,
    frame,
    read_frame,
    read_message,
    upgrade,
)
from tests.hostile.server import HostileServer, Peer
from tests.hostile.sse import TEXT
from tests.hostile.websocket import ANSWER
from tests.integration.connectors.lanes import Client, make_spec, one_turn
from tests.integration.connectors.websocket.talking import GOODBYE, LONG, STEPS, lanes, said, steps, wait_for


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
            assert sent.wait(30)
            wait_for(client, lambda: client.connector.ready and client.connector.unassigned == 3)
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

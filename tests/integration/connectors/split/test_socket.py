"""A split style whose stream is a WebSocket, on both lanes: what becomes of it between two turns."""

from __future__ import annotations

import pytest

from connectors.registry import Lane
from tests.hostile.frames import accepted
from tests.hostile.server import HostileServer, Peer, Script
from tests.hostile.split import ACK, posts, wait_for_post
from tests.hostile.sse import TEXT
from tests.hostile.websocket import ANSWER
from tests.integration.connectors.lanes import LANES, Client, make_spec
from tests.integration.connectors.websocket.talking import GOODBYE, said, wait_for

lanes = pytest.mark.parametrize("lane", LANES)
endings = pytest.mark.parametrize("ending", [b"", GOODBYE], ids=["fin", "close"])


def one_answer(ending: bytes) -> Script:
    """Each WebSocket answers one message, and ends with `ending`."""

    def script(peer: Peer) -> None:
        request, before = peer.read_request(), posts(peer)
        while not request.startswith(b"GET"):
            peer.send(ACK)
            request = peer.read_request()
        peer.send(accepted(request))
        wait_for_post(peer, before + 1)
        peer.send(ANSWER + ending)

    return script


@lanes
@endings
def test_a_websocket_lost_between_turns_fails_the_next_one_if_the_target_says_so(lane: Lane, ending: bytes) -> None:
    with HostileServer(one_answer(ending)) as server, Client(lane, make_spec("split-websocket", server.url)) as client:
        turns = [client.say()]
        wait_for(client, lambda: not client.connector.ready)
        turns += [client.say(), client.say()]
    assert said(turns) == [(None, TEXT), ("connection_closed", ""), (None, TEXT)]
    error = turns[1].error
    assert error is not None
    assert "between two turns" in error.detail
    assert ("restart" in error.detail) == bool(ending)
    assert turns[1].timeline.sent_ns is None
    assert sum(request.startswith(b"POST") for request in server.requests) == 2


@lanes
@endings
def test_a_websocket_lost_between_turns_is_made_anew_if_the_target_says_so(lane: Lane, ending: bytes) -> None:
    spec = {"websocket": {"reconnect": "resume"}}
    with (
        HostileServer(one_answer(ending)) as server,
        Client(lane, make_spec("split-websocket", server.url, **spec)) as client,
    ):
        turns = [client.say()]
        for _ in range(2):
            wait_for(client, lambda: not client.connector.ready)
            turns.append(client.say())
    assert said(turns) == [(None, TEXT)] * 3


@lanes
def test_another_conversation_does_not_pay_for_what_the_one_before_lost(lane: Lane) -> None:
    with HostileServer(one_answer(b"")) as server, Client(lane, make_spec("split-websocket", server.url)) as client:
        turns = [client.say()]
        wait_for(client, lambda: not client.connector.ready)
        client.connector.begin({"id": "another"})
        turns.append(client.say())
    assert said(turns) == [(None, TEXT)] * 2

"""What comes on a lasting connection behind the failure of a turn: it is the rest of that turn's answer, and neither
something that nobody asked for nor the next question's answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.registry import Lane
from connectors.spec import TargetSpec
from tests.hostile import socketio
from tests.hostile.frames import accepted, frame, read_message, upgrade
from tests.hostile.grpc import PROTO
from tests.hostile.server import HostileServer, Peer, Script
from tests.hostile.split import ACK, posts, wait_for_post
from tests.hostile.sse import STREAM_HEAD
from tests.hostile.table import chunk
from tests.integration.connectors.lanes import LANES, ROOMY, Client, Turn, make_spec
from tests.support.servers.grpc_target import Target, grpc_target

lanes = pytest.mark.parametrize("lane", LANES)
GOOD = {"response": "a good answer", "done": True}
REST = {"response": "half an answer, whole", "done": True}
FAILURES: list[dict[str, Any]] = [
    {"error": "GPU lost"},
    {"type": "error", "message": "overloaded"},
    {"success": False, "message": "no model"},
]
failures = pytest.mark.parametrize("failure", FAILURES, ids=["mapped", "by its type", "by a flag"])


def talk(lane: Lane, spec: TargetSpec) -> tuple[list[Turn], int]:
    """Three turns, and how many messages were counted that no question had requested."""
    with Client(lane, spec) as client:
        turns = client.say_all(["one", "two", "three"])
        client.idle(0.05)
        assert client.connector.ready
        return turns, client.connector.unsolicited


def check(turns: list[Turn], unsolicited: int) -> None:
    assert [turn.code for turn in turns] == ["target_error", None, None]
    assert [turn.text for turn in turns[1:]] == ["a good answer"] * 2
    assert unsolicited == 0


class Once:
    """What answers the first question of all, and then the others; over whatever connections."""

    def __init__(self, first: bytes, others: bytes) -> None:
        self._left = [first]
        self._others = others

    def next(self) -> bytes:
        return self._left.pop() if self._left else self._others


def text(data: dict[str, Any]) -> bytes:
    return frame(json.dumps(data).encode())


@lanes
@failures
def test_websocket(lane: Lane, failure: dict[str, Any]) -> None:
    answers = Once(b"".join(map(text, ({"delta": "half"}, failure, REST))), text(GOOD))

    def script(peer: Peer) -> None:
        upgrade(peer)
        while True:
            read_message(peer)
            peer.send(answers.next())

    with HostileServer(script) as server:
        check(*talk(lane, make_spec("websocket", server.url, timeouts=ROOMY)))
        assert server.connections == 2, "only a new connection is surely free of the old answer"


@lanes
@pytest.mark.parametrize("name", ["error", "exception", "chat_error"])
def test_socketio(lane: Lane, name: str) -> None:
    """Like a server that catches an exception, reports it, and still ends its answer."""
    failed = (socketio.piece("half"), socketio.event(name, {"message": "x"}), socketio.event("done", REST))
    answers = Once(b"".join(failed), socketio.event("done", GOOD))

    def script(peer: Peer) -> None:
        upgrade(peer)
        peer.send(socketio.OPENED)
        read_message(peer)
        peer.send(socketio.CONNECTED)
        while True:
            read_message(peer)
            peer.send(answers.next())

    with HostileServer(script) as server:
        check(*talk(lane, make_spec("socketio", server.url, timeouts=ROOMY, socketio={"ack": False})))
        assert server.connections == 2


def standing(opened: Any, answers: Once, wrap: Any) -> Script:
    """Two kinds of connections: those of the POSTs, and the one that answers."""

    def script(peer: Peer) -> None:
        request, before = peer.read_request(), posts(peer)
        while not request.startswith(b"GET"):
            peer.send(ACK)
            request = peer.read_request()
        peer.send(opened(request))
        while True:
            before += 1
            wait_for_post(peer, before)
            peer.send(wrap(answers.next()))

    return script


def event(data: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % json.dumps(data).encode()


@lanes
@failures
def test_split(lane: Lane, failure: dict[str, Any]) -> None:
    answers = Once(b"".join(map(event, ({"delta": "half"}, failure, REST))), event(GOOD))
    with HostileServer(standing(lambda _: STREAM_HEAD, answers, chunk)) as server:
        check(*talk(lane, make_spec("split", server.url, timeouts=ROOMY)))


@lanes
def test_split_websocket(lane: Lane) -> None:
    answers = Once(b"".join(map(text, ({"delta": "half"}, FAILURES[1], REST))), text(GOOD))
    with HostileServer(standing(accepted, answers, bytes)) as server:
        check(*talk(lane, make_spec("split-websocket", server.url, timeouts=ROOMY)))


@lanes
def test_grpc_stream_that_goes_on(lane: Lane) -> None:
    answered = []

    def answer(asked: str, number: int) -> Iterator[dict[str, Any]]:
        answered.append(asked)
        if len(answered) > 1:
            yield {"delta": "a good answer"}
            yield {"done": True}
            return
        yield {"delta": "half"}
        yield {"response": "GPU lost"}
        for _ in range(50):
            yield {"delta": "the rest "}
        yield {"done": True}

    response = {"text": "delta", "error": "response"}
    grpc = {"method": "tokenburn.mock.v1.Chat/Converse", "proto": PROTO}
    with grpc_target(Target(answer)) as target:
        check(*talk(lane, make_spec("grpc", target.url, timeouts=ROOMY, grpc=grpc, response=response)))
        assert target.streams == 2

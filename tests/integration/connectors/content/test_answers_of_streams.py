"""The rule of what an answer means is the same on every protocol that streams messages."""

from __future__ import annotations

import orjson
import pytest

from connectors.registry import Lane
from tests.hostile import grpc, socketio, split
from tests.hostile.frames import frame, read_message, upgrade
from tests.hostile.http2 import frames as h2
from tests.hostile.ndjson import LINES_HEAD
from tests.hostile.server import Peer, Script
from tests.hostile.table import LAST_CHUNK, chunk
from tests.integration.connectors.content.asking import Doc, came_to, client
from tests.integration.connectors.lanes import LANES

# --- the same rule on the other protocols ---------------------------------------------------------------

FRAMES: dict[str, tuple[tuple[Doc, ...], str | None, str | None]] = {
    "text": (({"delta": "Hello"}, {"done": True}), None, "text"),
    "whole text behind an empty piece": (({"delta": ""}, {"response": "Hello", "done": True}), None, "text"),
    "cut": (({"delta": "Hello"}, {"finish_reason": "length", "done": True}), None, "length"),
    "tool": (({"tool_calls": [{"name": "f"}]}, {"done": True}), None, "tool_call"),
    "end mark only": (({"done": True},), "answer_unmatched", None),
    "elsewhere": (({"bot_says": "Hello"}, {"bot_says": "!", "done": True}), "answer_unmatched", None),
    "empty": (({"response": "", "done": True},), "answer_empty", "empty"),
    "refusal": (({"refusal": "No."}, {"done": True}), "answer_empty", "refusal"),
    "filtered": (({"finish_reason": "content_filter", "done": True},), "answer_empty", "filtered"),
    "failed": (({"delta": "He"}, {"finish_reason": "error", "done": True}), "target_error", None),
    "error beside": (({"delta": "He"}, {"status": "failed", "message": "engine died"}), "target_error", None),
    "error status beside a text": (
        ({"response": "engine died", "status": "error", "done": True},),
        "target_error",
        None,
    ),
    "status code beside a text": (
        ({"response": "engine died", "statusCode": 500, "done": True},),
        "target_error",
        None,
    ),
    "no success beside a text": (({"response": "engine died", "success": False, "done": True},), "target_error", None),
    "error type in a piece": (
        ({"delta": "engine died", "error_type": "overloaded", "done": True},),
        "target_error",
        None,
    ),
    "class beside a text": (
        ({"response": "Slow", "__type": "ThrottlingException", "done": True},),
        "target_error",
        None,
    ),
    "well beside a text": (
        ({"response": "Hi", "success": True, "code": 0, "status": "ok", "done": True},),
        None,
        "text",
    ),
    "error instead": (({"error_code": 50001, "message": "engine died"},), "target_error", None),
}


def told(data: bytes) -> list[Doc]:
    """The frames of the shape that a request of the generic presets asks for."""
    name: str = orjson.loads(data)["message"]
    return list(FRAMES[name][0])


def over_lines(peer: Peer) -> None:
    while True:
        peer.read_request()
        lines = b"".join(orjson.dumps(doc) + b"\n" for doc in told(peer.last.partition(b"\r\n\r\n")[2]))
        peer.send(LINES_HEAD + chunk(lines) + LAST_CHUNK)


def over_websocket(peer: Peer) -> None:
    upgrade(peer)
    while True:
        for doc in told(read_message(peer)):
            peer.send(frame(orjson.dumps(doc)))


def over_socketio(peer: Peer) -> None:
    upgrade(peer)
    peer.send(socketio.OPENED)
    read_message(peer)
    peer.send(socketio.CONNECTED)
    while True:
        said = read_message(peer).decode()
        *pieces, last = told(orjson.dumps(orjson.loads(said[said.index("[") :])[1]))
        for doc in pieces:
            peer.send(socketio.event("delta", doc | ({"text": doc["delta"]} if "delta" in doc else {})))
        peer.send(socketio.event("done", last))


def over_split(peer: Peer) -> None:
    if not peer.read_request().startswith(b"GET"):
        while True:
            peer.send(split.ACK)
            peer.read_request()
    peer.send(split.STREAM_HEAD)
    while not (posts := [data for data in peer.server.requests if data.startswith(b"POST")]):
        peer.pause(0.002)
    docs = told(posts[-1].partition(b"\r\n\r\n")[2])
    peer.send(b"".join(chunk(b"data: %b\n\n" % orjson.dumps(doc)) for doc in docs))
    peer.hold()


STREAMS: dict[str, Script] = {
    "ndjson": over_lines,
    "websocket": over_websocket,
    "socketio": over_socketio,
    "split": over_split,
}
SOCKETIO_ALONE = {"tool", "refusal"}
"""Its preset looks for these in the last event only."""


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("protocol", STREAMS)
def test_the_rule_is_the_same_on_every_protocol(protocol: str, lane: Lane) -> None:
    for name, (_, code, kind) in FRAMES.items():
        if protocol == "socketio" and name in SOCKETIO_ALONE:
            continue
        with client(lane, protocol, STREAMS[protocol]) as talk:
            turn = talk.say(name)
            assert came_to(turn) == (code, kind), (name, turn.error)


STRAY: dict[str, tuple[tuple[Doc, ...], bool]] = {
    "greeting": (({"delta": "Welcome! "}, {"response": "It rains.", "done": True}), True),
    "status": (({"delta": "thinking..."}, {"delta": "It rains."}, {"response": "It rains.", "done": True}), True),
    "same": (({"delta": "It "}, {"delta": "rains."}, {"response": "It rains.", "done": True}), False),
    "trimmed": (({"delta": "\n **It** "}, {"delta": "rains."}, {"response": "It rains", "done": True}), False),
    "begun": (({"delta": "It"}, {"response": "It rains.", "done": True}), False),
    "no whole": (({"delta": "Welcome!"}, {"response": "", "done": True}), False),
    "no letter": (({"delta": "..."}, {"response": "It rains.", "done": True}), False),
    "没有": (({"delta": "你好"}, {"delta": "世界"}, {"response": "你好世界", "done": True}), False),
}


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("protocol", STREAMS)
def test_a_text_that_the_whole_one_does_not_begin_with_is_noticed(
    protocol: str, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "FRAMES", {name: (docs, None, None) for name, (docs, _) in STRAY.items()})
    for name, (_, is_stray) in STRAY.items():
        with client(lane, protocol, STREAMS[protocol]) as talk:
            turn = talk.say(name)
            assert (turn.code, turn.timeline.has_unsolicited_text) == (None, is_stray), (name, turn.error)


# --- gRPC ---------------------------------------------------------------

PROTO = grpc.PROTO.replace(
    "AskPiece inner = 6;", "AskPiece inner = 6; string finish_reason = 7; string refusal = 8; string error = 9;"
)
GRPC = {
    "text": ([(1, "Hello")], None, "text"),
    "cut": ([(1, "Hello"), (7, "length")], None, "length"),
    "nothing": ([], "answer_unmatched", None),
    "refusal": ([(8, "No.")], "answer_empty", "refusal"),
    "filtered": ([(7, "SAFETY")], "answer_empty", "filtered"),
    "failed": ([(1, "He"), (7, "error")], "target_error", None),
    "error": ([(1, "He"), (9, "engine died")], "target_error", None),
}
"""Fields of the messages of an answer: number and text."""


def over_grpc(fields: list[tuple[int, str]]) -> Script:
    def script(peer: Peer) -> None:
        http2 = h2.Http2Peer(peer)
        http2.shake()
        stream = http2.read_request()
        peer.send(h2.headers(stream, *grpc.RESPONSE))
        for number, text in fields:
            data = grpc.message(grpc.text_field(number, text.encode()))
            peer.send(h2.frame(h2.DATA, 0, stream, data))
        peer.send(h2.frame(h2.DATA, 0, stream, grpc.message(b"\x18\x01")) + grpc.trailers(stream))
        peer.hold()

    return script


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", GRPC)
def test_the_rule_is_the_same_on_grpc(name: str, lane: Lane) -> None:
    fields, code, kind = GRPC[name]
    with client(lane, "grpc", over_grpc(fields), grpc={"proto": PROTO}) as talk:
        turn = talk.say(name)
        assert came_to(turn) == (code, kind), turn.error

"""What an answer means on both lanes: answers without text, finish reasons, errors said anywhere; on every protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import orjson
import pytest

from connectors.registry import Lane
from tests.hostile import grpc, socketio, split
from tests.hostile import http2 as h2
from tests.hostile.frames import frame, read_message, upgrade
from tests.hostile.ndjson import LINES_HEAD
from tests.hostile.server import HostileServer, Peer, Script
from tests.hostile.sse import STREAM_HEAD
from tests.hostile.table import LAST_CHUNK, chunk, whole
from tests.integration.connectors.lanes import LANES, PATIENT, Client, Turn, make_spec

Doc = dict[str, Any]
TEXT = {"content": "Hello"}
CALL = {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]}


class Shape(NamedTuple):
    """An answer of OpenAI's dialect, and what it must come to: code, kind, finish reason."""

    name: str
    message: Doc
    finish: str | None
    code: str | None
    kind: str | None


SHAPES = (
    Shape("text", TEXT, "stop", None, "text"),
    Shape("text without a reason", TEXT, None, None, "text"),
    Shape("white space before text", {"content": " \n\u200bHello"}, "stop", None, "text"),
    Shape("text, unknown reason", TEXT, "tired", None, "text"),
    Shape("cut text", TEXT, "length", None, "length"),
    Shape("cut text, as Gemini says it", TEXT, "MAX_TOKENS", None, "length"),
    Shape("filtered text", TEXT, "content_filter", None, "filtered"),
    Shape("text and a tool", TEXT | CALL, "tool_calls", None, "tool_call"),
    Shape("text and thoughts", TEXT | {"reasoning_content": "hm"}, "stop", None, "text"),
    Shape("text, no refusal", TEXT | {"refusal": None}, "stop", None, "text"),
    Shape("tool", {"content": None} | CALL, "tool_calls", None, "tool_call"),
    Shape("tool that ends with stop", {"content": ""} | CALL, "stop", None, "tool_call"),
    Shape("function of old", {"content": None, "function_call": {"name": "f"}}, "function_call", None, "tool_call"),
    Shape("empty", {"content": ""}, "stop", "answer_empty", "empty"),
    Shape("white space", {"content": " "}, "stop", "answer_empty", "empty"),
    Shape("line breaks without a reason", {"content": "\r\n\t\u3000"}, None, "answer_empty", "empty"),
    Shape("marks of no width", {"content": "\u200b\ufeff"}, "stop", "answer_empty", "empty"),
    Shape("white space, cut", {"content": "\n\n"}, "length", "answer_empty", "length"),
    Shape("white space and a tool", {"content": "\n"} | CALL, "stop", None, "tool_call"),
    Shape("white space and a refusal", {"content": " ", "refusal": "I can't help."}, "stop", "answer_empty", "refusal"),
    Shape("null", {"content": None}, "stop", "answer_empty", "empty"),
    Shape("null without a reason", {"content": None}, None, "answer_empty", "empty"),
    Shape("role only", {"role": "assistant"}, "stop", "answer_empty", "empty"),
    Shape("no tools", {"content": None, "tool_calls": []}, "stop", "answer_empty", "empty"),
    Shape("cut before a word", {"content": None}, "length", "answer_empty", "length"),
    Shape("refusal", {"content": None, "refusal": "I can't help."}, "stop", "answer_empty", "refusal"),
    Shape("filtered away", {"content": ""}, "content_filter", "answer_empty", "filtered"),
    Shape("safety", {"content": ""}, "SAFETY", "answer_empty", "filtered"),
    Shape("thoughts only", {"reasoning_content": "hm"}, "stop", "answer_empty", "reasoning"),
    Shape("thoughts, cut", {"content": None, "reasoning": "hm"}, "length", "answer_empty", "reasoning"),
    Shape("elsewhere", {"says": "Hello"}, None, "answer_unmatched", None),
    Shape("failed after text", TEXT, "error", "target_error", None),
    Shape("failed at once", {"content": None}, "network_error", "target_error", None),
    Shape("malformed call", TEXT, "MALFORMED_FUNCTION_CALL", "target_error", None),
)
BY_NAME = {shape.name: shape for shape in SHAPES}


def asked(peer: Peer) -> str:
    """The name of the shape that the next request asks for."""
    peer.read_request()
    name: str = orjson.loads(peer.last.partition(b"\r\n\r\n")[2])["messages"][-1]["content"]
    return name


def choice(key: str, message: Doc, finish: str | None) -> bytes:
    return orjson.dumps({"object": "chat.completion", "choices": [{key: message, "finish_reason": finish}]})


def plainly(peer: Peer) -> None:
    while True:
        shape = BY_NAME[asked(peer)]
        peer.send(whole(choice("message", shape.message, shape.finish)))


def streaming(*, together: bool) -> Script:
    """`together`: the reason stands in the event with the text, as vLLM sends it."""

    def script(peer: Peer) -> None:
        while True:
            shape = BY_NAME[asked(peer)]
            events = [choice("delta", shape.message, shape.finish if together else None)]
            events += [choice("delta", {}, shape.finish)] if shape.finish and not together else []
            sent = b"".join(b"data: %b\n\n" % event for event in (*events, b"[DONE]"))
            peer.send(STREAM_HEAD + chunk(sent) + LAST_CHUNK)

    return script


WAYS: dict[str, tuple[str, Script]] = {
    "plain": ("http", plainly),
    "streamed": ("sse", streaming(together=False)),
    "streamed, reason beside the text": ("sse", streaming(together=True)),
}


@contextmanager
def client(lane: Lane, protocol: str, script: Script, **overrides: Any) -> Iterator[Client]:
    with HostileServer(script) as server:
        spec = make_spec(protocol, server.url, timeouts=PATIENT, **overrides)
        with Client(lane, spec) as talk:
            yield talk


def came_to(turn: Turn) -> tuple[str | None, str | None]:
    return turn.code, turn.timeline.kind


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("way", WAYS)
def test_every_answer_has_its_kind_and_its_reason(way: str, lane: Lane) -> None:
    protocol, script = WAYS[way]
    with client(lane, protocol, script) as talk:
        for shape in SHAPES:
            turn = talk.say(shape.name)
            assert came_to(turn) == (shape.code, shape.kind), (shape.name, turn.error)
            assert turn.timeline.finish == shape.finish, shape.name


@pytest.mark.parametrize("lane", LANES)
def test_an_answer_without_text_leaves_its_connection_usable(lane: Lane) -> None:
    with client(lane, "sse", streaming(together=False)) as talk:
        turns = [talk.say(name) for name in ("empty", "text", "refusal", "elsewhere", "text")]
        assert [turn.code for turn in turns] == ["answer_empty", None, "answer_empty", "answer_unmatched", None]
        assert [bool(turn.timeline.handshake_ns) for turn in turns] == [True, False, False, False, False]


EXPECTS = (
    (["any"], {"refusal": None, "thoughts only": None, "null": None, "elsewhere": None, "cut text": None}),
    (["text"], {"tool": "answer_empty", "text": None, "cut text": None, "text and a tool": None}),
    (
        ["complete"],
        {"text": None, "cut text": "expect_failed", "filtered text": "expect_failed", "null": "answer_empty"},
    ),
    (["tool_call"], {"tool": None, "text and a tool": None, "text": "expect_failed"}),
    (["text", "refusal"], {"refusal": None, "filtered away": "answer_empty"}),
    (["text", "reasoning", "length"], {"thoughts, cut": None, "cut before a word": None, "empty": "answer_empty"}),
)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(("words", "codes"), EXPECTS, ids=",".join)
def test_expect_text_says_which_answers_are_good(words: list[str], codes: dict[str, str | None], lane: Lane) -> None:
    with client(lane, "sse", streaming(together=False), response={"expect_text": words}) as talk:
        assert {name: talk.say(name).code for name in codes} == codes


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


# --- errors said anywhere ---------------------------------------------------------------

SAYS = "engine died"
ERRORS: dict[str, bytes] = {
    "an error object": b'data: {"error": {"message": "engine died", "type": "overloaded"}}\n\n',
    "an error text": b'data: {"error": "engine died"}\n\n',
    "an error flag": b'data: {"error": true, "message": "engine died"}\n\n',
    "a type": b'data: {"type": "error", "message": "engine died"}\n\n',
    "an object": b'data: {"object": "error", "message": "engine died", "code": 500}\n\n',
    "a status word": b'data: {"status": "failed", "detail": "engine died"}\n\n',
    "a status number": b'data: {"status": 503, "detail": "engine died"}\n\n',
    "a code": b'data: {"code": 500, "message": "engine died"}\n\n',
    "an error code": b'data: {"error_code": 50001, "text": "engine died"}\n\n',
    "an error message": b'data: {"errorMessage": "engine died"}\n\n',
    "no success": b'data: {"success": false, "msg": "engine died"}\n\n',
    "GraphQL": b'data: {"data": null, "errors": [{"message": "engine died"}]}\n\n',
    "JSON-RPC": b'data: {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "engine died"}}\n\n',
    "inside a choice": b'data: {"choices": [{"delta": {}, "error": {"message": "engine died"}}]}\n\n',
    "Bedrock": b'data: {"modelStreamErrorException": {"message": "engine died"}}\n\n',
    "a detail alone": b'data: {"detail": "engine died"}\n\n',
    "details alone": b'data: {"detail": [{"loc": ["body"], "msg": "engine died"}]}\n\n',
    "a list": b'data: [{"error": {"message": "engine died"}}]\n\n',
    "a named event": b'event: error\ndata: {"message": "engine died"}\n\n',
    "a named event's text": b"event: error\ndata: engine died\n\n",
    "a named event's comment": b"event: error\n: engine died\n\n",
    "another name": b'event: response.failed\ndata: {"detail": "engine died"}\n\n',
    "a name in capitals": b"event:StreamError\r\ndata:engine died\r\n\r\n",
}
HONEST: dict[str, bytes] = {
    "error null": b'data: {"error": null}\n\n',
    "errors empty": b'data: {"errors": []}\n\n',
    "error empty": b'data: {"error": "", "error_code": 0, "error_message": ""}\n\n',
    "error false": b'data: {"error": false, "code": 0, "message": "thinking"}\n\n',
    "error 0": b'data: {"error": 0, "errors": {}, "status": 200, "detail": "looking it up"}\n\n',
    "error with code 0": b'data: {"error": {"code": 0, "message": "OK"}}\n\n',
    "a detail beside a type": b'data: {"type": "progress", "detail": "looking it up"}\n\n',
    "success": b'data: {"success": true, "status": "in_progress"}\n\n',
    "a tool's error": b'event: tool_error\ndata: {"type": "tool_error", "tool": "search"}\n\n',
    "a comment": b": error\n\n",
    "a ping": b'event: ping\ndata: {"type": "ping"}\n\n',
    "a rate": b'data: {"type": "error_rate", "level": "error"}\n\n',
    "usage": b'data: {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}\n\n',
}
HALF = b'data: {"choices": [{"delta": {"content": "half an "}}]}\n\n'
DONE = b"data: [DONE]\n\n"


def says(event: bytes, *, apart: bool) -> Script:
    """Half an answer, `event`, and an orderly end. `apart`: each of its bytes comes alone."""

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(STREAM_HEAD + chunk(HALF))
        for piece in [event[at : at + 1] for at in range(len(event))] if apart else [event]:
            peer.send(chunk(piece))
        peer.send(chunk(DONE) + LAST_CHUNK)
        peer.hold()

    return script


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_fails_the_turn_however_it_is_said(name: str, lane: Lane, apart: bool) -> None:
    with client(lane, "sse", says(ERRORS[name], apart=apart)) as talk:
        turn = talk.say()
        assert turn.code == "target_error", turn.error
        assert turn.error is not None and SAYS in turn.error.detail


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", HONEST)
def test_what_only_looks_like_an_error_is_none(name: str, lane: Lane) -> None:
    with client(lane, "sse", says(HONEST[name], apart=False)) as talk:
        turn = talk.say()
        assert (turn.code, turn.text) == (None, "half an "), turn.error


@pytest.mark.parametrize("lane", LANES)
def test_an_error_event_needs_no_data(lane: Lane) -> None:
    for event in (b"event: error\ndata:\n\n", b"event: error\n\n", b"event: error\ndata: {}\n\n"):
        with client(lane, "sse", says(event, apart=False)) as talk:
            assert talk.say().code == "target_error"


@pytest.mark.parametrize("lane", LANES)
def test_known_errors_can_be_left_to_the_mapping(lane: Lane) -> None:
    mapping = {"known_errors": False}
    for name in ("a code", "a named event's comment"):
        with client(lane, "sse", says(ERRORS[name], apart=False), response=mapping) as talk:
            assert talk.say().code is None
    with client(lane, "sse", says(ERRORS["an error text"], apart=False), response=mapping) as talk:
        assert talk.say().code == "target_error"


WHOLE_ERRORS = [event.partition(b"data: ")[2].strip() for name, event in ERRORS.items() if event.startswith(b"data: ")]


@pytest.mark.parametrize("lane", LANES)
def test_a_whole_answer_says_errors_in_the_same_ways(lane: Lane) -> None:
    for body in WHOLE_ERRORS:
        with client(lane, "http", partial(_one, body=body)) as talk:
            turn = talk.say()
            assert turn.code == "target_error", (body, turn.error)
            assert turn.error is not None and SAYS in turn.error.detail, body


def _one(peer: Peer, body: bytes) -> None:
    peer.read_request()
    peer.send(whole(body))
    peer.hold()


# --- how a stream ends ---------------------------------------------------------------

FINISHED = choice("delta", {"content": "Hello"}, "stop")
UNFINISHED = choice("delta", {"content": "Hello"}, None)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(
    ("event", "end", "code"),
    [
        (FINISHED, LAST_CHUNK, None),
        (UNFINISHED, LAST_CHUNK, "stream_incomplete"),
        (FINISHED, b"", "body_truncated"),
        (choice("delta", {"content": "Hello"}, ""), LAST_CHUNK, "stream_incomplete"),
        (choice("delta", {"content": "Hello"}, "length"), LAST_CHUNK, None),
    ],
)
def test_a_clean_end_behind_a_finish_reason_needs_no_end_mark(
    event: bytes, end: bytes, code: str | None, lane: Lane
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(STREAM_HEAD + chunk(b"data: %b\n\n" % event) + end)
        if end:
            peer.hold()

    with client(lane, "sse", script) as talk:
        turn = talk.say()
        assert turn.code == code, turn.error

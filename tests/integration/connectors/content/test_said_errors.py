"""Errors that an answer says anywhere: beside a text, in a stream, in a whole answer; and what only looks like one."""

from __future__ import annotations

from functools import partial

import orjson
import pytest

from connectors.registry import Lane
from tests.hostile.server import Peer, Script
from tests.hostile.sse import STREAM_HEAD
from tests.hostile.table import LAST_CHUNK, chunk, whole
from tests.integration.connectors.content.asking import Doc, client
from tests.integration.connectors.content.test_answers import asked, choice
from tests.integration.connectors.lanes import LANES

BESIDE: dict[str, tuple[Doc, Doc, str | None]] = {
    "well": ({}, {}, None),
    "an object": ({"object": "error"}, {}, "target_error"),
    "an error code": ({"error_code": "overloaded"}, {}, "target_error"),
    "a status": ({"status": 500}, {}, "target_error"),
    "no success": ({"success": False}, {}, "target_error"),
    "a flag": ({"isError": True}, {}, "target_error"),
    "inside the choice": ({}, {"error": {"message": "engine died"}}, "target_error"),
    "in the place of a reason": ({}, {"error": "engine died", "finish_reason": "left out"}, "target_error"),
    "inside the message": ({}, {"message": {"content": "engine died", "error": "overloaded"}}, "target_error"),
    "no error yet": ({}, {"error": None}, None),
    "an error now": ({}, {"error": "engine died"}, "target_error"),
    "a detail": ({"detail": "of the day"}, {}, None),
    "a status of success": ({"status": 200, "code": "GREETING"}, {}, None),
    "no flag": ({"isError": False, "error": None, "error_code": "0"}, {"error": None}, None),
}
"""Beside a whole answer with text: of the document, of its choice, and the code."""


@pytest.mark.parametrize("lane", LANES)
def test_an_error_beside_a_text_is_one_whatever_was_answered_before(lane: Lane) -> None:
    def script(peer: Peer) -> None:
        while True:
            top, inner, _ = BESIDE[asked(peer)]
            choice = {"message": {"role": "assistant", "content": "engine died"}, "finish_reason": "stop"} | inner
            choice = {key: value for key, value in choice.items() if value != "left out"}
            peer.send(whole(orjson.dumps({"object": "chat.completion", "choices": [choice]} | top)))

    with client(lane, "http", script) as talk:
        for name, (_, _, code) in BESIDE.items():
            assert (talk.say("well").code, talk.say(name).code) == (None, code), name


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

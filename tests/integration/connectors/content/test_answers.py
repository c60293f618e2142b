"""What an answer means on both lanes: answers without text, finish reasons; on every protocol."""

from __future__ import annotations

from typing import NamedTuple

import orjson
import pytest

from connectors.registry import Lane
from tests.hostile.server import Peer, Script
from tests.hostile.sse import STREAM_HEAD
from tests.hostile.table import LAST_CHUNK, chunk, whole
from tests.integration.connectors.content.asking import Doc, came_to, client
from tests.integration.connectors.lanes import LANES

TEXT = {"content": "Hello"}
CALL = {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]}


class Shape(NamedTuple):
    """An answer in OpenAI's dialect, and the expected code, kind and finish reason."""

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

"""What is read of tool calls: whole or in pieces, as each dialect has them, and as none should."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.content.answers import Reasons
from connectors.content.tool_calls import MOST_CALLS, MOST_CHARS, MOST_NAMES, ToolCall, ToolNames
from connectors.errors import TooLarge
from connectors.spec import build_target_spec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.timeline.named import NamedTimeline
from tests.unit.connectors.timeline.said_calls import NAMED, STREAMS, TIME, WEATHER, WHOLE, openai, piece

OFFERED: dict[str, Any] = {"tools": [{"name": "weather"}]}


def timeline(preset: str, *, stream: bool | None = None, **params: Any) -> Timeline:
    needs_stream = preset not in {"openai-realtime", "gemini-live", "ag-ui", "ai-sdk"} if stream is None else stream
    given: dict[str, Any] = {"stream": needs_stream, "params": params, "secrets": {"api_key": "k"}}
    spec = build_target_spec(name="t", url="http://127.0.0.1:9", preset=preset, **given)
    return Timeline(CompiledTarget(spec).response, planned_ns=0)


def calls_of(line: Timeline) -> list[tuple[str | None, str | None, str]]:
    return [(call.id, call.name, call.arguments) for call in line.tool_calls]


@pytest.mark.parametrize("preset", STREAMS)
def test_calls_that_come_in_a_stream(preset: str) -> None:
    line = timeline(preset, **OFFERED)
    for at, event in enumerate(STREAMS[preset]):
        line.event(10 * (at + 1), orjson.dumps(event))
    assert calls_of(line) == [WEATHER, TIME]
    assert line.tools is not None
    assert line.tools.first_ns == (30 if preset == "anthropic-messages" else 10)
    line.settle()
    assert line.kind == "tool_call"


@pytest.mark.parametrize("preset", NAMED)
def test_calls_in_events_that_have_names(preset: str) -> None:
    line = NamedTimeline(timeline(preset, **OFFERED).response, planned_ns=0)
    for name, event in NAMED[preset]:
        line.event_name = name
        line.event(10, orjson.dumps(event))
    assert calls_of(line) == [WEATHER, TIME]


@pytest.mark.parametrize("preset", WHOLE)
def test_calls_of_a_whole_answer(preset: str) -> None:
    line = timeline(preset, stream=False, **OFFERED)
    line.answer(50, orjson.dumps(WHOLE[preset]))
    line.settle()
    assert calls_of(line) == [WEATHER, TIME]
    assert line.kind == "tool_call"
    assert line.text in {"", "I will look."}


@pytest.mark.parametrize(
    ("preset", "params", "sent"),
    [
        ("bedrock-converse", {}, {}),
        ("bedrock-converse", OFFERED, {"toolConfig": OFFERED}),
        (
            "bedrock-converse",
            OFFERED | {"tool_choice": {"any": {}}},
            {"toolConfig": OFFERED | {"toolChoice": {"any": {}}}},
        ),
        ("bedrock-converse", OFFERED | {"tool_config": {"a": 1}}, {"toolConfig": {"a": 1}}),
        ("openai-realtime", OFFERED | {"tool_choice": "auto"}, {"response": OFFERED | {"tool_choice": "auto"}}),
        ("openai-realtime", {}, {"response": {}}),
        ("openai-chat", OFFERED | {"tool_choice": "none"}, OFFERED | {"tool_choice": "none"}),
        ("ollama-chat", OFFERED, OFFERED),
    ],
)
def test_tools_are_a_param(preset: str, params: dict[str, Any], sent: dict[str, Any]) -> None:
    spec = build_target_spec(name="t", url="http://127.0.0.1:9", preset=preset, params=params, secrets={"api_key": "k"})
    said = [{"role": "user", "content": "hi"}]
    seen = {
        "message": "hi",
        "messages": said,
        "history": [],
        "turn": 0,
        "vars": {},
        "session": {"id": "s"},
        "saved": {},
    }
    body = orjson.loads(CompiledTarget(spec).render(seen).body)
    kept = ("toolConfig", "response", "tools", "tool_choice")
    assert {name: body[name] for name in kept if name in body} == sent


def test_beside_a_text_calls_are_looked_for_where_tools_are_offered() -> None:
    for params, found in ((OFFERED, [WEATHER]), ({}, [])):
        line = timeline("openai-chat", **params)
        line.event(10, orjson.dumps(openai(piece(0, WEATHER[2], "weather", "c1"), content="Yes.")))
        assert (line.text, calls_of(line)) == ("Yes.", found)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([piece(0, "{}", "a", "1"), piece(0, "{}", "b", "2")], [("1", "a", "{}"), ("2", "b", "{}")]),
        ([piece(0, "{", "a", "1"), piece(0, "}", "a", "1")], [("1", "a", "{}")]),
        ([{"function": {"name": "a", "arguments": "{"}}, {"function": {"arguments": "}"}}], [(None, "a", "{}")]),
        ([{"function": {"name": "a"}}, {"function": {"name": "b"}}], [(None, "a", ""), (None, "b", "")]),
        ([{"index": [], "id": 7, "function": {"name": {"x": 1}, "arguments": [1]}}], [(None, None, "[1]")]),
        ([{"index": 0, "id": "", "function": {"name": "", "arguments": "{not JSON"}}], [(None, None, "{not JSON")]),
        ([{"index": 0, "function": "weather"}, "weather", 7, None, {}], []),
        ([piece(-1, "{}", "a"), piece(2**53, "{}", "b")], [(None, "a", "{}"), (None, "b", "{}")]),
    ],
)
def test_calls_that_are_odd(events: list[Any], expected: list[Any]) -> None:
    line = timeline("openai-chat")
    for event in events:
        line.event(10, orjson.dumps({"choices": [{"delta": {"tool_calls": [event]}}]}))
    assert calls_of(line) == expected


def test_halves_of_surrogate_pairs_are_mended() -> None:
    line = timeline("ollama-chat", stream=False)
    call = rb'{"id": "\ud800", "function": {"name": "a\udfff", "arguments": {"b": "\ud800"}}}'
    line.answer(10, b'{"message": {"tool_calls": [%s]}}' % call)
    assert calls_of(line) == [("\ufffd", "a\ufffd", '{"b":"\ufffd"}')]


def test_arguments_may_be_nested_only_so_deep() -> None:
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    with pytest.raises(TooLarge, match="message_too_deep"):
        timeline("ollama-chat", stream=False).answer(
            10, b'{"message": {"tool_calls": [{"function": {"arguments": %s}}]}}' % deep
        )


def test_calls_are_bounded() -> None:
    line = timeline("openai-chat")
    size = MOST_CHARS // 2 - 1
    line.event(10, orjson.dumps(openai(piece(0, "x" * size, "a", "1"))))
    line.event(10, orjson.dumps(openai(piece(0, "x" * size))))
    with pytest.raises(TooLarge, match="more than 1048576 characters"):
        line.event(10, orjson.dumps(openai(piece(0, "xx"))))
    line = timeline("openai-chat")
    for number in range(MOST_CALLS):
        line.event(10, orjson.dumps(openai(piece(number, "{}", "a"))))
    with pytest.raises(TooLarge, match="more than 128 tool calls"):
        line.event(10, orjson.dumps(openai(piece(MOST_CALLS, "{}", "a"))))


def test_names_are_few_and_short() -> None:
    names = ToolNames()

    def named(name: str | None) -> str:
        call = ToolCall({})
        call.name = name
        return names.of(call)

    assert [named(None), named(" \n"), named(" a\n")] == ["(no name)", "(no name)", "a"]
    assert named("x" * 9999) == "x" * 64
    assert {named(f"tool-{number}") for number in range(2 * MOST_NAMES)} >= {"(other)", "tool-0"}
    assert named("tool-0") == "tool-0"
    assert len(names._known) == MOST_NAMES


@pytest.mark.parametrize("name", ["get_weather", "mcp.files/read:v2", "wetter-für@graz", "天気"])
def test_names_of_tools_are_counted_as_they_are(name: str) -> None:
    call = ToolCall({})
    call.name = name
    assert ToolNames().of(call) == name


@pytest.mark.parametrize(
    "text", ["a b\u202eevil", "\u202eabc", "\x1b[31mred", "<b>x</b>", "Ada lives in Graz", "\u3164x"]
)
def test_a_text_that_is_no_name_is_not_counted_by_its_words(text: str) -> None:
    names = ToolNames()
    call = ToolCall({})
    call.name = text
    assert names.of(call) == "(other)"
    assert not names._known


def test_no_character_of_a_finish_reason_rules_a_page() -> None:
    assert Reasons().of("st\u202eop\x1b[31m")[0] == "st\\u202eop\\x1b[31m"

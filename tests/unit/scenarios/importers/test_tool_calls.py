"""Recorded conversations with calls of tools: what the user and the assistant said stays, the rest is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scenarios.definition.spec import ScenarioError
from scenarios.importers import Wanted, load_scenario
from scenarios.importers.dialects import talk_of
from tests.unit.scenarios.walks import hold

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
OPENAI = [
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "42"},
    {"role": "assistant", "content": "a"},
    {"role": "user", "content": "r"},
    {"role": "assistant", "content": "let me look", "tool_calls": [CALL]},
]
RESPONSES = [
    {"role": "user", "content": "q"},
    {"type": "reasoning", "summary": []},
    {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
    {"type": "function_call_output", "call_id": "c", "output": "42"},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
]
CLAUDE = [
    {"role": "user", "content": "q"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "a"},
            {"type": "tool_use", "id": "t"},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "42"}]},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "u"}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "u"}, {"type": "text", "text": "r"}]},
]
GEMINI = [
    {"role": "user", "parts": [{"text": "q"}]},
    {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
    {"role": "function", "parts": [{"functionResponse": {"name": "f"}}]},
    {"role": "model", "parts": [{"text": "a"}]},
]
SHAREGPT = [
    {"from": "human", "value": "q"},
    {"from": "function_call", "value": "{}"},
    {"from": "observation", "value": "42"},
    {"from": "gpt", "value": "a"},
]
OLDER = [
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": "{}"}},
    {"role": "function", "name": "f", "content": "42"},
    {"role": "assistant", "content": "a"},
]


def said(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]


FORMS: dict[str, tuple[Any, list[dict[str, str]], int]] = {
    "openai": ({"messages": OPENAI}, said("q", "a", "r", "let me look"), 4),
    "a bare list": (OPENAI, said("q", "a", "r", "let me look"), 4),
    "older openai": ({"messages": OLDER}, said("q", "a"), 2),
    "responses": ({"body": {"input": RESPONSES}}, said("q", "a"), 2),
    "claude": ({"messages": CLAUDE}, said("q", "a", "r"), 4),
    "gemini": ({"contents": GEMINI}, said("q", "a"), 2),
    "sharegpt": ({"conversations": SHAREGPT}, said("q", "a"), 2),
    "none": ({"messages": said("q", "a")}, said("q", "a"), 0),
}


@pytest.mark.parametrize("form", FORMS)
def test_tool_messages_are_left_out_and_counted(form: str, tmp_path: Path) -> None:
    value, expected, tools = FORMS[form]
    talk = talk_of(value)
    assert talk is not None
    assert (talk.messages, talk.tools) == (expected, tools)
    path, wanted = tmp_path / "one.json", Wanted()
    path.write_text(json.dumps(value))
    [spec] = load_scenario(str(path), wanted=wanted)
    assert hold(spec).texts == [message["content"] for message in expected if message["role"] == "user"]
    calls = f"{tools} tool calls and results are left out of 1 conversation"
    assert [calls in note for note in wanted.notes] == [True] * bool(tools)


def test_a_collection_says_how_many_there_were_in_how_many(tmp_path: Path) -> None:
    path, wanted = tmp_path / "many.jsonl", Wanted()
    records = [{"messages": OPENAI}, {"messages": said("x")}, {"conversations": SHAREGPT}, {"messages": []}]
    path.write_text("\n".join(map(json.dumps, records)))
    [spec] = load_scenario(str(path), wanted=wanted)
    assert [row["messages"] for row in spec.data["talks"].rows] == [
        said("q", "a", "r", "let me look"), said("x"), said("q", "a"),
    ]  # fmt: skip
    assert [note.split(": ")[1] for note in wanted.notes] == [
        "1 of 4 conversations are left out",
        "6 tool calls and results are left out of 2 conversations",
    ]


def test_a_conversation_of_nothing_but_tools_is_no_conversation(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps([{"messages": [{"role": "tool", "content": "42"}]}]))
    with pytest.raises(ScenarioError, match="must be a list of at least one message"):
        load_scenario(str(path))

"""What is sent back to a model that called a tool, where its call or the result is odd."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.content.tool_calls import ToolCall
from connectors.errors import BadAnswer, BadRequest
from connectors.spec import build_target_spec
from connectors.target import CompiledTarget
from connectors.tools.reply import ToolReply


def replying(result: Any) -> ToolReply:
    spec = build_target_spec(
        name="t",
        url="http://127.0.0.1:9",
        preset="openai-chat",
        secrets={"api_key": "k"},
        overrides={"tool_results": {"weather": result}},
    )
    reply = CompiledTarget(spec).tools
    assert reply is not None
    return reply


def call(arguments: str) -> ToolCall:
    made = ToolCall({})
    made.id, made.name = "c1", "weather"
    made._arguments.append(arguments)
    return made


@pytest.mark.parametrize("result", [{"a": "{{ vars.half }}"}, ["{{ vars.large }}"], "{{ vars.large }}"])
def test_a_result_that_is_no_json_is_refused_by_its_place(result: Any) -> None:
    context = {"vars": {"half": "\ud800", "large": 10**30}}
    with pytest.raises(BadRequest, match=r"tool_results\.weather: what it makes cannot be written as JSON"):
        replying(result).seen(context, [call("{}")], "", lambda value: value)


def test_arguments_that_are_no_json_are_named_where_a_result_needs_them() -> None:
    reply = replying("{{ tool.input.city }}: 18 degrees")
    with pytest.raises(BadAnswer, match="the arguments of the tool call 'weather' are not JSON"):
        reply.seen({}, [call("Graz")], "", lambda value: value)
    seen = replying("{{ tool.arguments }}").seen({}, [call("Graz")], "", lambda value: value)
    assert seen["tool"]["results"] == [{"role": "tool", "tool_call_id": "c1", "content": "Graz"}]

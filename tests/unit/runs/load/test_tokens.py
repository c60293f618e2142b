"""Whose count of tokens a turn has: the target's where it can be believed, else an estimate, each side by itself."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.content.tool_calls import Round
from connectors.spec import build_target_spec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from metrics.columns import TOKEN_SIDES
from runs.load.tokens import Tokens, tokens_of, with_rounds

SENT = 400
LONG = "word " * 40


def answered(usage: Any, text: str = "x" * 40, thought: str = "") -> Timeline:
    spec = build_target_spec(name="t", url="http://h/v1", preset="openai-chat")
    line = Timeline(CompiledTarget(spec).response, planned_ns=0)
    message = {"role": "assistant", "content": text, "reasoning_content": thought or None}
    line.answer(1, orjson.dumps({"choices": [{"message": message}], "usage": usage}))
    return line


def told(given: Any, made: Any, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": given, "completion_tokens": made, **more}


def thought(tokens: int) -> dict[str, Any]:
    return {"completion_tokens_details": {"reasoning_tokens": tokens}}


TURNS: dict[str, tuple[Timeline, Tokens]] = {
    "both told": (answered(told(90, 9)), (90, 9, None, "usage")),
    "none told": (answered(None), (100, 10, None, "estimate")),
    "only the output": (answered({"completion_tokens": 9}), (100, 9, None, "mixed")),
    "only the input": (answered({"prompt_tokens": 90}), (90, 10, None, "mixed_in")),
    "only the total": (answered({"total_tokens": 99}), (100, 10, None, "estimate")),
    "zeros": (answered(told(0, 0)), (100, 10, None, "doubted")),
    "no output": (answered(told(90, 0)), (90, 10, None, "doubt_to")),
    "no input": (answered(told(0, 9)), (100, 9, None, "doubt_in")),
    "too few for the text": (answered(told(90, 2), LONG), (90, 50, None, "doubt_to")),
    "too few for what was sent": (answered(told(1, 9)), (100, 9, None, "doubt_in")),
    "negative": (answered(told(-1, -1)), (100, 10, None, "doubted")),
    "no number": (answered(told(90, "many")), (90, 10, None, "doubt_to")),
    "as text": (answered(told("90", "9")), (90, 9, None, "usage")),
    "reasoning told": (answered(told(90, 125, **thought(120))), (90, 125, 120, "usage")),
    "reasoning told as none": (answered(told(90, 9, **thought(0))), (90, 9, 0, "usage")),
    "reasoning streamed and not counted": (answered(told(90, 100), "x" * 25, "y" * 75), (90, 100, 75, "split")),
    "the same, and no input": (
        answered({"completion_tokens": 100}, "x" * 25, "y" * 75), (100, 100, 75, "split_in"),
    ),
    "reasoning and no usage": (answered(None, "x" * 40, "y" * 80), (100, 30, 20, "estimate")),
    "nothing but reasoning": (answered(told(90, 100), "", "y" * 75), (90, 100, 100, "usage")),
}  # fmt: skip


@pytest.mark.parametrize("name", TURNS)
def test_each_side_is_told_or_estimated_and_says_which(name: str) -> None:
    line, expected = TURNS[name]
    assert tokens_of(line, SENT, line.text) == expected
    assert expected[3] in TOKEN_SIDES


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, (100, None, None, "asked")),
        ({"prompt_tokens": 90}, (90, None, None, "asked_in")),
        ({"prompt_tokens": 0}, (100, None, None, "asked")),
        (told(90, 20), (90, 20, None, "usage")),
        ({"completion_tokens": 20}, (100, 20, None, "mixed")),
    ],
)
@pytest.mark.parametrize(
    "message", [{"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}, {"refusal": "I cannot."}]
)
def test_the_input_of_an_answer_without_text_is_counted(message: dict[str, Any], usage: Any, expected: Tokens) -> None:
    spec = build_target_spec(name="t", url="http://h/v1", preset="openai-chat")
    line = Timeline(CompiledTarget(spec).response, planned_ns=0)
    line.expected = frozenset({"any"})
    choices = [{"message": {"role": "assistant", "content": None, **message}}]
    line.answer(1, orjson.dumps({"choices": choices, "usage": usage}))
    line.settle()
    assert tokens_of(line, SENT, line.text) == expected
    assert expected[3] in TOKEN_SIDES


def test_unreported_tokens_of_a_missing_answer_are_unknown() -> None:
    spec = build_target_spec(name="t", url="http://h/v1", preset="openai-chat")
    line = Timeline(CompiledTarget(spec).response, planned_ns=0)
    assert tokens_of(line, SENT, "") == (None, None, None, "none")
    assert tokens_of(line, SENT, "", worked=True) == (100, 0, None, "estimate")


@pytest.mark.parametrize(
    ("last", "rounds", "expected"),
    [
        ((30, 5, None, "usage"), [(10, 4), (20, 3)], (60, 12, None, "usage")),
        ((30, 5, 2, "split"), [(10, 4)], (40, 9, 2, "split")),
        ((30, 5, None, "usage"), [(None, 4)], (30 + 10, 9, None, "mixed")),
        ((30, 5, None, "usage"), [(10, None)], (40, 5 + 2, None, "mixed_in")),
        ((30, 5, 2, "split"), [(None, None), (20, 3)], (30 + 10 + 20, 5 + 2 + 3, 2, "estimate")),
        ((30, 5, None, "estimate"), [(10, 4)], (40, 9, None, "estimate")),
        ((None, None, None, "none"), [(10, 4)], (10, 4, None, "usage")),
        ((12, None, None, "asked_in"), [(10, 4)], (22, 4, None, "usage")),
        ((12, None, None, "asked"), [(10, None)], (22, 2, None, "estimate")),
        ((12, None, None, "asked"), [], (12, None, None, "asked")),
    ],
)
def test_each_answer_of_a_turn_with_tools_is_paid_for(last: Tokens, rounds: Any, expected: Tokens) -> None:
    """`rounds`: tokens of the answers before the last, each of 8 characters; 40 characters were sent."""
    found = with_rounds(last, [Round(1, given, made, 8) for given, made in rounds], 40)
    assert found == expected
    assert found[3] in TOKEN_SIDES

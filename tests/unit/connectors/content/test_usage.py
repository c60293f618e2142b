"""What a target says of its tokens, in the forms that it comes in, and when it is not to be believed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.content.usage import MOST_TOKENS, NOTHING, UNREADABLE, Told, believable, count, find, read
from connectors.mapping.answers.response import ResponseMapping
from connectors.spec import ResponseSpec, build_target_spec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline

ODD: list[Any] = [-1, "-1", 9.5, "9.5", "nine", "", True, [9], {}, float("inf"), MOST_TOKENS + 1]
COUNTS: list[tuple[Any, int | None]] = [
    (9, 9), (0, 0), ("9", 9), (" 9 ", 9), ("9.0", 9), (9.0, 9), (None, None), (MOST_TOKENS, MOST_TOKENS),
]  # fmt: skip
COUNTS += [(value, UNREADABLE) for value in ODD]


@pytest.mark.parametrize(("value", "expected"), COUNTS)
def test_a_count_is_a_number_in_any_dress(value: Any, expected: int | None) -> None:
    assert count(value) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ((5, 9, None, None), Told(5, 9)),
        ((5, None, None, 14), Told(5, 9)),
        ((None, 9, None, 14), Told(5, 9)),
        ((None, None, None, 14), Told(None, None)),
        ((5, 125, 120, 130), Told(5, 125, 120)),
        ((5, 9, 120, None), Told(5, 129, 120)),
        ((5, 200, 120, 325), Told(5, 320, 120)),
        ((-1, -1, None, None), Told(None, None, None, unreadable=True)),
        ((5, "x", None, 14), Told(5, None, None, unreadable=True)),
        ((5, 9, -1, None), Told(5, 9)),
        ((0, 0, None, 0), Told(0, 0)),
    ],
)
def test_halves_totals_and_reasoning_are_put_together(told: tuple[Any, ...], expected: Told) -> None:
    assert read(*told) == expected


USAGE = {"prompt_tokens": 5, "completion_tokens": 9}
FOUND = [
    ({"usage": USAGE}, Told(5, 9)),
    ({"x_groq": {"id": "r", "usage": USAGE}, "choices": []}, Told(5, 9)),
    ({"choices": [{"delta": {}, "usage": USAGE}]}, Told(5, 9)),
    ({"response": {"usage": {"input_tokens": "5", "output_tokens": 9.0}}}, Told(5, 9)),
    ({"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 9}}, Told(5, 9)),
    ({"metrics": {"tokenUsage": {"promptTokens": 5, "completionTokens": 9}}}, Told(5, 9)),
    (
        {"usage": None, "choices": [{"usage": {**USAGE, "completion_tokens_details": {"reasoning_tokens": 4}}}]},
        Told(5, 9, 4),
    ),
    ({"usage": {"total_tokens": 14}}, Told(None, None)),
    ({"usage": {"seconds": 3}}, NOTHING),
    ({"completion_tokens": 9}, NOTHING),
    ({"a": {"b": {"c": {"d": {"usage": USAGE}}}}}, NOTHING),
    ([], NOTHING),
    ("usage", NOTHING),
]


@pytest.mark.parametrize(("message", "expected"), FOUND)
def test_usage_is_found_where_servers_put_it(message: Any, expected: Told) -> None:
    assert find(message) == expected


@pytest.mark.parametrize(
    ("tokens", "chars", "good"),
    [(0, 50, False), (1, 50, True), (1, 64, True), (1, 65, False), (3, 96, True), (3, 97, False), (0, 0, True),
     (500, 3, True), (5, 0, True)],
)  # fmt: skip
def test_no_text_has_fewer_tokens_than_its_length_needs(tokens: int, chars: int, good: bool) -> None:
    assert believable(tokens, chars) is good


def streamed(preset: str, *events: Any) -> Told:
    target = CompiledTarget(build_target_spec(name="t", url="http://h/v1", preset=preset, stream=True))
    line = Timeline(target.response, planned_ns=0)
    for at, event in enumerate(events):
        data = event if isinstance(event, bytes) else orjson.dumps(event)
        if line.done_ns is None:
            line.event(at, data)
        else:
            line.late(data)
    return line.told


def chunk(text: str, **more: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, **more.pop("choice", {})}], **more}


DONE = b"[DONE]"
END = {"choice": {"finish_reason": "stop", "usage": USAGE}}
STREAMS: dict[str, tuple[tuple[Any, ...], Told]] = {
    "as asked": ((chunk("a"), {"choices": [], "usage": USAGE}, DONE), Told(5, 9)),
    "as text": ((chunk("a"), {"usage": {"prompt_tokens": "5", "completion_tokens": "9"}}, DONE), Told(5, 9)),
    "in the last choice": ((chunk("a"), chunk("", **END), DONE), Told(5, 9)),
    "in the last choice, with null above": ((chunk("a", usage=None), chunk("", usage=None, **END), DONE), Told(5, 9)),
    "in x_groq": ((chunk("a"), {"choices": [], "x_groq": {"usage": USAGE}}, DONE), Told(5, 9)),
    "behind the end": ((chunk("a"), DONE, {"choices": [], "usage": USAGE}), Told(5, 9)),
    "behind the end, something else": ((chunk("a"), DONE, b"token", {"tokens": 1}), Told(None, None)),
    "with each piece": (
        (*(chunk("a", usage={"prompt_tokens": 5, "completion_tokens": n}) for n in (1, 2, 3)), DONE), Told(5, 3),
    ),
    "null": (
        (chunk("a", usage=None), {"usage": {"prompt_tokens": None, "completion_tokens": None}}, DONE), Told(None, None),
    ),
    "a good one, then none": ((chunk("a", usage=USAGE), chunk("b", usage=None), DONE), Told(5, 9)),
    "negative": ((chunk("a", usage={"prompt_tokens": -1, "completion_tokens": -1}), DONE),
                 Told(None, None, None, unreadable=True)),
    "with reasoning": (
        (chunk("a"), {"usage": {**USAGE, "completion_tokens_details": {"reasoning_tokens": 7}}}, DONE), Told(5, 9, 7),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_says_it_anywhere(name: str) -> None:
    events, expected = STREAMS[name]
    assert streamed("openai-chat", *events) == expected


def test_gemini_counts_its_thoughts_beside_the_answer() -> None:
    parts = [{"text": "hm", "thought": True}, {"text": "Yes"}]
    counts = {"promptTokenCount": 5, "candidatesTokenCount": 9, "thoughtsTokenCount": 20, "totalTokenCount": 34}
    event = {"candidates": [{"content": {"parts": parts}}], "usageMetadata": counts}
    assert streamed("gemini", event) == Told(5, 29, 20)
    early = {"candidates": [{"content": {"parts": parts}}], "usageMetadata": {"promptTokenCount": 5}}
    assert streamed("gemini", early).output is None


def test_responses_count_reasoning_in_their_details() -> None:
    usage = {"input_tokens": 5, "output_tokens": 29, "output_tokens_details": {"reasoning_tokens": 20}}
    delta = {"type": "response.output_text.delta", "delta": "Yes"}
    done = {"type": "response.completed", "response": {"usage": usage}}
    assert streamed("openai-responses", delta, done) == Told(5, 29, 20)


def test_an_answer_that_counts_nothing_tells_nothing() -> None:
    spec = build_target_spec(name="t", url="http://h", preset="anthropic-messages")
    line = Timeline(CompiledTarget(spec).response, planned_ns=0)
    line.answer(1, orjson.dumps({"content": [{"type": "text", "text": "Yes"}], "usage": {"service_tier": "x"}}))
    assert line.told == NOTHING


def test_a_mapping_that_reads_no_usage_finds_none() -> None:
    line = Timeline(ResponseMapping(ResponseSpec(text="t")), planned_ns=0)
    line.answer(1, orjson.dumps({"t": "Yes", "usage": USAGE}))
    assert line.told == NOTHING

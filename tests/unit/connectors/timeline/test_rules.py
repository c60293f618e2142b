"""Which rules of a mapping an event meets: alternatives, patterns, rules of every event beneath those of its kind."""

from typing import Any

import orjson
import pytest

from connectors.errors import BadAnswer
from connectors.mapping.answers.response import ResponseMapping
from connectors.spec import ResponseSpec, build_target_spec
from connectors.timeline import Timeline
from connectors.timeline.named import NamedTimeline

ANY = {
    "delta": "text",
    "done": [
        {"data": "[DONE]"},
        {"data": "END"},
        {"path": "type", "equals": "stop"},
        {"path": "type", "matches": "^end"},
    ],
}


@pytest.mark.parametrize(
    ("last", "ends"),
    [
        (b"[DONE]", True),
        (b" END ", True),
        (b'{"type": "stop"}', True),
        (b'{"type": "end_of_answer"}', True),
        (b'{"type": "the end"}', False),
        (b'{"type": 7}', False),
        (b'{"stop": 1}', False),
    ],
)
def test_an_answer_ends_with_any_of_its_end_marks(last: bytes, ends: bool) -> None:
    line = Timeline(ResponseMapping(ResponseSpec.model_validate(ANY)), planned_ns=0)
    line.event(10, b'{"text": "a"}')
    line.event(20, last)
    assert (line.done_ns == 20) is ends
    if not ends:
        with pytest.raises(BadAnswer, match=r"'\[DONE\]' or 'END' or 'type' or 'type'"):
            line.end(30)


def test_an_event_is_ignored_by_a_pattern() -> None:
    spec = ResponseSpec.model_validate({"delta": "text", "ignore": [{"path": "text", "matches": "^(?:ping|pong)$"}]})
    line = Timeline(ResponseMapping(spec), planned_ns=0)
    for text in ("ping", "ping-pong", "pong"):
        line.event(10, orjson.dumps({"text": text}))
    assert line.text == "ping-pong"


OF_EVERY_EVENT = {
    "text": "answer",
    "error": "problem",
    "usage": {"output": "tokens"},
    "save": {"id": "id"},
    "done": {"path": "last", "equals": True},
    "kind": "type",
    "kinds": {
        "token": {"delta": "value"},
        "thought": {"reasoning": "value"},
        "bye": {"done": True, "save": {"id": "bye_id"}},
        "stop": {"done": {"path": "why"}},
        "own": {"error": "own_problem"},
    },
}


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([{"type": "token", "value": "a", "id": 7}], {"text": "a", "saved": {"id": 7}, "done_ns": None}),
        ([{"type": "token", "value": "a", "last": True}], {"text": "a", "done_ns": 10}),
        ([{"type": "token", "value": "a", "answer": "whole"}], {"text": "a"}),
        ([{"type": "thought", "value": "hm", "answer": "not this"}], {"text": "", "reasoning_chars": 2}),
        ([{"type": "other", "answer": "whole", "tokens": 3}], {"text": "whole", "tokens_out": 3}),
        ([{"answer": "whole", "last": True}], {"text": "whole", "done_ns": 10}),
        ([{"type": "bye", "id": 1, "bye_id": 2, "tokens": 5}], {"saved": {"id": 2}, "tokens_out": 5, "done_ns": 10}),
        ([{"type": "stop", "why": "x"}], {"done_ns": 10}),
        ([{"type": "stop", "last": True}], {"done_ns": 10}),
        ([{"type": "stop", "last": False}], {"done_ns": None}),
        ([{"type": "own", "problem": "x"}], {"done_ns": None}),
    ],
)
def test_rules_of_every_event_hold_beneath_those_of_its_kind(
    events: list[dict[str, Any]], said: dict[str, Any]
) -> None:
    line = Timeline(ResponseMapping(ResponseSpec.model_validate(OF_EVERY_EVENT)), planned_ns=0)
    for event in events:
        line.event(10, orjson.dumps(event))
    assert {name: getattr(line, name) for name in said} == said


@pytest.mark.parametrize(
    "event", [{"type": "token", "problem": "x"}, {"problem": "x"}, {"type": "own", "own_problem": "x"}]
)
def test_an_error_of_every_event_is_one_of_each_kind(event: dict[str, Any]) -> None:
    line = Timeline(ResponseMapping(ResponseSpec.model_validate(OF_EVERY_EVENT)), planned_ns=0)
    with pytest.raises(BadAnswer, match="target_error: x"):
        line.event(10, orjson.dumps(event))


@pytest.mark.parametrize(
    ("event", "is_error"),
    [
        ({"error": "busy"}, True),
        ({"type": "error", "message": "busy"}, True),
        ({"type": "tool_result", "error": "busy"}, False),
    ],
)
def test_of_events_that_no_kind_lists_one_of_another_kind_may_hold_an_error(
    event: dict[str, Any], is_error: bool
) -> None:
    kinds = {"kind": "type", "kinds": {"token": {"delta": "value"}}}
    line = Timeline(ResponseMapping(ResponseSpec.model_validate(kinds)), planned_ns=0)
    found = ""
    try:
        line.event(10, orjson.dumps(event))
    except BadAnswer as exc:
        found = exc.code
    assert found == ("target_error" if is_error else "")


NAMED = {
    "error": "problem",
    "usage": {"output": "tokens"},
    "kind": "@event",
    "kinds": {"token": {"delta": "value"}, "end": {"done": True}},
}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("token", b'{"value": "a", "tokens": 2}', {"text": "a", "tokens_out": 2}),
        ("stats", b'{"tokens": 3}', {"tokens_out": 3}),
        ("ping", b"just now", {"tokens_out": None, "done_ns": None}),
        ("end", b"bye", {"done_ns": 10}),
        ("end", b'{"tokens": 4}', {"tokens_out": 4, "done_ns": 10}),
    ],
)
def test_rules_of_every_event_hold_for_named_events(name: str, data: bytes, said: dict[str, Any]) -> None:
    line = NamedTimeline(ResponseMapping(ResponseSpec.model_validate(NAMED)), planned_ns=0)
    line.event_name = name
    line.event(10, data)
    assert {key: getattr(line, key) for key in said} == said
    with pytest.raises(BadAnswer, match="target_error"):
        line.event(20, b'{"problem": "x"}')


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ({"text": "a", "kind": "type"}, "`kind` has no effect"),
        ({"text": "a", "kinds": {"a": {"delta": "b"}}}, "`kinds` needs `kind`"),
        ({"kind": "type", "kinds": {"a": {"text": "b", "done": {"data": "x"}}}}, "kinds.a.done: `data` has no effect"),
    ],
)
def test_rules_without_effect_are_refused(response: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ResponseSpec.model_validate(response)


def test_a_preset_s_paths_are_not_those_of_kinds_that_a_target_lists() -> None:
    kinds = {"kind": "type", "kinds": {"a": {"delta": "b"}}}
    overrides = {"response": {"error": "mine", "usage": None, "delta": None, **kinds}}
    spec = build_target_spec(name="t", url="http://h", preset="generic-json", stream=True, overrides=overrides)
    assert dict(spec.response.paths()) == {"error": "mine"}
    without = {"response": {"kinds": None, "delta": "x"}}
    assert build_target_spec(name="t", url="http://h", preset="ag-ui", overrides=without).response.kind is None

"""Results of tool calls, sent back in each dialect's own shape, in both lanes over a real socket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from connectors.registry import Lane
from connectors.spec import SpecError, TargetSpec, build_target_spec
from connectors.target import CompiledTarget
from tests.hostile.table import whole
from tests.integration.connectors.http.tool_dialects import DIALECTS, FUNCTION, Dialect, document, openai, streamed
from tests.integration.connectors.lanes import LANES, ROOMY, Client, Turn, one_turn
from tests.integration.connectors.scripted import Asked, scripted

RESULTS = {"weather": "{{ tool.input.city }}: 18 degrees", "*": {"now": "{{ turn + 1 }}"}}


def spec_of(dialect: str, url: str, **overrides: Any) -> TargetSpec:
    preset, _, streamed_form = dialect.partition(" ")
    given = {"tool_results": RESULTS, "timeouts": ROOMY} | overrides
    offered = {"tools": [{"name": "weather"}]}
    return build_target_spec(
        name="t",
        url=url,
        preset=preset,
        stream=bool(streamed_form),
        params=offered,
        secrets={"api_key": "k"},
        overrides=given,
    )


def by_length(dialect: Dialect) -> Callable[[Asked], bytes]:
    """Calls the tool once for each message of the user."""

    def answer(asked: Asked) -> bytes:
        said = asked.json[dialect.at]
        return dialect.ends if _without_ids(said[-len(dialect.said) :]) == dialect.said else dialect.calls

    return answer


def _without_ids(said: list[Any]) -> list[Any]:
    """Without the new ids that some dialects give to messages."""
    return [{key: value for key, value in one.items() if key != "id"} for one in said]


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", DIALECTS)
def test_each_dialect_gets_the_result_in_its_shape(name: str, lane: Lane) -> None:
    dialect = DIALECTS[name]
    with scripted(by_length(dialect)) as server:
        turn = one_turn(lane, spec_of(name, server.url))
    assert (turn.code, turn.text, turn.timeline.kind) == (None, "Warm.", "text"), turn.error
    first, second = [request.json for request in server.requests]
    there = len(first[dialect.at])
    assert second[dialect.at][:there] == first[dialect.at]
    assert _without_ids(second[dialect.at][there:]) == dialect.said
    assert {**second, dialect.at: None} == {**first, dialect.at: None}
    check_times(turn)


def check_times(turn: Turn) -> None:
    line = turn.timeline
    assert [(call.name, json.loads(call.arguments)) for call in line.tool_calls] == [("weather", {"city": "Graz"})]
    steps = line.handshake_ns or {}
    assert line.sent_ns is not None and line.done_ns is not None and line.first_content_ns is not None
    assert steps["tool.round_1"] + steps["tool.round_2"] == line.done_ns - line.sent_ns
    assert steps["tool.round_1"] <= line.first_content_ns - line.sent_ns
    assert {"connect"} <= steps.keys()


def asking(*answers: bytes) -> Callable[[Asked], bytes]:
    """Answers in their order; the last one again and again."""
    left = list(answers)
    return lambda _asked: left.pop(0) if len(left) > 1 else left[0]


def calls(*functions: dict[str, Any], **message: Any) -> bytes:
    made = [{"id": f"c{number}", "type": "function", "function": one} for number, one in enumerate(functions)]
    return document(openai(tool_calls=made, **message))


@pytest.mark.parametrize("lane", LANES)
def test_results_go_back_only_so_often(lane: Lane) -> None:
    with scripted(asking(calls(FUNCTION))) as server:
        turn = one_turn(lane, spec_of("openai-chat", server.url, tool_rounds=3))
        asked = [request.json["messages"] for request in server.requests]
    assert [len(messages) for messages in asked] == [1, 3, 5, 7]
    assert (turn.code, turn.timeline.kind, len(turn.timeline.tool_calls)) == (None, "tool_call", 4)
    assert turn.timeline.tools is not None
    assert [(ended.input, ended.output, ended.chars) for ended in turn.timeline.tools.rounds] == [(10, 5, 23)] * 3
    assert turn.timeline.tokens_out == 5


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(
    ("given", "answers", "requests", "code", "detail"),
    [
        ({"time": "noon"}, [calls(FUNCTION)], 1, None, ""),
        ({"time": "noon"}, [calls({"name": "time", "arguments": ""})], 9, None, ""),
        ({"*": "{{ tool.input.nothing }}"}, [calls(FUNCTION)], 1, "request_invalid", "tool round 1: tool_results.*"),
        ({"*": "x"}, [calls({"name": None, "arguments": "{}"})], 1, "answer_unmatched", "without a name"),
        ({"*": "x"}, [calls(FUNCTION), document({"error": "full"})], 2, "target_error", "full"),
        ({"*": "x"}, [calls(FUNCTION), whole(b"{}", status="429 Slow")], 2, "http_429", "tool round 2"),
        ({"*": "x"}, [calls(FUNCTION), document(openai(content=""))], 2, "answer_empty", ""),
        ({"*": "x"}, [calls(FUNCTION, content=7)], 1, "answer_unmatched", "not text"),
        ({"*": "x"}, [calls({"name": "a", "arguments": "x" * 2_000_000})], 1, "body_too_large", "1048576 characters"),
        ({"*": "x"}, [calls({"name": "a", "arguments": "no JSON"}), document(openai(content="Hm."))], 2, None, ""),
    ],
)
def test_answers_that_end_a_turn(
    given: dict[str, Any], answers: list[bytes], requests: int, code: str | None, detail: str, lane: Lane
) -> None:
    with scripted(asking(*answers)) as server:
        turn = one_turn(lane, spec_of("openai-chat", server.url, tool_results=given))
        assert len(server.requests) == requests
    assert turn.code == code, turn.error
    assert detail in str(turn.error)


@pytest.mark.parametrize("lane", LANES)
def test_all_rounds_have_the_time_of_one_turn(lane: Lane) -> None:
    """A model that calls tools without end, and takes its time."""

    def answer(_asked: Asked) -> bytes:
        time.sleep(0.2 if len(server.requests) > 1 else 0)
        return calls(FUNCTION)

    limits = ROOMY | {"total": 0.8}
    with scripted(answer) as server:
        turn = one_turn(lane, spec_of("openai-chat", server.url, tool_rounds=32, timeouts=limits))
        assert 2 <= len(server.requests) <= 6
    assert turn.code == "total_timeout", turn.error
    assert "tool round" in str(turn.error)


@pytest.mark.parametrize("lane", LANES)
def test_arguments_that_are_no_json_cannot_be_an_object(lane: Lane) -> None:
    said = {"type": "tool_use", "id": "c1", "name": "weather", "input": {}}
    events = streamed(
        {"type": "content_block_start", "index": 0, "content_block": said},
        {"type": "content_block_delta", "index": 0, "delta": {"partial_json": '{"city": '}},
        {"type": "message_stop"},
    )
    with scripted(asking(events)) as server:
        turn = one_turn(lane, spec_of("anthropic-messages streamed", server.url, tool_results={"*": "x"}))
    assert turn.code == "json_invalid"
    assert "tool round 1: the arguments of the tool call 'weather' are not JSON" in str(turn.error)


class Talk:
    """A conversation with its history."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.log: list[dict[str, str]] = []

    def say(self, text: str) -> Turn:
        log = self.log
        log.append({"role": "user", "content": text})
        seen = {"message": text, "messages": log, "history": log[:-1], "turn": len(log) // 2, "vars": {}}
        turn = self.client.say_with(seen)
        log.append({"role": "assistant", "content": turn.text})
        return turn


END = document(openai(content="Warm."))


@pytest.mark.parametrize("lane", LANES)
def test_later_turns_say_what_was_said_about_tools(lane: Lane) -> None:
    answers = asking(calls(FUNCTION), END, END, calls(FUNCTION), END)
    with scripted(answers) as server, Client(lane, spec_of("openai-chat", server.url)) as client:
        talk = Talk(client)
        assert [talk.say(text).code for text in ("a", "b", "c")] == [None] * 3
        sent = [request.json["messages"] for request in server.requests]
        client.connector.begin({"id": "s2"})
        talk = Talk(client)
        talk.say("d")
        fresh = server.requests[-1].json["messages"]
    assert [[one["role"] for one in messages] for messages in sent[2:]] == [
        ["user", "assistant", "tool", "assistant", "user"],
        ["user", "assistant", "tool", "assistant", "user", "assistant", "user"],
        ["user", "assistant", "tool", "assistant", "user", "assistant", "user", "assistant", "tool"],
    ]
    assert sent[4][1]["tool_calls"] == sent[4][7]["tool_calls"]
    assert [one["content"] for one in fresh] == ["d"]


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("rounds", [0, 1])
def test_results_that_are_left_go_with_the_next_message(rounds: int, lane: Lane) -> None:
    answers = asking(*[calls(FUNCTION, content="Wait.")] * (rounds + 1), END)
    with scripted(answers) as server, Client(lane, spec_of("openai-chat", server.url, tool_rounds=rounds)) as client:
        talk = Talk(client)
        kinds = [talk.say(text).timeline.kind for text in ("a", "b", "c")]
        sent = [[said["role"] for said in request.json["messages"]] for request in server.requests]
    assert kinds == ["tool_call", "text", "text"]
    called = ["user", *["assistant", "tool"] * (rounds + 1)]
    assert sent[-2:] == [[*called, "user"], [*called, "user", "assistant", "user"]]
    assert len(sent) == 3 + rounds


@pytest.mark.parametrize("lane", LANES)
def test_a_secret_that_the_model_repeats_stays_one(lane: Lane) -> None:
    """In a call, in templates that could look into it, and in what is kept."""
    leak = {"name": "weather", "arguments": '{"city": "the-secret-key"}'}
    spec = {"tool_results": {"*": "{{ tool.input.city | upper }}"}, "timeouts": ROOMY}
    with scripted(asking(calls(leak), document(openai(content="Warm.")))) as server:
        target = build_target_spec(
            name="t", url=server.url, preset="openai-chat", secrets={"api_key": "the-secret-key"}, overrides=spec
        )
        turn = one_turn(lane, target)
        bodies = [request.body for request in server.requests]
    assert b"THE-SECRET-KEY" not in b"".join(bodies)
    assert turn.code in {None, "request_invalid"}


@pytest.mark.parametrize("lane", LANES)
def test_a_target_that_closes_after_each_answer_is_connected_again(lane: Lane) -> None:
    first = calls(FUNCTION).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    with scripted(asking(first, document(openai(content="Warm.")))) as server:
        turn = one_turn(lane, spec_of("openai-chat", server.url))
        assert len(server.requests) == 2
    assert (turn.code, turn.text) == (None, "Warm."), turn.error
    assert set(turn.timeline.handshake_ns or {}) - {"resolve"} == {"connect", "tool.round_1", "tool.round_2"}


@pytest.mark.parametrize(
    ("preset", "overrides", "problem"),
    [
        ("openai-chat", {"tool_rounds": 3}, "tool_rounds has no effect without tool_results"),
        ("openai-chat", {"tool_rounds": 33, "tool_results": {"*": "x"}}, "tool_rounds"),
        ("generic-json", {"tool_results": {"*": "x"}}, "tool_results: the preset does not say how"),
        ("generic-grpc", {"tool_results": {"*": "x"}}, "tool_results has no effect with protocol grpc"),
        ("openai-chat", {"tool_results": {"*": "x"}, "response": {"calls": None}}, "response.calls does not say"),
        ("openai-chat", {"tool_results": {"*": "{{ secret.api_key }}"}}, "tool_results.*: a secret cannot stand in"),
        ("openai-chat", {"tool_results": {"*": "x"}, "then": [{"name": "a", "url": "/"}]}, "no effect beside then"),
        ("openai-chat", {"tool_results": {"*": "x"}, "tool_reply": {"body": {"a": 1}}}, "either `into`"),
        (
            "openai-chat",
            {"tool_results": {"*": "x"}, "tool_reply": {"into": None, "messages": None}},
            "with protocol http a result is part of a request",
        ),
        (
            "openai-chat",
            {"tool_results": {"*": "x"}, "tool_rounds": 0, "tool_reply": {"into": None, "messages": None, "body": {}}},
            "results can wait for the next message only",
        ),
        ("openai-chat", {"tool_results": {"*": "{{ tol.id }}"}}, "'tol' is not known"),
        ("openai-chat", {"tool_results": {"*": "{{ tol.id }}"}}, "saved, session, tool, turn"),
        ("openai-chat", {"request": {"body": {"x": "{{ tool.id }}"}}}, "saved, secret, session, turn"),
        ("openai-chat", {"response": {"calls": {"id": "x", "name": None, "arguments": None}}}, "`name`, `arguments`"),
        ("rasa-rest", {"response": {"calls": {"name": "x"}}}, "calls.at"),
    ],
)
def test_what_has_no_effect_is_refused(preset: str, overrides: dict[str, Any], problem: str) -> None:
    url = "grpc://127.0.0.1:9" if preset == "generic-grpc" else "http://127.0.0.1:9"
    with pytest.raises(SpecError) as caught:
        CompiledTarget(build_target_spec(name="t", url=url, preset=preset, overrides=overrides))
    assert problem in str(caught.value)

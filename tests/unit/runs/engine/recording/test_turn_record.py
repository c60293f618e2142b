"""How many tokens a request is taken to have where the target does not say."""

from __future__ import annotations

import random
import time
from typing import Any

import orjson
import pytest

from connectors.security.redact import Redactor
from connectors.spec import build_target_spec, preset_names
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from metrics.definitions import FIRST_CALL
from runs.engine.recording.turn_record import TurnLines, TurnRecord, names_history, sends_history, sent_chars
from runs.load.tokens import estimate
from scenarios.render.walk import SayAction, Walk, check_scenario, compile_scenario
from tests.support.attacks.expressions import SLOW_S

SAY = {"do": "say", "text": "x" * 10, "answer": "y" * 7}


def walk(history: str, **more: Any) -> Walk:
    spec = check_scenario({"name": "s", "history": history, "steps": [SAY, SAY], **more})
    return compile_scenario(spec).walk(random.Random(1), {"id": "1", "number": 0, "user": 0})


@pytest.mark.parametrize(
    ("history", "second"), [("live", 10 + 30 + 10), ("scripted", 10 + 7 + 10), ("none", 10)], ids=str
)
@pytest.mark.parametrize("system", [None, "z" * 100])
def test_a_request_is_its_message_and_the_conversation_before_it(history: str, second: int, system: str | None) -> None:
    more = {"system": system} if system else {}
    before = len(system or "")
    talk = walk(history, **more)
    for chars in (10, second):
        action = talk.next_action()
        assert isinstance(action, SayAction)
        assert sum(len(said["content"]) for said in talk.messages) == before + chars
        assert sent_chars(action.text, talk.messages) == before + chars  # no answer came
        talk.answer("a" * 30)
        assert sent_chars(action.text, talk.messages) == before + chars  # it has been added, or the message taken out


def test_without_a_log_it_is_the_message_alone() -> None:
    assert sent_chars("hello", None) == sent_chars("hello", []) == 5
    assert [estimate(chars) for chars in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_presets_say_whether_their_requests_carry_the_conversation() -> None:
    found = {
        name: sends_history(build_target_spec(name="t", url="http://127.0.0.1:9", preset=name))
        for name in preset_names()
        if name in {"openai-chat", "vllm", "azure-openai", "anthropic-messages", "gemini", "dify", "rasa-rest", "nuc"}
    }
    assert {name for name, sends in found.items() if sends} == {
        "openai-chat",
        "vllm",
        "azure-openai",
        "anthropic-messages",
        "gemini",
    }
    assert len(found) == 8


def test_only_an_expression_carries_it_and_a_long_request_is_soon_read() -> None:
    def sends(body: str) -> bool:
        overrides = {"request": {"body": body}}
        return sends_history(
            build_target_spec(name="t", url="http://127.0.0.1:9", preset="generic-json", overrides=overrides)
        )

    assert sends("{{ {'said': {'all': history}} }}")
    assert sends("{{\nhistory }}")
    assert not sends("messages {{ message }} history")
    begun = time.process_time()
    assert not sends("{{" * 20_000)
    assert time.process_time() - begun < SLOW_S


@pytest.mark.parametrize(
    ("preset", "overrides", "finds"),
    [
        ("generic-json", {"then": [{"name": "a", "url": "/a", "body": ["{{ history }}"]}]}, True),
        ("generic-websocket", {"before": [{"body": ["{{ history }}"]}]}, True),
        ("generic-websocket", {"after": [{"body": ["{{ history }}"]}]}, True),
        ("generic-websocket", {"goodbye": [{"body": ["{{ session.id }}"]}]}, False),
    ],
)
def test_all_that_is_sent_in_a_turn_may_carry_it(preset: str, overrides: dict[str, Any], finds: bool) -> None:
    overrides["request"] = None  # that of the preset carries it anyway
    spec = build_target_spec(name="t", url="http://127.0.0.1:9", preset=preset, overrides=overrides)
    assert names_history(spec) is sends_history(spec) is finds


@pytest.mark.parametrize(
    ("most", "calls"),
    [
        (0, None),
        (10, [["weather", '{"city":"G']]),
        (40, [["weather", '{"city":"Graz","key":"***"}'], ["***", "{}"], ["(no name)", "x" * 11]]),
    ],
)
def test_a_line_says_which_tools_were_called_with_what(most: int, calls: Any) -> None:
    target = CompiledTarget(build_target_spec(name="t", url="http://127.0.0.1:9", preset="ollama-chat"))
    line = Timeline(target.response, planned_ns=0)
    line.sent(100, 1)
    said = [("weather", {"city": "Graz", "key": "s3cret-key"}), ("s3cret-key", {}), (7, "x" * 99)]
    functions = [{"function": {"name": name, "arguments": arguments}} for name, arguments in said]
    line.answer(400, orjson.dumps({"message": {"tool_calls": [*functions, functions[0]]}}))
    line.settle()
    record = TurnRecord(line, 1, SayAction("hello", 0))
    lines = TurnLines(Redactor(["s3cret-key"]), most, counts_history=False, t0_ns=0)
    found = lines.line(record, [])
    assert found.get("calls") == calls
    assert found["tools"] == {"weather": 2, "***": 1, "(no name)": 1}
    assert found["hs"] == {FIRST_CALL: 300}

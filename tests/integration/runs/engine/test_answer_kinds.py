"""Kinds of answers from a target's bytes to the ledger, and what a scenario's message expects."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from connectors.content.answers import Expectation
from scenarios.definition.spec import AnswerKind, ScenarioError, parse_scenario
from tests.hostile.server import HostileServer
from tests.integration.connectors.content.test_answers import plainly
from tests.integration.connectors.lanes import make_spec
from tests.support.engines import hold

LOAD = {"kind": "closed", "users": 1, "conversations": 1}


def say(text: str, *expected: str) -> dict[str, Any]:
    return {"do": "say", "text": text} | ({"expect_text": expected} if expected else {})


def turns(folder: Path, *steps: dict[str, Any], **response: Any) -> list[dict[str, Any]]:
    with HostileServer(plainly) as server:
        target = make_spec("http", server.url, response=response)
        (share,) = hold(target, {"name": "s", "history": "none", "steps": steps}, LOAD, folder / "run", of=1)
    return share.turns


def test_a_scenario_knows_the_words_of_a_target() -> None:
    assert get_args(AnswerKind) == get_args(Expectation)
    with pytest.raises(ScenarioError, match="expect_text"):
        parse_scenario({"name": "s", "steps": [say("hi", "nonsense")]})


def test_the_ledger_has_kind_and_reason_where_there_is_something_to_say(tmp_path: Path) -> None:
    found = turns(tmp_path, say("text"), say("text without a reason"), say("cut text"), say("tool"), say("refusal"))
    assert [(line["out"], line["code"], line.get("kind"), line.get("fin")) for line in found] == [
        ("ok", None, None, "stop"),
        ("ok", None, None, None),
        ("ok", None, "length", "length"),
        ("ok", None, "tool_call", "tool_calls"),
        ("error", "answer_empty", "refusal", "stop"),
    ]
    assert "I can't help." in found[-1]["detail"]


def test_a_message_expects_in_place_of_the_target(tmp_path: Path) -> None:
    steps = say("tool", "tool_call"), say("refusal", "refusal", "text"), say("text"), say("text", "tool_call")
    found = turns(tmp_path, *steps)
    assert [line["code"] for line in found] == [None, None, None, "expect_failed"]


def test_what_a_message_expects_is_forgotten_with_the_next(tmp_path: Path) -> None:
    found = turns(tmp_path, say("null", "any"), say("null"), expect_text=["text"])
    assert [line["code"] for line in found] == [None, "answer_empty"]

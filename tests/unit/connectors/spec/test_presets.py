"""What a preset and a target's overrides make together, and what is refused of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.spec import SpecError, build_target_spec, load_preset, merge
from connectors.target import CompiledTarget
from tests.support.recordings import SESSION


@pytest.mark.parametrize("name", ["x" * 5000, "a\x00b", "../presets/nuc", "", "nuc.json"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="unknown preset") as refused:
        load_preset(name)
    assert len(str(refused.value)) < 1500


def test_the_preset_that_was_meant_is_named() -> None:
    with pytest.raises(SpecError, match="did you mean 'openai-chat'"):
        load_preset("openai_chat")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"name": "a\ud800"}, "name: is not valid Unicode"),
        ({"url": "http://h/\ud800"}, "url: is not valid Unicode"),
        ({"secrets": {"api_key": "sk-\udc80"}}, "secrets.api_key: is not valid Unicode"),
        ({"secrets": {"\ud800": "x"}}, "secrets: a key is not valid Unicode"),
        ({"params": {"model": "\ud800"}}, "params holds a text that is not valid Unicode"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused_in_every_field(more: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as refused:
        build_target_spec(**{"name": "a", "url": "http://127.0.0.1:9", "preset": "openai-chat", **more})
    assert str(refused.value) == message


def test_null_takes_a_key_of_the_preset_away_and_is_itself_where_there_was_none() -> None:
    body = {"session": None, "history": None, "stop": None}
    overrides = {"request": {"headers": {"Authorization": None}, "body": body}, "response": {"error": None}}
    spec = build_target_spec(
        name="t", url="http://h", preset="generic-json", overrides=overrides, secrets={"api_key": "k"}
    )
    request = CompiledTarget(spec).render({"message": "x", "session": SESSION})
    assert (request.headers, orjson.loads(request.body)) == ((), {"message": "x", "stop": None})
    assert spec.response.error is None


@pytest.mark.parametrize(
    ("done", "merged"),
    [
        ({"path": "type", "equals": "end"}, {"path": "type", "equals": "end"}),
        ([{"data": "[DONE]"}, {"path": "end"}], [{"data": "[DONE]"}, {"path": "end"}]),
        (True, True),
        (None, None),
    ],
)
def test_a_condition_of_overrides_replaces_that_of_the_preset(done: Any, merged: Any) -> None:
    spec = build_target_spec(
        name="t", url="http://h", preset="openai-chat", stream=True, overrides={"response": {"done": done}}
    )
    found = spec.model_dump(exclude_unset=True)["response"].get("done")
    assert found == merged


def test_what_only_looks_like_a_condition_is_merged() -> None:
    assert merge({"done": {"a": 1}}, {"done": {"b": 2}}) == {"done": {"a": 1, "b": 2}}


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({}, "give `data`, `path` or `matches`"),
        ({"data": "a", "path": "b"}, "give either `data` or `path`"),
        ({"data": "a", "equals": "b"}, "`equals` has no effect beside `data`"),
        ({"data": "a", "matches": "b"}, "`matches` has no effect beside `data`"),
        ({"equals": "b"}, "give `data`, `path` or `matches`"),
        ({"path": "a", "equals": "b", "matches": "c"}, "`equals` stands beside `path`"),
        ({"path": "a", "matches": "(a+)+$"}, "could take too long"),
        ([], "done"),
    ],
)
def test_a_condition_says_one_thing(condition: Any, words: str) -> None:
    with pytest.raises(SpecError) as refused:
        build_target_spec(name="t", url="http://h", preset="openai-chat", overrides={"response": {"done": condition}})
    assert words in str(refused.value)

"""Params: which ones a target has, and what each conversation may have of its own."""

from __future__ import annotations

import orjson
import pytest

from connectors.mapping.params import lacks_param, named_params
from connectors.spec import TargetSpec, build_target_spec, parse_target_spec
from connectors.target import CompiledTarget

TURN = {"message": "hi", "messages": [{"role": "user", "content": "hi"}], "history": [], "turn": 0, "vars": {}}


def spec(preset: str = "openai-chat", **params: object) -> TargetSpec:
    return build_target_spec(
        name="t", url="http://127.0.0.1:9/v1", preset=preset, params=params, secrets={"api_key": "k"}
    )


@pytest.mark.parametrize(
    ("preset", "name"),
    [
        ("openai-chat", "model"),
        ("openai-chat", "temperature"),
        ("anthropic-messages", "temperature"),
        ("gemini", "model"),
        ("gemini", "temperature"),
        ("ollama-chat", "temperature"),
        ("nuc", "course_id"),
    ],
)
def test_a_param_that_a_request_names_is_known(preset: str, name: str) -> None:
    assert lacks_param(spec(preset), name) == ""


def test_a_param_that_nothing_names_is_refused_with_those_there_are() -> None:
    why = lacks_param(spec(), "temprature")
    assert why.startswith("the target's request has no such parameter: it has max_completion_tokens, ")
    assert lacks_param(spec("generic-json"), "model").endswith("it has none")


def test_a_request_that_takes_all_params_takes_any() -> None:
    whole = spec().model_dump() | {"request": {"body": "{{ params }}"}}
    assert named_params(parse_target_spec(whole)) is None
    assert lacks_param(parse_target_spec(whole), "anything") == ""


def test_a_key_of_a_body_that_is_called_params_or_a_text_with_it_takes_none() -> None:
    rpc = spec("generic-json").model_dump() | {"request": {"body": {"params": {"text": "{{ params.lang }}"}}}}
    assert named_params(parse_target_spec(rpc)) == frozenset({"lang"})
    urn = spec("generic-json").model_dump() | {
        "request": {"body": {"a": "urn:ietf:params:oauth", "b": "{{\nparams.c }}"}}
    }
    assert named_params(parse_target_spec(urn)) == frozenset({"c"})
    one = spec("generic-json").model_dump() | {"request": {"body": {"params": '{{ params["lang"] }}'}}}
    assert named_params(parse_target_spec(one)) is None


def test_what_only_a_left_out_part_names_does_not_count() -> None:
    step = {"name": "token", "url": "/token", "body": {"for": "{{ params.tenant }}"}}
    shaken = parse_target_spec(spec().wire_dict() | {"handshake": {"steps": [step]}})
    assert lacks_param(shaken, "tenant") == ""
    assert lacks_param(shaken, "tenant", but=["handshake"]) != ""


def test_each_conversation_may_have_params_of_its_own() -> None:
    target = CompiledTarget(spec(max_tokens=5), params_vary=True)
    one = target.with_params({"model": "a", "max_tokens": 5, "temperature": 0.5})
    other = one.with_params({"model": "b"})
    bodies = [orjson.loads(made.render(TURN).body) for made in (target, one, other)]
    assert [body["model"] for body in bodies] == ["gpt-4o-mini", "a", "b"]
    assert [body.get("temperature") for body in bodies] == [None, 0.5, None]
    assert [body.get("max_tokens") for body in bodies] == [5, 5, None]
    assert one.original is other.original is target.original is target
    assert dict(target.endpoint.released(other.render(TURN)).headers) == {"Authorization": "Bearer k"}


def test_params_that_vary_reach_path_connection_and_codecs() -> None:
    gemini = CompiledTarget(spec("gemini"), params_vary=True).with_params({"model": "x", "temperature": 1})
    request = gemini.render(TURN)
    assert request.path == "/v1/models/x:generateContent"
    assert orjson.loads(request.body)["generationConfig"] == {"temperature": 1}
    data = spec("generic-websocket").wire_dict()
    data["request"]["path"] = "/ws/{{ params.model }}"
    socket = CompiledTarget(parse_target_spec(data), params_vary=True).with_params({"model": "m2"})
    assert socket.render_connection({"session": {}, "saved": {}}).path == "/v1/ws/m2"


def test_without_variation_params_are_rendered_beforehand() -> None:
    target = CompiledTarget(spec())
    assert orjson.loads(target.with_params({"model": "other"}).render(TURN).body)["model"] == "gpt-4o-mini"

"""The list of a target's models: the request, and the error for every bad answer."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from connectors import catalogue
from connectors.catalogue import fetch_models
from connectors.errors import BadAnswer, ConnectFailed, Refused, TimedOut, TooLarge
from connectors.spec import SpecError, TargetSpec, build_target_spec
from tests.hostile.table import JSON_TYPE, whole
from tests.integration.connectors.scripted import Asked, says, scripted


def spec(url: str, preset: str = "openai-chat", **more: Any) -> TargetSpec:
    return build_target_spec(name="t", url=f"{url}/v1", preset=preset, secrets={"api_key": "sk-list"}, **more)


ANSWERS = {
    "openai-chat": ("/v1/models", {"data": [{"id": "b"}, {"id": "a"}, {"id": "b"}]}, "authorization"),
    "anthropic-messages": ("/v1/models?limit=1000", {"data": [{"id": "b"}, {"id": "a"}]}, "x-api-key"),
    "ollama-chat": ("/v1/api/tags", {"models": [{"name": "b"}, {"name": "a"}]}, "authorization"),
    "gemini": (
        "/v1/models?pageSize=1000",
        {
            "models": [
                {"name": "models/b", "supportedGenerationMethods": ["generateContent"]},
                {"name": "models/embed", "supportedGenerationMethods": ["embedContent"]},
                {"name": "models/a", "supportedGenerationMethods": ["generateContent", "countTokens"]},
            ]
        },
        "x-goog-api-key",
    ),
}


@pytest.mark.parametrize("preset", ANSWERS)
def test_each_dialect_lists_its_models_with_the_targets_credentials(preset: str) -> None:
    path, answer, header = ANSWERS[preset]
    with scripted(lambda _: says(answer)) as target:
        assert fetch_models(spec(target.url, preset, stream=True)) == ["a", "b"]
        assert target.paths == [f"GET {path}"]
        assert target.requests[0].headers[header].endswith("sk-list")
        assert target.requests[0].body == b""


def test_a_handshake_comes_first() -> None:
    def answer(request: Asked) -> bytes:
        if request.path == "/v1/token":
            return says({"token": "t-1"})
        assert request.headers["authorization"] == "Bearer t-1"
        return says({"data": [{"id": "m"}]})

    step = {"name": "token", "url": "/token", "save": {"token": "token"}}
    more = {"handshake": {"steps": [step]}, "request": {"headers": {"Authorization": "Bearer {{ saved.token }}"}}}
    with scripted(answer) as target:
        assert fetch_models(spec(target.url, overrides=more)) == ["m"]


def test_a_target_over_websocket_is_asked_over_http() -> None:
    more = {
        "models": {"path": "/models", "pick": "names", "headers": {"X-Key": "{{ secret.api_key }}"}},
        "request": {"body": {"id": "{{ uuid }}"}},
        "reply_to": {"request": "id", "response": "id"},
        "before": [{"body": "{{ saved.nothing }}"}],
    }
    with scripted(lambda _: says({"names": ["m"]})) as target:
        url = target.url.replace("http", "ws", 1)
        assert fetch_models(spec(url, "generic-websocket", overrides=more)) == ["m"]
        assert target.requests[0].headers["x-key"] == "sk-list"


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (says({"data": []}), BadAnswer, "empty"),
        (says({"models": ["a"]}), BadAnswer, "no names at 'data[*].id'; the answer has the keys models"),
        (says({"data": [{"id": 7}]}), BadAnswer, "no names"),
        (says({"data": [{"id": "a\nb"}]}), BadAnswer, "is not a model name"),
        (says({"data": [{"id": "m" * 201}]}), BadAnswer, "is not a model name"),
        (says({"data": [{"id": f"m{i}"} for i in range(1001)]}), BadAnswer, "1001 models"),
        (whole(b"<html>", JSON_TYPE), BadAnswer, "not JSON"),
        (says({"error": {"message": "no"}}, "401 Unauthorized"), Refused, "no"),
        (whole(b"x" * (2 << 20) + b"x", JSON_TYPE), TooLarge, "larger than"),
    ],
)
def test_a_list_that_is_none_is_one_clear_error(answer: bytes, error: type[Exception], words: str) -> None:
    with scripted(lambda _: answer) as target, pytest.raises(error, match=words.replace("[*]", r"\[\*\]")):
        fetch_models(spec(target.url))


def test_a_mapping_that_lists_none_says_so() -> None:
    with pytest.raises(SpecError, match="name them, or set its `models`"):
        fetch_models(spec("http://127.0.0.1:9", "generic-json"))


def test_an_address_that_may_not_be_dialled_is_not() -> None:
    with scripted(lambda _: says({"data": []})) as target, pytest.raises(ConnectFailed, match="address_blocked"):
        fetch_models(spec(target.url), allow_private=False)
    assert target.server.connections == 0


def test_a_target_that_takes_its_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "LIMIT_S", 0.3)
    over = threading.Event()

    def late(_: Asked) -> bytes:
        over.wait(60)
        return says({"data": [{"id": "m"}]})

    with scripted(late) as target:
        began = time.monotonic()
        with pytest.raises(TimedOut, match="did not come within"):
            fetch_models(spec(target.url))
        assert time.monotonic() - began < 30
        over.set()

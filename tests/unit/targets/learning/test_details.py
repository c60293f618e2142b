"""Names of saved values, lifetimes of tokens, usage, and guesses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from targets.learning.learn import learn
from tests.unit.targets.learning.test_learn import spec_of

HOST = "https://bot.example.com"
TOKEN = "3f9a8b7c6d5e4f3a2b1c"
ROOM = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def entry(path: str, body: Any, answer: Any, headers: dict[str, str] | None = None) -> dict[str, Any]:
    pairs = [{"name": name, "value": value} for name, value in (headers or {}).items()]
    posted = {"mimeType": "application/json", "text": json.dumps(body)}
    request = {"method": "POST", "url": f"{HOST}{path}", "headers": pairs, "postData": posted}
    content = {"mimeType": "application/json", "text": json.dumps(answer)}
    return {"request": request, "response": {"status": 200, "content": content}}


def test_what_a_step_saves_has_the_names_of_the_answer_and_a_token_its_lifetime() -> None:
    entries = [
        entry("/guest", {}, {"access_token": TOKEN, "ttl": 900}),
        entry("/rooms", {}, {"room": {"key": ROOM}, "ttl": 60}),
        entry(f"/rooms/{ROOM}/ask", {"question": "Where is it?"}, {"answer": "In Graz, I think."}, {"X-Pass": TOKEN}),
    ]
    made = learn([json.dumps({"log": {"entries": entries}})])
    steps = {step["name"]: step for step in made.overrides["handshake"]["steps"]}
    assert steps["guest"]["save"] == {"access_token": "access_token"}
    assert steps["guest"]["expires"] == "ttl"
    assert steps["rooms"]["save"] == {"room_key": "room.key"}
    assert "expires" not in steps["rooms"]
    assert made.overrides["request"]["path"] == "/rooms/{{ saved.room_key }}/ask"
    spec_of(made)


def test_a_step_sends_its_body_as_it_was_recorded() -> None:
    login = entry("/token", {}, {"access_token": TOKEN})
    login["request"]["postData"] = {
        "mimeType": "application/x-www-form-urlencoded", "text": "grant_type=client_credentials&scope=chat",
    }  # fmt: skip
    login["request"]["headers"] = [{"name": "Content-Type", "value": "application/x-www-form-urlencoded"}]
    entries = [login, entry("/ask", {"question": "Where is it?"}, {"answer": "In Graz, I think."}, {"X-Pass": TOKEN})]
    made = learn([json.dumps({"log": {"entries": entries}})])
    [step] = spec_of(made).handshake.steps
    assert (step.encoding, step.body) == ("form", {"grant_type": "client_credentials", "scope": "chat"})


def test_a_step_has_a_name_that_a_target_may_give() -> None:
    entries = [
        entry("/descriptors", {}, {"room": ROOM}),
        entry(f"/rooms/{ROOM}/ask", {"question": "Where is it?"}, {"answer": "In Graz, I think."}),
    ]
    spec_of(learn([json.dumps({"log": {"entries": entries}})]))


@pytest.mark.parametrize(
    ("usage", "tokens", "unknown"),
    [
        ({"usage": {"input": 12, "output": 5}}, (12, 5), ""),
        ({"meta": {"tokens": {"prompt": 12, "completion": 5}}}, (12, 5), ""),
        ({"usage": {"prompt": {"tokens": 12}, "completion": {"tokens": 5}}}, (12, 5), ""),
        ({"usage": {"a": 12, "b": 5}}, (None, None), "which tokens usage.a counts is unknown: see response.usage"),
    ],
)
def test_usage_is_found_within_others_or_called_unknown(usage: Any, tokens: tuple[Any, Any], unknown: str) -> None:
    body = json.dumps({"question": "Where is it now?"})
    answer = json.dumps({"answer": "In Graz, I think.", **usage})
    made = learn([f"curl {HOST}/ask -d '{body}'\n\nHTTP/1.1 200 OK\n\n{answer}"])
    assert made.reading is not None
    assert (made.reading.tokens_in, made.reading.tokens_out) == tokens
    assert [text for text in made.unsure if "tokens" in text] == ([unknown] if unknown else [])


def test_a_path_without_a_recorded_answer_is_called_a_guess() -> None:
    made = learn([f"curl {HOST}/ask -d '{json.dumps({'question': 'Where is it now?'})}'"])
    assert made.overrides["response"]["text"] == "text"
    assert any("response.text is a guess" in text for text in made.untold)


def test_a_request_for_an_amazon_event_stream_is_the_streamed_form_of_its_preset() -> None:
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]})
    for path, stream in (("converse", False), ("converse-stream", True)):
        url = f"https://bedrock-runtime.us-east-1.amazonaws.com/model/some.model-v1:0/{path}"
        made = learn([f"curl {url} -H 'Authorization: Bearer $KEY' -d '{body}'"])
        assert (made.preset, made.stream, made.params) == ("bedrock-converse", stream, {"model": "some.model-v1:0"})

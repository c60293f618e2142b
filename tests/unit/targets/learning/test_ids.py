"""Ids and counters of a recorded conversation: each user gets one, or the proposal says that all share it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from targets.learning.learn import learn
from tests.unit.targets.learning.test_learn import spec_of

ASK = "https://bot.example.com/api/ask"
ONE, TWO = "7c9e6679-7425-40de-944b-e07fc1f90ae7", "0f0e0d0c-1111-4222-8333-444444444444"
SAID = "It is in Graz, I think."


def turn(question: str, sent: dict[str, Any], got: dict[str, Any], more: str = "", url: str = ASK) -> str:
    body = json.dumps({"question": question, **sent})
    answer = json.dumps({"answer": SAID, **got})
    return f"curl '{url}' {more} -d '{body}'\n\nHTTP/1.1 200 OK\nContent-Type: application/json\n\n{answer}"


def first(*given: Any, **options: Any) -> str:
    return turn("Where is my parcel?", *given, **options)


def second(*given: Any, **options: Any) -> str:
    return turn("And when will it come?", *given, **options)


OWN, NEW = "{{ session.id }}", "{{ message_id }}"


@pytest.mark.parametrize(
    ("turns", "wanted"),
    [
        ([first({"cx": ONE}, {"meta": {"cid": ONE}})], {"cx": OWN}),
        ([first({"convo": {"ref": ONE}}, {"ref": ONE})], {"convo": {"ref": OWN}}),
        ([first({"n": "a1", "ref": ONE}, {}), second({"n": "a1", "ref": TWO}, {})], {"n": "a1", "ref": NEW}),
        ([first({"k": 0}, {"next": ONE}), second({"k": 1, "prev": ONE}, {"next": TWO})],
         {"k": "{{ turn }}", "prev": "{{ saved.prev }}"}),
        ([first({"no": 1}, {}), second({"no": 2}, {})], {"no": "{{ turn + 1 }}"}),
    ],
)  # fmt: skip
def test_an_id_is_known_by_where_else_it_stands(turns: list[str], wanted: dict[str, Any]) -> None:
    made = learn(turns)
    assert made.untold == []
    assert made.overrides["request"]["body"] | wanted == made.overrides["request"]["body"]
    assert ONE not in json.dumps(made.target())
    spec_of(made)
    if "prev" in wanted:
        assert made.overrides["response"]["save"] == {"prev": "next"}


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (first({"agentRef": ONE}, {}), "request.body.agentRef"),
        (first({}, {}, url=f"https://bot.example.com/conversations/{ONE}/ask"), "part 2 of request's path"),
        (first({}, {}, url=f"{ASK}?room={TWO}x"), "request's query field room"),
        (first({"seq": 4}, {}), "body.seq may count the turns"),
        (first({}, {}, more="-H 'X-Session-Id: abcdef'"), "the header X-Session-Id is the same for all users"),
    ],
)
def test_what_all_users_would_share_is_named(line: str, place: str) -> None:
    made = learn([line])
    assert any(text.startswith(place) for text in made.unsure), made.unsure


def test_an_id_in_header_and_path_is_that_of_the_body() -> None:
    url = f"https://bot.example.com/c/{ONE}/ask"
    made = learn([first({"conversationId": ONE}, {}, more=f"-H 'X-Chat: {ONE}' -H 'X-Request-Id: {TWO}'", url=url)])
    request = made.overrides["request"]
    assert (request["path"], request["headers"]) == (
        f"/c/{OWN}/ask",
        {"Authorization": None, "X-Chat": OWN, "X-Request-Id": NEW},
    )
    spec_of(made)


def test_a_conversations_id_beside_what_a_preset_knows_is_its_own() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello you"}], "session_id": ONE}
    made = learn([f"curl {ASK}/chat/completions -d '{json.dumps(body)}'"])
    assert (made.preset, made.overrides["request"]["body"]) == ("openai-chat", {"session_id": OWN})

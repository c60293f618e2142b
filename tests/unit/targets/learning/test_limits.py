"""Limits of learning, and secrets in places where few look."""

from __future__ import annotations

import json

import pytest

from targets.learning import handshakes, replay
from targets.learning.learn import learn
from targets.learning.presets import fit
from tests.support.foreign.chats import foreign_chats

KEY = "correct-horse"
CHATS = {chat.name: chat for chat in foreign_chats()}
ANSWER = 'HTTP/1.1 200 OK\n\n{"answer": "It is open until five."}'


def test_no_preset_is_compared_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert learn([CHATS["langserve"].text]).preset == "langserve"
    monkeypatch.setattr(fit, "LIMIT_S", -1.0)
    assert learn([CHATS["langserve"].text]).preset == "generic-json"


def test_an_answer_is_read_no_longer_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = CHATS["http2-stream"]
    monkeypatch.setattr(replay, "LIMIT_S", -1.0)
    made = learn([chat.text])
    assert made.reading is not None
    assert chat.expected["text"].startswith(made.reading.text)
    assert made.reading.text == "1: "


def test_a_handshake_is_followed_so_many_steps_back() -> None:
    """Each step gives what the next one needs."""
    entries = []
    for step in range(handshakes.DEEPEST + 4):
        request = {"method": "POST", "url": f"https://bot.example.com/step{step}", "headers": []}
        body = {"proof": f"proof-{step:03d}-aa77bb"} if step else {}
        given = {"text": json.dumps({"proof": f"proof-{step + 1:03d}-aa77bb"}), "mimeType": "application/json"}
        posted = {"postData": {"mimeType": "application/json", "text": json.dumps(body)}}
        entries.append({"request": request | posted, "response": {"status": 200, "content": given}})
    said = json.dumps({"message": "Is it open today?", "proof": f"proof-{len(entries):03d}-aa77bb"})
    last = {"method": "POST", "url": "https://bot.example.com/chat", "headers": []}
    asked = last | {"postData": {"mimeType": "application/json", "text": said}}
    answer = {"text": '{"answer": "It is open until five."}', "mimeType": "application/json"}
    entries.append({"request": asked, "response": {"status": 200, "content": answer}})
    made = learn([json.dumps({"log": {"entries": entries}})])
    steps = [step["name"] for step in made.overrides["handshake"]["steps"]]
    assert steps == [f"step{number}" for number in range(3, 7)]
    assert len(steps) == handshakes.DEEPEST + 1


def test_a_secret_of_an_earlier_frame_is_hidden_where_it_is_repeated() -> None:
    sent = [{"op": "log_in", "token": KEY}, {"message": "Is it open today?", "ref": KEY}]
    frames = [{"type": "send", "opcode": 1, "data": json.dumps(one)} for one in sent]
    frames.append({"type": "receive", "opcode": 1, "data": '{"answer": "It is open until five."}'})
    entry = {"request": {"method": "GET", "url": "wss://bot.example.com/ws"}, "_webSocketMessages": frames}
    made = learn([json.dumps({"log": {"entries": [entry]}})])
    assert made.overrides["request"]["body"]["ref"] == "{{ secret.token }}"
    assert KEY not in json.dumps(made.as_dict())


def test_a_message_is_shown_without_a_secret_that_stands_elsewhere() -> None:
    chat = f"curl https://bot.example.com/chat --json '{json.dumps({'message': f'Why is {KEY} wrong, please?'})}'"
    later = f"curl https://bot.example.com/seen -H 'X-Api-Key: {KEY}' --json '{{\"seen\": 1}}'"
    made = learn([f"{chat}\n\n{ANSWER}", later])
    assert made.message == "Why is *** wrong, please?"
    assert KEY not in json.dumps(made.as_dict())

"""Web pages instead of answers, and chats of which a recording does not show all: what is said of them."""

from __future__ import annotations

import json

import pytest

from targets.learning.learn import learn
from targets.learning.recorded.errors import LearnError
from tests.support.recorded_chats import har, unknown_chats

TOKEN = "sk-live-0123456789abcdefghij"
PAGE = "<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>"
LINE = 'curl -i https://bot.example.com/?k=1 --json \'{"message": "Is it open today?"}\''
FRAME = "U2FsdGVkX1/E0aYHnVOCRvPQZB4fYTik30M/XTGZ6xaBpzGfIxWo5yPaDlyuV3Gi"


def printed(page: str) -> str:
    return f"{LINE}\n\nHTTP/1.1 200 OK\nContent-Type: text/html\n\n{page}"


@pytest.mark.parametrize(
    ("title", "body", "says"),
    [
        ("Hi", "", "bot.example.com answered is a web page: give the address of the chatbot's API"),
        ("Hi", "<gradio-app></gradio-app>", "looks like one of gradio: try --preset gradio"),
        ("Chainlit", "", "try --preset chainlit"),
        ("Hi", "<script>fetch('/api/chat', x)</script><a href='/chat.css'>", "the page names /api/chat"),
        ("Hi", f"<i a='/v1/chat/{TOKEN}'><i b='https://x.example/v1/messages'>", "names https://x.example/v1/messages"),
    ],
)
def test_a_web_page_is_no_answer_and_is_looked_at_for_hints(title: str, body: str, says: str) -> None:
    with pytest.raises(LearnError) as refused:
        learn([printed(PAGE.format(title=title, body=body))])
    assert says in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_a_page_beside_the_chat_is_passed_over() -> None:
    chat = unknown_chats()[0]
    data = json.loads(har(chat.data))
    content = {"mimeType": "application/octet-stream", "text": PAGE.format(title="Hi", body="x")}
    request = {"method": "POST", "url": "https://bot.example.com/chat", "headers": []}
    asked = {"postData": {"mimeType": "application/json", "text": '{"message": "Is it open today, please?"}'}}
    data["log"]["entries"].append({"request": request | asked, "response": {"status": 200, "content": content}})
    assert learn([json.dumps(data)]).message == chat.last["message"]


def test_an_error_that_is_a_page_says_that_the_request_was_refused() -> None:
    made = learn([printed(PAGE).replace("200 OK", "502 Bad Gateway")])
    assert any("the request was refused" in one for one in made.untold)


@pytest.mark.parametrize(("frame", "told"), [(FRAME, True), ("aGVsbG8=", False), ("Hello to you, too!", False)])
def test_frames_that_look_encrypted_are_said_to_be(frame: str, told: bool) -> None:
    frames = [{"type": kind, "opcode": 1, "data": frame} for kind in ("send", "receive")]
    entry = {"request": {"method": "GET", "url": "wss://bot.example.com/ws"}, "_webSocketMessages": frames}
    made = learn([json.dumps({"log": {"entries": [entry]}})])
    assert any("wss" not in one and "look encrypted or packed" in one for one in made.untold) is told


def test_what_differs_between_two_turns_is_named() -> None:
    def asked(message: str, room: str) -> str:
        return f"curl https://bot.example.com/chat --json '{json.dumps({'message': message, 'room': room})}'"

    made = learn([asked("Is it open today?", "red"), asked("And is it open tomorrow?", "blue")])
    assert "body.room was another one in the turn before: it is sent as it was recorded" in made.unsure

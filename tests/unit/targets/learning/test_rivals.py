"""Requests that repeat the message: the one that is answered with a text is the chat, and the others are named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from targets.learning.learn import learn

MESSAGE = "Where is my parcel?"
AS_CHAT = {"model": "m", "messages": [{"role": "user", "content": MESSAGE}]}


def entry(url: str, body: Any, text: str, status: int = 200, kind: str = "application/json") -> dict[str, Any]:
    posted = {"mimeType": "application/json", "text": json.dumps(body)}
    request = {"method": "POST", "url": url, "headers": [], "postData": posted}
    return {"request": request, "response": {"status": status, "content": {"mimeType": kind, "text": text}}}


CHAT = entry("https://app.example.com/api/x1", {"q1": MESSAGE}, json.dumps({"r": "It is in Graz, I think."}))


@pytest.mark.parametrize(
    ("path", "body", "text", "status"),
    [
        ("v1/messages", {"message": MESSAGE, "event": "sent"}, "", 204),
        ("v1/messages", {"message": MESSAGE}, '{"status": "received", "id": "a81c44f19"}', 200),
        ("v1/messages", {"message": MESSAGE}, json.dumps({"text": MESSAGE}), 200),
        ("v1/chat/completions", AS_CHAT, "", 204),
        ("v1/chat/completions", AS_CHAT, '{"ok": true}', 200),
    ],
)
@pytest.mark.parametrize("given", ["", MESSAGE])
def test_the_request_answered_with_a_text_wins(path: str, body: Any, text: str, status: int, given: str) -> None:
    first = entry(f"https://stats.example.com/{path}", body, text, status)
    made = learn([json.dumps({"log": {"entries": [first, CHAT]}})], message=given)
    assert (made.url, made.message, made.untold) == ("https://app.example.com", MESSAGE, [])
    assert made.overrides["request"]["body"]["q1"] == "{{ message }}"
    assert f"the message also stands in POST stats.example.com/{path}, whose answer has no text" in made.unsure


def test_a_rival_with_a_text_is_named_as_such() -> None:
    title = entry("https://app.example.com/title", {"text": MESSAGE}, json.dumps({"text": "A parcel in transit."}))
    made = learn([json.dumps({"log": {"entries": [title, CHAT]}})], message=MESSAGE)
    assert any("app.example.com/" in line and "whose answer has a text too" in line for line in made.unsure)

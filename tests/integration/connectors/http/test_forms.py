"""Forms as requests: a log-in and a turn, in both lanes."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from connectors.registry import Lane
from connectors.spec import build_target_spec
from tests.integration.connectors.lanes import LANES, ROOMY, Client
from tests.integration.connectors.scripted import Asked, says, scripted

LOGIN = {
    "name": "login",
    "url": "/login",
    "encoding": "form",
    "body": {"user": "{{ params.user }}", "password": "{{ secret.password }}"},
    "save": {"token": "token"},
}


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("encoding", ["form", "multipart", "text"])
def test_a_log_in_and_a_turn_are_forms(lane: Lane, encoding: str) -> None:
    def answer(asked: Asked) -> bytes:
        return says({"token": "t&1", "response": "fine"})

    fields = {"message": None, "session": None, "history": None, "q": "{{ message }}", "token": "{{ saved.token }}"}
    body = "{{ message }}" if encoding == "text" else fields
    with scripted(answer) as bot:
        spec = build_target_spec(
            name="t",
            url=bot.url,
            preset="generic-json",
            params={"user": "ü"},
            secrets={"password": "a&b=c d+e"},
            overrides={
                "timeouts": ROOMY,
                "handshake": {"steps": [LOGIN]},
                "request": {"encoding": encoding, "body": body, "path": "/ask"},
            },
        )
        with Client(lane, spec) as client:
            turn = client.say("x=1&y\r\n2")
        assert turn.code is None, turn.error
        first, second = bot.requests
    assert first.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(first.body.decode(), strict_parsing=True) == [("user", "ü"), ("password", "a&b=c d+e")]
    kind = second.headers["content-type"]
    if encoding == "text":
        assert (kind, second.body) == ("text/plain; charset=utf-8", b"x=1&y\r\n2")
    elif encoding == "form":
        assert kind == "application/x-www-form-urlencoded"
        assert parse_qsl(second.body.decode(), strict_parsing=True) == [("q", "x=1&y\r\n2"), ("token", "t&1")]
    else:
        boundary = kind.partition("boundary=")[2]
        assert second.body.count(f"--{boundary}".encode()) == 3
        assert b'name="q"\r\n\r\nx=1&y\r\n2\r\n' in second.body
        assert b'name="token"\r\n\r\nt&1\r\n' in second.body

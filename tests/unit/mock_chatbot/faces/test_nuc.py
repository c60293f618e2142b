"""The NUC shape: token, chat, encrypted turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import websocket

from mock_chatbot.faces import cryptojs
from tests.support.processes import Mock
from tests.unit.mock_chatbot.client import Client
from tests.unit.mock_chatbot.faces.test_websocket import settle

PASSPHRASE = "mock-passphrase"


class Nuc:
    """A client as an application would write it."""

    def __init__(self, url: str, api_key: str = "", passphrase: str = PASSPHRASE) -> None:
        self.url, self.passphrase = url, passphrase
        self.token = str(self.post("/nuc/token", {}, {"x-api-key": api_key}).json()["token"])
        chat = self.post("/nuc/chats", {"course_id": "c1"}, self.bearer)
        assert chat.status_code == 201
        self.session_id = str(chat.json()["session_id"])
        self.attributes: dict[str, Any] = {}

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def post(self, path: str, body: Any, headers: dict[str, str]) -> requests.Response:
        return requests.post(self.url + path, json=body, headers=headers, timeout=10)

    @contextmanager
    def dial(self, **headers: str) -> Iterator[None]:
        url = f"{self.url.replace('http', 'ws')}/nuc/ws?session_id={self.session_id}"
        self.connection = websocket.create_connection(url, timeout=10, header=self.bearer | headers)
        try:
            yield
        finally:
            self.connection.close()

    def ask(self, question: str = "one two", **more: Any) -> list[dict[str, Any]]:
        """All frames of one turn, decrypted; saves what the answer gives."""
        body: dict[str, Any] = {
            "question": question,
            "course_id": "c1",
            "session_id": self.session_id,
            "language": "en",
        }
        body |= {"session_attributes": self.attributes, "timezone": "UTC", "message_id": "m1", **more}
        self.connection.send(cryptojs.encrypt(json.dumps(body).encode(), self.passphrase).decode())
        frames: list[dict[str, Any]] = []
        while not frames or "response_chunk" in frames[-1]:
            frames.append(json.loads(cryptojs.decrypt(self.connection.recv(), self.passphrase)))
        self.attributes = frames[-1].get("session_attributes", self.attributes)
        return frames


def test_three_turns_with_what_each_answer_gives(client: Client) -> None:
    nuc = Nuc(client.url)
    with nuc.dial():
        turns = [nuc.ask(f"question {number}") for number in range(3)]
    for number, frames in enumerate(turns):
        assert "".join(frame["response_chunk"] for frame in frames[:-1]) == frames[-1]["complete_response"]
        assert {frame["message_id"] for frame in frames[:-1]} == {"m1"}
        assert set(frames[-1]) == {"t", "chat_user_id", "complete_response", "session_attributes", "usage"}
        assert frames[-1]["session_attributes"]["turn"] == number + 1
        assert frames[-1]["usage"] == {"input_tokens": 2, "output_tokens": 8}
        stamps = [frame["t"] for frame in frames]
        assert stamps == sorted(stamps)
    assert client.say("question 0") != turns[0][-1]["complete_response"], "the second time this was asked"
    client.reset()
    assert client.say("question 0") == turns[0][-1]["complete_response"], "the same dice in every face"


@pytest.mark.parametrize("attributes", [{}, {"turn": 1}, {"turn": 1, "seal": "x"}])
def test_attributes_that_are_not_sent_back_are_an_error(client: Client, attributes: dict[str, Any]) -> None:
    nuc = Nuc(client.url)
    with nuc.dial():
        nuc.ask()
        (frame,) = nuc.ask(session_attributes=attributes)
        assert "session_attributes: must be those of the last answer" in frame["error"]["message"]
        assert "complete_response" in nuc.ask()[-1], "the chat is where it was"
    counted = settle(client)
    assert (counted["chat_requests"], counted["answers"], counted["errors"]) == (3, 2, 1)
    assert (counted["requests"], counted["sessions"]) == (5, 1), "token and chat are requests too"
    assert counted["by_status"] == {"200": 3, "201": 1, "400": 1}


def test_the_chat_outlives_the_connection(client: Client) -> None:
    nuc = Nuc(client.url)
    for turn in (1, 2):
        with nuc.dial():
            assert nuc.ask()[-1]["session_attributes"]["turn"] == turn


def test_seeded_errors_leave_the_attributes_as_they_were(client: Client) -> None:
    nuc = Nuc(client.url)
    with nuc.dial(**{"X-Mock-Error-Rate": "0.5", "X-Mock-Seed": "3"}):
        ends = [nuc.ask()[-1] for _ in range(12)]
    answered = [end["session_attributes"]["turn"] for end in ends if "error" not in end]
    assert answered == list(range(1, len(answered) + 1)) and 0 < len(answered) < 12


def test_frames_that_cannot_be_read_are_errors(client: Client) -> None:
    nuc = Nuc(client.url)
    with nuc.dial():
        for data, said in [("plain", "decrypted"), (cryptojs.encrypt(b"{}", PASSPHRASE).decode(), "question: ")]:
            nuc.connection.send(data)
            error = json.loads(cryptojs.decrypt(nuc.connection.recv(), PASSPHRASE))["error"]
            assert said in error["message"]
        assert "session_id" in nuc.ask(session_id="other")[0]["error"]["message"]


def test_the_questions_of_a_chat_may_be_about_several_courses(client: Client) -> None:
    nuc = Nuc(client.url)
    with nuc.dial():
        for course in ("c1", "c2", 3):
            assert "complete_response" in nuc.ask(course_id=course)[-1]


def test_a_wrong_upgrade_gets_an_http_error(client: Client) -> None:
    nuc = Nuc(client.url)
    good, right = nuc.token, nuc.session_id
    for token, session, status in [("x", right, 401), ("", right, 401), (good, "x", 404), (good, "", 404)]:
        nuc.token, nuc.session_id = token, session
        with pytest.raises(websocket.WebSocketBadStatusException) as caught, nuc.dial():
            pass
        assert caught.value.status_code == status
    nuc.session_id = right
    with pytest.raises(websocket.WebSocketBadStatusException, match="400"), nuc.dial(**{"X-Mock-Loud": "1"}):
        pass
    assert nuc.post("/nuc/chats", {}, nuc.bearer).json()["error"]["param"] == "course_id"


def test_the_key_is_asked_for_the_token_and_tokens_expire(start_mock: Callable[..., Mock]) -> None:
    flags = ("--error-rate", "0", "--delay-ms", "0", "--itl-ms", "0", "--tokens", "2")
    lasting = start_mock("--api-key", "Secret", "--nuc-passphrase", "open", *flags)
    wrong = requests.post(f"{lasting.url}/nuc/token", headers={"x-api-key": "secret"}, timeout=10)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")
    nuc = Nuc(lasting.url, "Secret", "open")
    with nuc.dial():
        assert len(nuc.ask()) == 3

    brief = start_mock("--nuc-token-ttl-s", "0", *flags)
    token = requests.post(f"{brief.url}/nuc/token", timeout=10).json()
    assert token["expires_in"] == 0
    headers = {"Authorization": f"Bearer {token['token']}"}
    late = requests.post(f"{brief.url}/nuc/chats", json={"course_id": "c"}, headers=headers, timeout=10)
    assert (late.status_code, late.json()["error"]["code"]) == (401, "invalid_token")

"""The HTTP styles beside POST and SSE: a standing stream, lines of JSON, events of a GET."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.unit.mock_chatbot.client import Client, read_stream
from tests.unit.mock_chatbot.faces.test_websocket import settle


class Standing:
    """One standing stream."""

    def __init__(self, answer: requests.Response) -> None:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        self._lines = answer.iter_lines(chunk_size=None)

    def lines(self) -> Iterator[dict[str, Any]]:
        for line in self._lines:
            if line:
                assert line.startswith(b"data: ")
                yield json.loads(line[6:])

    def turn(self) -> list[dict[str, Any]]:
        frames: list[dict[str, Any]] = []
        while not frames or not {"done", "error"} & set(frames[-1]):
            frames.append(next(self.lines()))
        return frames


@contextmanager
def standing(client: Client, session: str = "s") -> Iterator[Standing]:
    with requests.get(f"{client.url}/split/{session}/events", stream=True, timeout=10) as answer:
        yield Standing(answer)


def say(client: Client, message: Any = "one", session: str = "s", **mock: object) -> requests.Response:
    return client.post(f"/split/{session}/messages", {"message": message}, **mock)


def test_the_standing_stream_answers_turn_after_turn(client: Client) -> None:
    plain = [client.post("/chat", {"message": "one"}).json() for _ in range(2)]
    client.reset()
    with standing(client) as stream:
        turns = []
        for _ in range(2):
            sent = say(client)
            assert (sent.status_code, sent.json()) == (202, {})
            turns.append(stream.turn())
    for frames, said in zip(turns, plain, strict=True):
        last = frames[-1]
        assert "".join(frame["delta"] for frame in frames[:-1]) == last["response"] == said["response"]
        assert last["usage"] == said["usage"] and last["done"] is True
        stamps = [frame["t"] for frame in frames]
        assert stamps == sorted(stamps) and len(stamps) == 9
    counted = settle(client)
    assert (counted["requests"], counted["chat_requests"], counted["answers"], counted["sessions"]) == (3, 2, 2, 1)
    assert counted["by_status"] == {"200": 3, "202": 2}, "the stream and two turns; two messages taken"


def test_sessions_do_not_hear_each_other(client: Client) -> None:
    with standing(client, "a") as a, standing(client, "b") as b:
        say(client, "for a", "a", behaviour="echo")
        say(client, "for b", "b", behaviour="echo")
        assert (a.turn()[-1]["response"], b.turn()[-1]["response"]) == ("for a", "for b")


def test_seeded_errors_come_on_the_stream(client: Client) -> None:
    with standing(client) as stream:
        assert say(client, error_rate=1, errors="503").status_code == 202
        assert stream.turn()[0]["error"]["code"] == "overloaded"
    counted = settle(client)
    assert (counted["chat_requests"], counted["errors"], counted["by_status"]["503"]) == (1, 1, 1)


def test_what_cannot_be_taken_is_refused_at_once(client: Client) -> None:
    assert say(client).json()["error"]["code"] == "no_stream"
    with standing(client) as stream:
        assert say(client, 7).json()["error"]["param"] == "message"
        assert say(client, delay_ms="soon").json()["error"]["param"] == "x-mock-delay-ms"
        assert say(client, itl_ms=5, tokens=20).status_code == 202
        next(stream.lines())
        busy = say(client)
        assert (busy.status_code, busy.json()["error"]["code"]) == (409, "busy")
        assert len(stream.turn()) == 20
    counted = settle(client)
    assert (counted["chat_requests"], counted["answers"], counted["errors"]) == (5, 1, 4)


def test_a_later_stream_takes_over(client: Client) -> None:
    with standing(client) as first, standing(client) as second:
        assert list(first.lines()) == []
        say(client)
        assert second.turn()[-1]["done"]


def test_who_leaves_during_an_answer_is_counted_as_aborted(client: Client) -> None:
    with standing(client) as stream:
        say(client, itl_ms=5, tokens=1000)
        next(stream.lines())
    counted = settle(client)
    assert (counted["chat_requests"], counted["aborted"], counted["errors"]) == (1, 1, 0) and counted["chunks"] < 1000
    assert say(client).status_code == 409


def test_lines_of_json(client: Client) -> None:
    body = {"message": "one two", "session": "s", "stream": True}
    answer = client.post("/ndjson", body, behaviour="echo")
    assert answer.headers["content-type"] == "application/x-ndjson"
    frames = [json.loads(line) for line in answer.iter_lines()]
    assert [frame.get("delta") for frame in frames] == ["one", " two", None] and all(frame["t"] for frame in frames)
    assert frames[-1]["response"] == "one two" and frames[-1]["done"] is True
    whole = client.post("/ndjson", {**body, "stream": False}, behaviour="echo").json()
    assert whole["response"] == "one two" and whole["usage"] == frames[-1]["usage"]
    counted = settle(client)
    assert (counted["answers"], counted["events"], counted["chunks"], counted["output_tokens"]) == (2, 3, 2, 4)


def test_events_of_a_get(client: Client) -> None:
    query = {"message": "one two & three", "session": "s"}
    answer = client.http.get(f"{client.url}/sse", params=query, headers={"X-Mock-Behaviour": "echo"}, stream=True)
    streamed = read_stream(answer)
    assert "".join(event.get("delta", "") for event in streamed.events) == "one two & three" and streamed.done
    assert settle(client)["answers"] == 1


@pytest.mark.parametrize("query", [{}, {"session": "s"}])
def test_a_get_without_a_message_is_a_400(client: Client, query: dict[str, str]) -> None:
    answer = client.http.get(f"{client.url}/sse", params=query, timeout=10)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "message")
    assert settle(client)["chat_requests"] == 1

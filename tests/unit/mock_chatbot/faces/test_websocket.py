"""WS /ws, driven by websocket-client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import websocket

from tests.support.processes import Mock
from tests.unit.mock_chatbot.client import Client


@contextmanager
def dial(client: Client, path: str = "/ws", *, more: dict[str, Any] | None = None, **mock: object) -> Iterator[Any]:
    headers = [f"X-Mock-{name.replace('_', '-')}: {value}" for name, value in mock.items()]
    url = client.url.replace("http", "ws") + path
    opened = websocket.create_connection(url, timeout=10, header=headers, **(more or {}))
    try:
        yield opened
    finally:
        opened.close()


def ask(connection: Any, message: Any = "Hello there", **more: Any) -> list[dict[str, Any]]:
    """All frames of one turn."""
    connection.send(message if isinstance(message, bytes) else json.dumps({"message": message, **more}))
    frames: list[dict[str, Any]] = []
    while not frames or not {"done", "error"} & set(frames[-1]):
        frames.append(json.loads(connection.recv()))
    return frames


def settle(client: Client) -> dict[str, Any]:
    """The counts once nothing is under way."""
    deadline = time.monotonic() + 30
    while (counted := client.stats())["in_flight"] or counted["open_sessions"]:
        assert time.monotonic() < deadline, counted
    return counted


def test_two_turns_on_one_connection_say_what_http_says(client: Client) -> None:
    history = [{"role": "user", "content": "zero"}]
    plain = [client.post("/chat", {"message": text, "history": history}).json() for text in ("one", "two")]
    client.reset()
    with dial(client) as connection:
        turns = [ask(connection, text, history=history, session="s") for text in ("one", "two")]
    for frames, said in zip(turns, plain, strict=True):
        last = frames[-1]
        assert "".join(frame["delta"] for frame in frames[:-1]) == last["response"] == said["response"]
        assert last["usage"] == said["usage"] and last["done"] is True and len(frames) == 9
    counted = settle(client)
    assert (counted["requests"], counted["chat_requests"], counted["answers"], counted["sessions"]) == (2, 2, 2, 1)
    assert (counted["chunks"], counted["events"], counted["output_tokens"]) == (16, 18, 16)
    assert counted["by_status"] == {"200": 2}


def test_a_whole_answer_on_request(client: Client) -> None:
    with dial(client, behaviour="echo") as connection:
        (frame,) = ask(connection, "one two", stream=False)
    assert frame["response"] == "one two" and frame["usage"] == {"input_tokens": 2, "output_tokens": 2}


def test_stamps_rise_and_lie_between_question_and_arrival(client: Client) -> None:
    with dial(client, itl_ms=2, tokens=20, delay_ms=30) as connection:
        begun = time.monotonic_ns()
        frames = ask(connection)
    stamps = [frame["t"] for frame in frames]
    assert stamps == sorted(stamps) and len(stamps) == 21
    assert begun + 30e6 <= stamps[0] and stamps[-1] <= time.monotonic_ns()
    assert all(stamp >= begun + 30e6 + index * 2e6 for index, stamp in enumerate(stamps[:20])), "never early"
    with dial(client, stamp="") as connection:
        assert all("t" not in frame for frame in ask(connection))


def test_a_question_in_a_binary_frame_is_answered_in_binary_frames(client: Client) -> None:
    with dial(client, behaviour="echo") as connection:
        connection.send_binary(b'{"message":"one two"}')
        assert [connection.recv_data()[0] for _ in range(3)] == [websocket.ABNF.OPCODE_BINARY] * 3


def test_the_first_subprotocol_that_is_offered_is_taken(client: Client) -> None:
    with dial(client, more={"subprotocols": ["chat.v2", "chat.v1"]}) as connection:
        assert connection.getsubprotocol() == "chat.v2"
        assert ask(connection)[-1]["done"]


def test_seeds_repeat_over_connections_and_errors_are_frames(client: Client) -> None:
    def ten() -> list[str]:
        with dial(client, error_rate=0.4, errors="429,503", seed=5, stamp="") as connection:
            return [json.dumps(ask(connection)) for _ in range(10)]

    first = ten()
    failed = [turn for turn in first if "error" in turn]
    counted = settle(client)
    assert (counted["answers"], counted["errors"]) == (10 - len(failed), len(failed)) and 0 < len(failed) < 10
    assert set(json.loads(failed[0])[0]["error"]) == {"message", "type", "param", "code"}
    client.reset()
    assert ten() == first


BAD_MESSAGES = [
    (b"{", "Invalid JSON"),
    (b"[]", "object"),
    (b"\xff\xfe", "Invalid JSON"),
    (b"{}", "message: "),
    (b'{"message": 7}', "message: "),
    (b'{"message": "x", "max_tokens": 0}', "max_tokens: "),
]


@pytest.mark.parametrize(("data", "said"), BAD_MESSAGES)
def test_a_bad_message_is_an_error_frame_and_the_connection_lives_on(client: Client, data: bytes, said: str) -> None:
    with dial(client) as connection:
        connection.send_binary(data)
        assert said in json.loads(connection.recv())["error"]["message"]
        assert ask(connection)[-1]["done"]
    counted = settle(client)
    assert (counted["chat_requests"], counted["errors"], counted["answers"]) == (2, 1, 1)
    assert counted["by_status"] == {"200": 1, "400": 1}


def test_a_question_during_an_answer_is_refused_and_the_answer_goes_on(client: Client) -> None:
    with dial(client, itl_ms=5, tokens=30) as connection:
        connection.send('{"message": "first"}')
        frames = [json.loads(connection.recv())]
        connection.send('{"message": "second"}')
        while "done" not in frames[-1]:
            frames.append(json.loads(connection.recv()))
    errors = [frame["error"]["code"] for frame in frames if "error" in frame]
    assert errors == ["busy"] and len(frames) == 32
    counted = settle(client)
    assert (counted["chat_requests"], counted["errors"], counted["answers"]) == (2, 1, 1)


def test_who_leaves_during_an_answer_is_counted_as_aborted(client: Client) -> None:
    with dial(client, itl_ms=5, tokens=1000) as connection:
        connection.send('{"message": "first"}')
        connection.recv()
        assert client.stats()["open_sessions"] == 1
        connection.shutdown()  # without a close frame
    counted = settle(client)
    assert (counted["chat_requests"], counted["aborted"], counted["errors"]) == (1, 1, 0) and counted["chunks"] < 1000


@pytest.mark.parametrize(
    ("path", "mock", "status", "said"),
    [("/ws", {"delay_ms": "soon"}, 400, "x-mock-delay-ms"), ("/nothing", {}, 404, "/nothing")],
)
def test_a_wrong_upgrade_gets_an_http_error(
    client: Client, path: str, mock: dict[str, Any], status: int, said: str
) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as caught, dial(client, path, **mock):
        pass
    assert caught.value.status_code == status and caught.value.resp_body and said in caught.value.resp_body.decode()
    counted = settle(client)
    assert (counted["requests"], counted["chat_requests"], counted["errors"], counted["sessions"]) == (1, 0, 1, 0)


def test_counts_are_exact_under_concurrency(client: Client) -> None:
    def burst(number: int) -> int:
        with dial(client) as connection:
            return sum(len(ask(connection, f"{number} {turn}")) for turn in range(5))

    with ThreadPoolExecutor(8) as pool:
        frames = sum(pool.map(burst, range(8)))
    counted = settle(client)
    assert (counted["requests"], counted["answers"], counted["sessions"]) == (40, 40, 8)
    assert counted["events"] == frames == 40 * 9 and counted["output_tokens"] == 320


def test_a_key_is_asked_for(start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--api-key", "Secret", "--error-rate", "0", "--delay-ms", "0")
    with Client(mock.url) as client:
        with pytest.raises(websocket.WebSocketBadStatusException) as caught, dial(client):
            pass
        assert caught.value.status_code == 401
        url = mock.url.replace("http", "ws") + "/ws"
        opened = websocket.create_connection(url, timeout=10, header=["Authorization: Bearer Secret"])
        assert ask(opened)[-1]["done"]
        opened.close()

"""The Socket.IO face, driven by python-socketio's client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import engineio
import pytest
import requests
import socketio

from tests.support.processes import Mock
from tests.unit.mock_chatbot.client import Client
from tests.unit.mock_chatbot.faces.test_websocket import settle

LAST = {"stream_end", "assistant_response", "done", "error"}
Events = list[tuple[str, dict[str, Any]]]


class Transport(engineio.Client):
    """Hands over messages in the order in which they came: the library's own starts a thread for each."""

    def _trigger_event(self, event: str, *arguments: Any, **options: Any) -> Any:
        return super()._trigger_event(event, *arguments, **options | {"run_async": False})


class InOrder(socketio.Client):
    def _engineio_client_class(self) -> type[Transport]:
        return Transport


class Connection(socketio.SimpleClient):
    client_class = InOrder


@contextmanager
def dial(client: Client, namespace: str = "/", *, auth: Any = None, **mock: object) -> Iterator[Any]:
    headers = {f"X-Mock-{name.replace('_', '-')}": str(value) for name, value in mock.items()}
    with Connection() as connection:
        connection.connect(
            client.url, headers=headers, auth=auth, transports=["websocket"], namespace=namespace, wait_timeout=10
        )
        yield connection


def turn(connection: Any, event: str, *arguments: Any) -> Events:
    """All events of one turn."""
    connection.emit(event, arguments if len(arguments) != 1 else arguments[0])
    events: Events = []
    while not events or events[-1][0] not in LAST:
        name, said = connection.receive(timeout=10)
        events.append((name, said))
    return events


def test_a_session_is_said_to_be_created_before_all_else(client: Client) -> None:
    seen = set()
    for _ in range(10):
        with dial(client) as connection:
            name, said = connection.receive(timeout=10)
            assert name == "SESSION_CREATED" and set(said) == {"sessionId", "expiresAt"}
            seen.add(said["sessionId"])
    assert len(seen) == 10 and settle(client)["sessions"] == 10


def test_talksy_streamed_and_whole_say_what_http_says(client: Client) -> None:
    plain = [client.post("/chat", {"message": "one"}).json()["response"] for _ in range(2)]
    client.reset()
    with dial(client) as connection:
        _, created = connection.receive(timeout=10)
        streamed = turn(connection, "user_message_stream", {"text": "one"})
        whole = turn(connection, "user_message", {"text": "one"})
    assert [name for name, _ in streamed] == ["stream_start", *["stream_chunk"] * 8, "stream_end"]
    chunks = [said for name, said in streamed if name == "stream_chunk"]
    assert "".join(said["content"] for said in chunks) == plain[0] and [said["index"] for said in chunks] == [*range(8)]
    assert streamed[-1][1]["sessionId"] == streamed[0][1]["sessionId"] == created["sessionId"]
    assert streamed[-1][1]["usage"] == {"input_tokens": 1, "output_tokens": 8}
    ((name, said),) = whole
    assert name == "assistant_response" and said["text"] == plain[1]
    assert abs(said["timestamp"] / 1000 - time.time()) < 60
    counted = settle(client)
    assert (counted["requests"], counted["chat_requests"], counted["answers"], counted["sessions"]) == (2, 2, 2, 1)
    assert (counted["chunks"], counted["output_tokens"], counted["by_status"]) == (8, 16, {"200": 2})


def test_generic_in_events_and_as_an_ack(client: Client) -> None:
    with dial(client, "/generic", behaviour="echo") as connection:
        events = turn(connection, "chat", {"message": "one two", "session": "s"})
        assert [(name, said.get("text")) for name, said in events] == [
            ("delta", "one"),
            ("delta", " two"),
            ("done", None),
        ]
        assert events[-1][1]["response"] == "one two" and events[-1][1]["usage"]["output_tokens"] == 2
        ack = connection.call("chat", {"message": "one two"}, timeout=10)
        assert ack["response"] == "one two" and ack["usage"] == events[-1][1]["usage"] and ack["t"]
    assert settle(client)["events"] == 3, "a whole answer is no event of a stream"


def test_polling_works_too(client: Client) -> None:
    """By hand: the library's client takes half a minute to leave, until its last poll has ended."""
    url = f"{client.url}/socket.io/?EIO=4&transport=polling"
    with requests.Session() as http:
        url += f"&sid={json.loads(http.get(url, timeout=10).text[1:])['sid']}"
        for packet in ("40/generic,", '42/generic,["chat",{"message":"x"}]'):
            assert http.post(url, data=packet, timeout=10).text == "OK"
        events: Events = []
        while not events or events[-1][0] not in LAST:
            packets = http.get(url, timeout=10).text.split("\x1e")
            events += [json.loads(each.removeprefix("42/generic,")) for each in packets if each.startswith("42")]
        assert http.post(url, data="1", timeout=10).text == "OK"
    assert len(events) == 9 and all(said["t"] < time.monotonic_ns() for _, said in events)


def test_stamps_rise_and_lie_between_question_and_arrival(client: Client) -> None:
    with dial(client, "/generic", itl_ms=2, tokens=20, delay_ms=30) as connection:
        begun = time.monotonic_ns()
        events = turn(connection, "chat", {"message": "x"})
    stamps = [said["t"] for _, said in events]
    assert stamps == sorted(stamps) and len(stamps) == 21 and stamps[-1] <= time.monotonic_ns()
    assert all(stamp >= begun + 30e6 + index * 2e6 for index, stamp in enumerate(stamps[:20])), "never early"
    with dial(client, "/generic", stamp="") as connection:
        assert all("t" not in said for _, said in turn(connection, "chat", {"message": "x"}))


def test_seeds_repeat_over_connections_and_errors_are_events(client: Client) -> None:
    def ten() -> list[str]:
        with dial(client, error_rate=0.4, errors="429", seed=5, stamp="") as connection:
            connection.receive(timeout=10)
            turns = [turn(connection, "user_message_stream", {"text": "x"}) for _ in range(10)]
        return [str([(name, said | {"sessionId": ""}) for name, said in events]) for events in turns]

    first = ten()
    failed = [events for events in first if "'error'" in events]
    assert 0 < len(failed) < 10 and "'code': 'rate_limit_exceeded', 'message': 'Rate limit reached.'" in failed[0]
    assert settle(client)["by_status"] == {"200": 10 - len(failed), "429": len(failed)}
    client.reset()
    assert ten() == first


BAD = [
    ("/", "user_message", ({"words": "x"},), "text: "),
    ("/", "user_message_stream", ("x",), "TextMessage"),
    ("/", "user_message", (), "TextMessage"),
    ("/", "get_history", ({},), "'get_history'"),
    ("/generic", "chat", ({"message": 7},), "message: "),
    ("/generic", "user_message", ({"text": "x"},), "'user_message'"),
]


@pytest.mark.parametrize(("namespace", "event", "arguments", "said"), BAD)
def test_wrong_events_are_errors_and_the_connection_lives_on(
    client: Client, namespace: str, event: str, arguments: tuple[Any, ...], said: str
) -> None:
    good = ("chat", {"message": "x"}) if namespace == "/generic" else ("user_message", {"text": "x"})
    with dial(client, namespace) as connection:
        if namespace == "/":
            connection.receive(timeout=10)
        ((name, error),) = turn(connection, event, *arguments)
        assert name == "error" and said in error["message"] and error["code"]
        assert turn(connection, *good)[-1][0] != "error"
    counted = settle(client)
    assert (counted["chat_requests"], counted["answers"], counted["errors"]) == (2, 1, 1)


def test_an_error_is_an_ack_where_one_is_wanted(client: Client) -> None:
    with dial(client, "/generic", error_rate=1, errors="503") as connection:
        assert connection.call("chat", {"message": "x"}, timeout=10)["error"]["code"] == "overloaded"


def test_a_question_during_an_answer_is_refused_and_the_answer_goes_on(client: Client) -> None:
    with dial(client, "/generic", itl_ms=5, tokens=30) as connection:
        connection.emit("chat", {"message": "first"})
        connection.receive(timeout=10)
        assert connection.call("chat", {"message": "second"}, timeout=10)["error"]["code"] == "busy"
        rest = 0
        while connection.receive(timeout=10)[0] != "done":
            rest += 1
    assert rest == 29
    counted = settle(client)
    assert (counted["chat_requests"], counted["errors"], counted["answers"]) == (2, 1, 1)


def test_who_leaves_during_an_answer_is_counted_as_aborted(client: Client) -> None:
    with dial(client, "/generic", itl_ms=5, tokens=1000) as connection:
        connection.emit("chat", {"message": "first"})
        connection.receive(timeout=10)
        assert client.stats()["open_sessions"] == 1
    counted = settle(client)
    assert (counted["chat_requests"], counted["aborted"], counted["errors"]) == (1, 1, 0) and counted["chunks"] < 1000


@pytest.mark.parametrize(
    ("namespace", "mock", "said"), [("/", {"delay_ms": "soon"}, "x-mock-delay-ms: must be"), ("/other", {}, "Unable")]
)
def test_a_wrong_connection_is_refused(client: Client, namespace: str, mock: dict[str, Any], said: str) -> None:
    reasons: list[Any] = []
    headers = {f"X-Mock-{name.replace('_', '-')}": value for name, value in mock.items()}
    with_reason = socketio.Client(reconnection=False)
    with_reason.on("connect_error", reasons.append, namespace=namespace)
    with pytest.raises(socketio.exceptions.ConnectionError):
        with_reason.connect(client.url, headers=headers, transports=["websocket"], namespaces=[namespace])
    assert said in str(reasons[0])
    assert settle(client)["sessions"] == 0


def test_a_key_is_asked_for_in_the_auth_payload(start_mock: Callable[..., Mock]) -> None:
    flags = ("--api-key", "Secret", "--error-rate", "0", "--delay-ms", "0", "--itl-ms", "0")
    with Client(start_mock("--socketio", *flags).url) as client:
        for wrong in (None, {}, {"token": "secret"}, {"token": 1}, "Secret"):
            with pytest.raises(socketio.exceptions.ConnectionError), dial(client, auth=wrong):
                pass
        with dial(client, "/generic", auth={"token": "Secret"}) as connection:
            assert turn(connection, "chat", {"message": "x"})[-1][0] == "done"

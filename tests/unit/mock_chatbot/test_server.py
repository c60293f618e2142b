"""The server over real sockets: both dialects, counts, pace, stamps, errors."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.processes import Mock
from tests.unit.mock_chatbot.client import Client, read_stream

FIGURES = ("requests", "chat_requests", "answers", "errors", "aborted", "in_flight")


def figures(client: Client) -> dict[str, int]:
    counted = client.stats()
    return {name: counted[name] for name in FIGURES if counted[name]}


def test_models(client: Client) -> None:
    answer = client.http.get(f"{client.url}/v1/models", timeout=10).json()
    assert answer["object"] == "list" and answer["data"][0]["id"] == "mock-chat"


def test_plain_completion(client: Client) -> None:
    answer = client.chat("one two three", more={"model": "some-model"}).json()
    assert (answer["object"], answer["model"], len(answer["choices"])) == ("chat.completion", "some-model", 1)
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop" and choice["message"]["role"] == "assistant"
    assert len(choice["message"]["content"].split()) == 8
    usage = {name: answer["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    assert usage == {"prompt_tokens": 3, "completion_tokens": 8, "total_tokens": 11}


def test_a_stream_says_what_the_plain_answer_says(client: Client) -> None:
    plain = client.say("the same")
    client.reset()
    streamed = client.stream("the same")
    assert streamed.done and "".join(streamed.texts()) == plain and len(streamed.texts()) == 8
    assert streamed.events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert streamed.events[-1]["choices"][0]["finish_reason"] == "stop"
    assert len({event["id"] for event in streamed.events}) == 1
    assert not any("usage" in event for event in streamed.events), "nobody asked for it"


def test_usage_of_a_stream_comes_in_a_chunk_of_its_own(client: Client) -> None:
    events = client.stream("one two", more={"stream_options": {"include_usage": True}}).events
    assert [event["usage"] for event in events[:-1]] == [None] * (len(events) - 1)
    assert events[-1]["choices"] == [] and events[-1]["usage"]["total_tokens"] == 10


def test_reasoning_comes_before_the_answer_and_counts(client: Client) -> None:
    streamed = client.stream(reasoning=3, more={"stream_options": {"include_usage": True}})
    assert (len(streamed.texts("reasoning_content")), len(streamed.texts())) == (3, 8)
    kinds = [next(iter(event["choices"][0]["delta"]), "") for event in streamed.events if event["choices"]]
    assert kinds == ["role", *["reasoning_content"] * 3, *["content"] * 8, ""]
    usage = streamed.events[-1]["usage"]
    assert usage["completion_tokens"] == 11 and usage["completion_tokens_details"] == {"reasoning_tokens": 3}
    plain = client.chat(reasoning=3).json()["choices"][0]["message"]
    assert len(plain["reasoning_content"].split()) == 3 and len(plain["content"].split()) == 8


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_max_tokens_cuts(client: Client, name: str) -> None:
    choice = client.chat(more={name: 3}).json()["choices"][0]
    assert len(choice["message"]["content"].split()) == 3 and choice["finish_reason"] == "length"
    streamed = client.stream(more={name: 3})
    assert len(streamed.texts()) == 3 and streamed.events[-1]["choices"][0]["finish_reason"] == "length"


def test_echo_of_hard_text_in_both_ways(client: Client) -> None:
    hard = 'He said "no\\yes",\n\ttwice \u0000 \u2028 日本語 🙂 ' + "x" * 50
    assert client.say(hard, behaviour="echo") == hard
    assert "".join(client.stream(hard, behaviour="echo").texts()) == hard


def test_an_empty_answer_is_still_a_whole_stream(client: Client) -> None:
    streamed = client.stream("", behaviour="echo")
    assert streamed.done and streamed.texts() == [] and len(streamed.events) == 2


def test_content_in_parts(client: Client) -> None:
    parts = [
        {"type": "text", "text": "one "},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "two"},
    ]
    body = {"messages": [{"role": "user", "content": parts}]}
    answer = client.post("/v1/chat/completions", body, behaviour="echo").json()
    assert answer["choices"][0]["message"]["content"] == "one two"
    parts[1:] = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "input_audio", "input_audio": {"data": "QUI=", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
    ]
    assert client.post("/v1/chat/completions", body).status_code == 200
    assert (client.stats()["attachments"], client.stats()["attachment_bytes"]) == (4, 6)
    parts[3] = {"type": "input_audio", "input_audio": {"data": "QUI", "format": "wav"}}
    assert client.post("/v1/chat/completions", body).status_code == 400


def test_generic_plain_and_streamed(client: Client) -> None:
    body: dict[str, Any] = {"message": "one two", "session": 7, "history": [{"role": "user", "content": "zero"}]}
    plain = client.post("/chat", body, behaviour="echo").json()
    assert plain["response"] == "one two" and plain["usage"] == {"input_tokens": 3, "output_tokens": 2}
    streamed = read_stream(client.post("/chat", {**body, "stream": True}, behaviour="echo"))
    assert streamed.done and [event.get("delta") for event in streamed.events] == ["one", " two", None]
    assert streamed.events[-1]["usage"] == plain["usage"]


def test_each_behaviour_can_be_asked_for(client: Client) -> None:
    assert client.say(behaviour="xml").startswith("<reply>")
    assert client.say("Hi", behaviour="echo") == "Hi"
    assert len(client.say(behaviour="repetitive", tokens=30).split()) == 30
    assert client.say(behaviour="verbose").endswith(".")


def test_counts_are_exact_under_concurrency(client: Client) -> None:
    def burst(number: int) -> None:
        with Client(client.url) as mine:
            for turn in range(5):
                mine.stream(f"{number} {turn}", more={"max_tokens": 6})
                mine.say("two words")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(burst, range(8)))
    assert figures(client) == {"requests": 80, "chat_requests": 80, "answers": 80}
    counted = client.stats()
    assert counted["chunks"] == 40 * 6 and counted["events"] == 40 * (1 + 6 + 1 + 1)
    assert counted["output_tokens"] == 40 * 6 + 40 * 8 and counted["input_tokens"] == 160
    assert counted["by_status"] == {"200": 80} and 2 <= counted["max_in_flight"] <= 8


def test_same_seed_same_answers_after_a_reset(client: Client) -> None:
    def ten() -> list[tuple[int, str]]:
        sent = [client.chat(tokens="5-50", error_rate=0.3, seed=5) for _ in range(10)]
        return [(each.status_code, str(each.json().get("choices"))) for each in sent]

    first = ten()
    client.reset()
    assert ten() == first and len(set(first)) > 3
    client.reset()
    other = client.chat(tokens="5-50", error_rate=0, seed=6).json()
    assert str(other["choices"]) not in [text for _, text in first]


def test_a_conversation_has_its_own_answers(client: Client) -> None:
    anna = [client.say(conversation="anna") for _ in range(2)]
    berta = [client.say(conversation="berta") for _ in range(2)]
    assert len({*anna, *berta}) == 4
    client.reset()
    assert [client.say(conversation="berta") for _ in range(2)] == berta


def test_random_errors_are_openai_errors_and_counted(client: Client) -> None:
    answers = [client.chat(str(number), error_rate=0.5, errors="429,503") for number in range(60)]
    failed = [answer for answer in answers if answer.status_code != 200]
    assert 15 <= len(failed) <= 45 and {answer.status_code for answer in failed} == {429, 503}
    for answer in failed:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert answer.headers["retry-after"] == "1"
    assert figures(client) == {"requests": 60, "chat_requests": 60, "answers": 60 - len(failed), "errors": len(failed)}


def test_a_stream_fails_before_it_begins(client: Client) -> None:
    answer = client.chat(more={"stream": True}, error_rate=1, errors="500")
    assert answer.status_code == 500 and answer.json()["error"]["type"] == "server_error"


@pytest.mark.parametrize("more", [{}, {"stream": True}])
def test_delay_is_never_short_and_pace_does_not_drift(client: Client, more: dict[str, Any]) -> None:
    late_ms = []
    for _ in range(3):
        begun = time.monotonic_ns()
        answer = client.chat(more=more, delay_ms="60-80", itl_ms=20, tokens=11)
        stamps = [event["t"] for event in read_stream(answer).events] if more else [answer.json()["t"]]
        texts = stamps[1:-1] if more else stamps
        assert len(texts) == (11 if more else 1)
        assert all(stamp >= begun + (60 + 20 * index) * 1e6 for index, stamp in enumerate(texts)), "never early"
        assert all(later > earlier for earlier, later in pairwise(texts))
        late_ms.append((texts[-1] - begun) / 1e6 - 80 - 20 * (len(texts) - 1))
    assert min(late_ms) < 60, "the best of three, which allows for a busy machine"


def test_errors_take_their_delay_too(client: Client) -> None:
    begun = time.monotonic()
    assert client.chat(error_rate=1, delay_ms=50).status_code in {500, 429, 503}
    assert time.monotonic() - begun >= 0.05


def test_stamps_rise_and_precede_arrival(client: Client) -> None:
    begun = time.monotonic_ns()
    streamed = client.stream(itl_ms=1, tokens=50, more={"stream_options": {"include_usage": True}})
    stamps = [event["t"] for event in streamed.events]
    assert len(stamps) == 53 and stamps == sorted(stamps) and begun < stamps[0]
    assert all(stamp < arrival for stamp, arrival in zip(stamps, streamed.arrivals_ns, strict=True))


def test_stamps_only_on_request(client: Client) -> None:
    assert "t" not in client.chat(stamp="").json() and "sent" in client.chat(stamp="sent").json()


def test_who_leaves_is_counted_as_aborted(client: Client) -> None:
    with Client(client.url) as leaver:
        answer = leaver.chat(more={"stream": True}, itl_ms=5, tokens=20_000)
        lines = answer.iter_lines()  # held: the connection closes when this iterator goes
        next(lines)
        assert client.stats()["in_flight"] == 1
        answer.close()
    deadline = time.monotonic() + 60
    while client.stats()["in_flight"] and time.monotonic() < deadline:
        pass
    assert figures(client) == {"requests": 1, "chat_requests": 1, "aborted": 1}
    assert client.stats()["chunks"] < 20_000


BAD_BODIES = [
    (b"", None),
    (b"{", None),
    (b"[]", None),
    (b"\xff", None),
    (b'{"messages": []}', "messages"),
    (b'{"model": "m"}', "messages"),
    (b'{"messages": [{"role": "nobody", "content": "x"}]}', "messages.0.role"),
    (b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": 0}', "max_tokens"),
    (b'{"messages": [{"role": "user", "content": "x"}], "stream": "yes"}', "stream"),
]


@pytest.mark.parametrize(("body", "param"), BAD_BODIES)
def test_a_bad_body_is_an_openai_400(client: Client, body: bytes, param: str | None) -> None:
    answer = client.post("/v1/chat/completions", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert figures(client) == {"requests": 1, "chat_requests": 1, "errors": 1}


def test_a_bad_header_is_an_openai_400(client: Client) -> None:
    answer = client.chat(delay_ms="soon")
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "x-mock-delay-ms"


def test_unknown_paths_and_methods_are_openai_errors(client: Client) -> None:
    missing = client.http.get(f"{client.url}/v2/nothing", timeout=10)
    wrong = client.http.get(f"{client.url}/v1/chat/completions", timeout=10)
    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert "/v2/nothing" in missing.json()["error"]["message"] and wrong.json()["error"]["type"]
    assert figures(client) == {"requests": 2, "errors": 2}


def test_requests_in_one_packet_are_answered_in_order(client: Client) -> None:
    """Raw bytes: pipelined requests, no content type, header names in capitals."""
    parts = urlsplit(client.url)
    body = b'{"message":"%s"}'
    one = b"POST /chat HTTP/1.1\r\nHOST: x\r\nX-MOCK-BEHAVIOUR: echo\r\nContent-Length: 16\r\n\r\n"
    with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=10) as sock:
        sock.sendall(one + body % b"aa" + one + body % b"bb")
        received = b""
        while received.count(b'"finish"') < 2:
            piece = sock.recv(65536)
            assert piece
            received += piece
    assert received.index(b'"response":"aa"') < received.index(b'"response":"bb"')


def test_a_key_is_asked_for(start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--api-key", "Secret", "--error-rate", "0", "--delay-ms", "0-0")
    body = {"messages": [{"role": "user", "content": "x"}]}

    def status(authorization: str | None) -> int:
        headers = {} if authorization is None else {"Authorization": authorization}
        answer = requests.post(f"{mock.url}/v1/chat/completions", json=body, headers=headers, timeout=10)
        if answer.status_code == 401:
            assert answer.json()["error"]["code"] == "invalid_api_key"
        return answer.status_code

    tried = [None, "Bearer secret", "Bearer ", "Secret", "Bearer Secret", "bearer Secret"]
    assert [status(each) for each in tried] == [401, 401, 401, 401, 200, 200]
    assert requests.get(f"{mock.url}/v1/models", timeout=10).status_code == 401
    counted = mock.stats()
    assert (counted["requests"], counted["chat_requests"], counted["answers"], counted["errors"]) == (7, 6, 2, 5)
    assert (
        set(mock.ready) == {"url", "port", "grpc_port", "grpc_url"}
        and mock.url == f"http://127.0.0.1:{mock.ready['port']}"
    )

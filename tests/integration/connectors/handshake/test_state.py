"""Steps with state, on both lanes: values in headers and cookies, waiting for a condition, streams, one connection."""

from __future__ import annotations

import threading
from itertools import count
from typing import Any

import pytest

from connectors.registry import Lane
from tests.hostile import http, ndjson, sse
from tests.hostile.table import CHUNKED, LAST_CHUNK, SSE_TYPE, chunk, head, whole
from tests.integration.connectors.handshake.steps import lanes
from tests.integration.connectors.lanes import Client, Turn, make_spec, one_turn
from tests.integration.connectors.scripted import Asked, says, scripted

Step = dict[str, Any]
PAGE: Step = {"name": "page", "method": "GET", "url": "/login", "save": {"csrf": {"cookie": "csrftoken"}}}
LOG_IN: Step = {
    "name": "login",
    "url": "/login",
    "headers": {"X-CSRFToken": "{{ saved.csrf }}"},
    "expect": [302],
    "save": {"place": {"header": "location"}, "region": {"header": "X-Region"}},
}
OPEN: Step = {"name": "open", "url": "{{ saved.place }}", "headers": {"X-Region": "{{ saved.region }}"}}
READY: Step = {"name": "ready", "method": "GET", "url": "/state", "until": {"path": "state", "equals": "up"}}
EVENT: Step = {
    "name": "begin",
    "url": "/begin",
    "read": "sse",
    "until": {"path": "type", "equals": "created"},
    "save": {"chat": "chat.id", "region": {"header": "x-region"}},
}
FORM: Step = {
    "name": "form",
    "method": "GET",
    "url": "/form",
    "save": {
        "csrf": {"pattern": 'name="csrf" value="([^"]+)"'},
        "build": {"header": "server", "pattern": "^[^/]+/(.+)$"},
    },
}
TURN = {"path": "/say"}


class Stateful:
    """A bot behind a log-in with cookies, a page that is ready at the third look, and a stream that begins a chat."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks = count(1)

    def __call__(self, request: Asked) -> bytes:
        match request.method, request.path.partition("?")[0]:
            case "GET", "/base/login":
                return whole(b"<html>", "Content-Type: text/html", "Set-Cookie: csrftoken=t0ken; Path=/")
            case "POST", "/base/login":
                given = (request.headers["x-csrftoken"], request.headers["cookie"])
                status = "302 Found" if given == ("t0ken", "csrftoken=t0ken") else "403 No"
                return head("Content-Length: 0", "Location: ../base/chats/17", "X-Region: eu", status=status)
            case "GET", "/base/form":
                page = b'<html><input name="csrf" value="t0ken-\xc3\xbc"></html>'
                return whole(page, "Content-Type: text/html", "Server: Bot/1.2 (x)")
            case "GET", "/base/state":
                with self._lock:
                    return says({"state": "up" if next(self._looks) % 3 == 0 else "starting", "cursor": "c1"})
            case "POST", "/base/begin":
                return head(SSE_TYPE, CHUNKED, "X-Region: us") + b"".join(
                    chunk(b"data: " + data + b"\n\n")
                    for data in (b"not json", b'{"type": "created", "chat": {"id": 9}}')
                )
            case _, "/base/say":
                return whole(http.GOOD)
        return says({})


def spec_of(url: str, *steps: Step, protocol: str = "http", **overrides: Any) -> Any:
    overrides = {"handshake": {"steps": list(steps)}, "request": TURN} | overrides
    return make_spec(protocol, f"{url}/base", **overrides)


@lanes
def test_values_come_from_headers_and_cookies_and_an_address_is_made_absolute(lane: Lane) -> None:
    with scripted(Stateful()) as bot, Client(lane, spec_of(bot.url, PAGE, LOG_IN, OPEN)) as client:
        turns = client.say_all(["one", "two"])
        assert [turn.code for turn in turns] == [None, None], turns[0].error
        assert client.connector.saved == {"csrf": "t0ken", "region": "eu", "place": f"{bot.url}/base/chats/17"}
        paths = ["GET /base/login", "POST /base/login", "POST /base/chats/17"]
        assert bot.paths == [*paths, "POST /base/say", "POST /base/say"]
        assert bot.requests[2].headers["x-region"] == "eu"
        assert bot.server.connections == 1, "the conversation's own"
    steps = turns[0].timeline.handshake_ns or {}
    assert set(steps) == {"page", "login", "open", "resolve", "connect"}
    sent_ns = turns[0].timeline.sent_ns
    assert sent_ns is not None
    assert sum(steps.values()) <= sent_ns - turns[0].timeline.planned_ns, "no time is counted twice"


@lanes
def test_a_step_goes_to_the_address_itself_and_may_save_what_is_not_always_there(lane: Lane) -> None:
    save = {"chat": {"header": "X-Chat", "required": False}, "region": {"header": "X-Region"}}
    here = {"name": "here", "url": "", "save": save}
    steps = {"handshake": {"steps": [here]}, "request": {"headers": {"X-Chat": "{{ saved.chat }}"}}}
    for path, asked in (("/base", "/base"), ("", "/")):
        with scripted(lambda _: whole(http.GOOD, "X-Region: eu")) as bot:
            spec = make_spec("http", bot.url + path, **steps)
            with Client(lane, spec) as client:
                assert client.say().code is None
                assert client.connector.saved == {"region": "eu"}
            assert bot.paths[0] == f"POST {asked}"
            assert "x-chat" not in bot.requests[1].headers


@lanes
def test_values_come_from_a_page_by_patterns(lane: Lane) -> None:
    with scripted(Stateful()) as bot, Client(lane, spec_of(bot.url, FORM)) as client:
        assert client.say().code is None
        assert client.connector.saved == {"csrf": "t0ken-ü", "build": "1.2 (x)"}


@lanes
def test_a_step_waits_for_a_text_that_matches(lane: Lane) -> None:
    answers = iter([whole(b"<p>wait</p>"), whole(b"<p>ready: 7</p>"), whole(http.GOOD)])
    step = READY | {
        "until": {"matches": "ready: [0-9]"},
        "every_s": 0.05,
        "save": {"id": {"pattern": "ready: ([0-9]+)"}},
    }
    with scripted(lambda _: next(answers)) as bot, Client(lane, spec_of(bot.url, step)) as client:
        assert client.say().code is None
        assert client.connector.saved == {"id": "7"}
        assert len(bot.requests) == 3


@lanes
@pytest.mark.parametrize("protocol", ["http", "sse", "ndjson"])
def test_each_turn_saves_of_the_head_and_the_text_of_its_answer(lane: Lane, protocol: str) -> None:
    numbers = count(1)
    bodies = {
        "http": (b'{"text": "a [ref=%d]"}', "application/json"),
        "sse": (b'data: {"delta": "a"}\n\ndata: {"delta": " [ref=%d]"}\n\ndata: [DONE]\n\n', "text/event-stream"),
        "ndjson": (b'{"delta": "a"}\n{"delta": " [ref=%d]"}\n', "application/x-ndjson"),
    }
    body, kind = bodies[protocol]

    def answer(_: Asked) -> bytes:
        number = next(numbers)
        return whole(
            body % number, f"Content-Type: {kind}", f"X-Chat: c{number}", f"Set-Cookie: turn=t{number}; Path=/"
        )

    save = {
        "chat": {"header": "x-chat"},
        "turn": {"cookie": "turn"},
        "ref": {"pattern": r"\[ref=(\d+)\]"},
        "no": {"header": "n"},
    }
    done = {"data": "[DONE]"} if protocol == "sse" else None
    response = {"text": "text", "delta": None if protocol == "http" else "delta", "done": done, "save": save}
    request = {"path": "/say?chat={{ saved.chat | default('none') }}&ref={{ saved.ref | default('') }}"}
    with (
        scripted(answer) as bot,
        Client(lane, spec_of(bot.url, protocol=protocol, request=request, response=response)) as client,
    ):
        turns = client.say_all(["one", "two"])
        assert [turn.code for turn in turns] == [None, None], turns[0].error
        assert client.connector.saved == {"chat": "c2", "turn": "t2", "ref": "2"}
        assert [path.partition("?")[2] for path in bot.paths] == ["chat=none&ref=", "chat=c1&ref=1"]
        assert bot.requests[1].headers["cookie"] == "turn=t1"


@lanes
def test_a_step_is_repeated_until_its_condition_is_met_with_what_was_saved_so_far(lane: Lane) -> None:
    poll = READY | {
        "url": "/state?after={{ saved.cursor | default('0') }}",
        "every_s": 0.1,
        "save": {"cursor": "cursor"},
    }
    with scripted(Stateful()) as bot:
        turn = one_turn(lane, spec_of(bot.url, poll))
        assert turn.code is None, turn.error
        asked = [f"GET /base/state?after={cursor}" for cursor in ("0", "c1", "c1")]
        assert bot.paths == [*asked, "POST /base/say"]
    assert (turn.timeline.handshake_ns or {})["ready"] >= 0.2e9, "its waits are part of it"


@lanes
def test_a_step_reads_the_event_of_a_stream_that_is_waited_for(lane: Lane) -> None:
    with scripted(Stateful()) as bot, Client(lane, spec_of(bot.url, EVENT)) as client:
        assert client.say().code is None
        assert client.connector.saved == {"chat": 9, "region": "us"}
        assert bot.requests[0].headers["accept"] == "text/event-stream"
        assert bot.requests[1].headers["accept"] == "application/json"


@lanes
@pytest.mark.parametrize("protocol", ["sse", "ndjson"])
def test_a_stream_is_asked_for_on_the_connection_of_its_handshake(lane: Lane, protocol: str) -> None:
    streamed = b"".join(chunk(event) for event in (*sse.PIECES, sse.DONE)) + LAST_CHUNK
    lines = head("Content-Type: application/x-ndjson", CHUNKED) + chunk(ndjson.DONE) + LAST_CHUNK
    answers = {"sse": sse.STREAM_HEAD + streamed, "ndjson": lines}
    bot = Stateful()
    with scripted(lambda asked: answers[protocol] if asked.path.endswith("/say") else bot(asked)) as server:
        turn = one_turn(lane, spec_of(server.url, PAGE, protocol=protocol))
        assert turn.code is None, turn.error
        page, say = server.requests
        assert server.server.connections == 1
    assert page.headers["accept"] == "application/json"
    assert say.headers["accept"] == ("text/event-stream" if protocol == "sse" else "application/x-ndjson")


@lanes
def test_a_connection_of_its_own_is_made_for_each_where_none_is_kept(lane: Lane) -> None:
    with scripted(Stateful()) as bot:
        assert one_turn(lane, spec_of(bot.url, PAGE, reuse_connections=False)).code is None
        assert bot.server.connections == 2


def failing(lane: Lane, step: Step, answer: bytes) -> Turn:
    with scripted(lambda _: answer) as bot:
        turn = one_turn(lane, spec_of(bot.url, step))
        assert "POST /base/say" not in bot.paths
    assert turn.error is not None
    assert f"handshake.{step['name']}" in turn.error.detail
    return turn


@lanes
@pytest.mark.parametrize(
    ("step", "answer", "code", "says_what"),
    [
        (
            PAGE,
            whole(b"", "Set-Cookie: other=1", "Server: x"),
            "answer_unmatched",
            "nothing at cookie 'csrftoken'; the answer has the headers content-length, server and the cookies other",
        ),
        (
            LOG_IN | {"headers": {}},
            head("Content-Length: 0", status="302 Found"),
            "answer_unmatched",
            "nothing at header 'location'",
        ),
        (READY, says({"state": "failed"}), "target_error", "failed"),
        (
            READY | {"every_s": 0.05, "within_s": 0.12},
            says({"state": "starting"}),
            "total_timeout",
            " requests; the last answer has the keys state",
        ),
        (READY | {"every_s": 0.05, "within_s": 0.01}, whole(b"<html>"), "total_timeout", "in 1 requests"),
        (EVENT, whole(b'data: {"type": "x"}\n\n', SSE_TYPE), "stream_incomplete", "no event met `until`"),
        (EVENT | {"until": None}, whole(b"data: rubbish\n\n", SSE_TYPE), "json_invalid", "not JSON"),
    ],
)
def test_what_goes_wrong_names_the_step(lane: Lane, step: Step, answer: bytes, code: str, says_what: str) -> None:
    turn = failing(lane, step, answer)
    assert turn.code == code
    assert turn.error is not None
    assert says_what in turn.error.detail


@lanes
@pytest.mark.parametrize(
    "place", ["http://169.254.169.254/latest", "http://[fd00:ec2::254]/", "//metadata.google.internal/"]
)
def test_a_location_leads_to_no_forbidden_address(lane: Lane, place: str) -> None:
    answer = head("Content-Length: 0", f"Location: {place}", "X-Region: eu", status="302 Found")
    with scripted(lambda _: answer) as bot:
        turn = one_turn(lane, spec_of(bot.url, LOG_IN | {"headers": {}}, OPEN))
    assert turn.code in {"address_blocked", "dns_failed"}
    assert turn.error is not None
    assert "handshake.open" in turn.error.detail

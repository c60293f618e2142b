"""Turns that are several requests, on both lanes: post, poll, fetch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from connectors.registry import Lane
from connectors.spec import TargetSpec, build_target_spec
from tests.hostile.table import whole
from tests.integration.connectors.lanes import LANES, ROOMY, Client, Turn, make_spec, one_turn
from tests.integration.connectors.scripted import says, scripted
from tests.support.servers.agents import Agent, DirectLine, Jobs, Threads
from tests.support.servers.recording_target import RecordingTarget, Seen, recording_target

lanes = pytest.mark.parametrize("lane", LANES)
HTTP2 = {"version": "2"}
SOON = {"every_s": 0.05, "within_s": 3}
BOT = "activities[?type=='message' && !starts_with(from.id, 'dl_')]"
LINE = "/conversations/{{ saved.conversation }}/activities"
TOKEN = {"Authorization": "Bearer {{ saved.token }}"}
DIRECT_LINE: dict[str, Any] = {
    "handshake": {
        "steps": [
            {
                "name": "conversation",
                "url": "/conversations",
                "headers": {"Authorization": "Bearer {{ secret.api_key }}"},
                "save": {"conversation": "conversationId", "token": "token"},
            }
        ]
    },
    "request": {
        "path": LINE,
        "headers": TOKEN,
        "body": {"type": "message", "from": {"id": "dl_{{ session.id }}"}, "text": "{{ message }}"},
    },
    "then": [
        {
            "name": "answer",
            "url": LINE + "?watermark={{ saved.watermark | default('') }}",
            "headers": TOKEN,
            "save": {"watermark": "watermark"},
            "until": {"path": f"{BOT} | [0]"},
            **SOON,
        }
    ],
    "response": {"text": f"{BOT}.text | [0]"},
}
Part = dict[str, Any]
THREAD = "/threads/{{ saved.thread }}"


def threads(query: str, headers: dict[str, str], *, stream: bool = False) -> dict[str, Any]:
    made: Part = {
        "name": "thread",
        "url": f"/threads?{query}",
        "headers": headers,
        "body": {},
        "save": {"thread": "id"},
    }
    run: Part = {"name": "run", "url": f"{THREAD}/runs?{query}", "headers": headers, "method": "POST"}
    run["body"] = {"assistant_id": "asst_1", **({"stream": True} if stream else {})}
    spec: dict[str, Any] = {
        "handshake": {"steps": [made]},
        "request": {
            "path": f"{THREAD}/messages?{query}",
            "headers": headers,
            "body": {"role": "user", "content": "{{ message }}"},
        },
        "then": [run],
    }
    if stream:
        kinds = {
            "thread.message.delta": {"delta": "delta.content[0].text.value"},
            "thread.run.failed": {"error": "last_error"},
            "done": {"done": True},
        }
        return spec | {"protocol": "sse", "response": {"kind": "@event", "kinds": kinds}}
    run["save"] = {"run": "id"}
    done: Part = {"name": "done", "url": f"{THREAD}/runs/{{{{ saved.run }}}}?{query}", "headers": headers}
    done |= {"until": {"path": "status", "equals": "completed"}, **SOON}
    text: Part = {"name": "text", "url": f"{THREAD}/messages?run_id={{{{ saved.run }}}}&{query}", "headers": headers}
    return spec | {"then": [run, done, text], "response": {"text": "data[0].content[0].text.value"}}


OPENAI = {"Authorization": "Bearer {{ secret.api_key }}", "OpenAI-Beta": "assistants=v2"}
AZURE = {"Authorization": "Bearer {{ secret.api_key }}"}
JOBS: dict[str, Any] = {
    "request": {"path": "/ask", "body": {"message": "{{ message }}"}, "save": {"job": {"header": "Location"}}},
    "then": [{"name": "fetch", "url": "{{ saved.job }}"}],
    "response": {"text": "result"},
}
JOB_STREAMS = JOBS | {
    "protocol": "sse",
    "then": [{"name": "open", "url": "{{ saved.job }}/stream"}],
    "response": {"text": None, "delta": "delta", "done": {"data": "[DONE]"}},
}


def is_openai(seen: Seen, query: dict[str, str]) -> bool:
    return seen.values("openai-beta") == [b"assistants=v2"]


def is_azure(seen: Seen, query: dict[str, str]) -> bool:
    return query.get("api-version") == "v1"


class Dialect(NamedTuple):
    make: Callable[[], Agent]
    overrides: dict[str, Any]
    parts: set[str]
    requests: int
    """Of a turn."""
    base: str = ""

    def spec(self, url: str, **overrides: Any) -> TargetSpec:
        data = {"request": {"headers": {"Authorization": None}}}
        spec = build_target_spec(name="t", url=url + self.base, preset="generic-json", overrides=data).wire_dict()
        plain = {**spec, "timeouts": ROOMY, "response": {}, "secrets": {"api_key": "line-secret"}}
        return TargetSpec.model_validate({**plain, **self.overrides, **overrides})


DIALECTS = {
    "direct-line": Dialect(DirectLine, DIRECT_LINE, {"request", "answer"}, 4),
    "assistants": Dialect(lambda: Threads(is_openai), threads("", OPENAI), {"request", "run", "done", "text"}, 6),
    "azure": Dialect(
        lambda: Threads(is_azure), threads("api-version=v1", AZURE), {"request", "run", "done", "text"}, 6
    ),
    "assistants-streamed": Dialect(lambda: Threads(is_openai), threads("", OPENAI, stream=True), {"request", "run"}, 2),
    "jobs": Dialect(Jobs, JOBS, {"request", "fetch"}, 2, "/v1"),
    "job-streams": Dialect(Jobs, JOB_STREAMS, {"request", "open"}, 2, "/v1"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RecordingTarget]:
    with recording_target() as target:
        yield target


@lanes
@pytest.mark.parametrize("name", DIALECTS)
def test_an_answer_is_fetched_after_it_was_asked_for(server: RecordingTarget, lane: Lane, name: str) -> None:
    dialect, talks = DIALECTS[name], 2
    agent = dialect.make()
    server.forget()
    server.answer = agent
    with Client(lane, dialect.spec(server.url)) as client:
        turns = []
        for number in range(talks):
            client.connector.begin({"id": f"s{number}"})
            turns += client.say_all([f"{number} one", f"{number} two ?&#ü"])
    server.settle()
    assert [turn.code for turn in turns] == [None] * 2 * talks, turns[0].error
    assert [turn.text for turn in turns] == [text for texts in agent.told.values() for text in texts]
    assert not server.broken
    before = talks * len(dialect.overrides.get("handshake", {}).get("steps", ()))
    assert len(server.requests) == before + len(turns) * dialect.requests
    for turn in turns:
        check_times(turn, dialect)


@pytest.mark.parametrize(
    ("preset", "stream", "agent", "params"),
    [
        ("directline-polling", False, DirectLine(), {}),
        ("openai-assistants", False, Threads(is_openai), {"assistant": "asst_1"}),
        ("openai-assistants", True, Threads(is_openai), {"assistant": "asst_1"}),
        ("azure-ai-agents", False, Threads(is_azure), {"assistant": "asst_1"}),
        ("azure-ai-agents", True, Threads(is_azure), {"assistant": "asst_1"}),
    ],
)
def test_presets_fetch_their_answers(
    server: RecordingTarget, preset: str, stream: bool, agent: Agent, params: dict[str, str]
) -> None:
    agent.looks = 1
    server.answer = agent
    secrets = {"direct_line": "line-secret"} if preset == "directline-polling" else {"api_key": "line-secret"}
    given: dict[str, Any] = {"preset": preset, "stream": stream, "params": params, "secrets": secrets}
    with Client("load", build_target_spec(name="t", url=server.url, **given)) as client:
        turn = client.say("And through Paris?")
    server.settle()
    assert turn.code is None, turn.error
    assert [turn.text] == [text for texts in agent.told.values() for text in texts]


def check_times(turn: Turn, dialect: Dialect) -> None:
    """All parts are parts of the turn, which began when its message was sent."""
    timeline = turn.timeline
    steps = timeline.handshake_ns or {}
    took = {name.removeprefix("then."): ns for name, ns in steps.items() if name.startswith("then.")}
    assert set(took) == dialect.parts
    assert timeline.sent_ns is not None
    assert timeline.done_ns is not None
    assert timeline.first_byte_ns is not None
    assert min(took.values()) > 0
    whole_ns = timeline.done_ns - timeline.sent_ns
    assert 0 < sum(took.values()) <= whole_ns, "one after the other, from the message to the answer"
    assert whole_ns - sum(took.values()) < 0.5e9, "and nothing between them"
    assert timeline.first_byte_ns - timeline.sent_ns > max(ns for name, ns in took.items() if name == "request")
    assert timeline.bytes_in > 200 * dialect.requests / 2
    assert timeline.bytes_out > 50 * dialect.requests


ASKED = says({"job": "7"})
POLL = {"name": "poll", "url": "/jobs/{{ saved.job }}", "until": {"path": "text"}, "every_s": 0.05, "within_s": 0.3}
POLLED: dict[str, Any] = {"request": {"path": "/ask", "save": {"job": "job"}}, "then": [POLL]}


@lanes
@pytest.mark.parametrize(
    ("first", "next_one", "code", "says_what"),
    [
        (says({"error": "no credit"}, "402 Pay"), ASKED, "http_402", "no credit"),
        (says({"error": {"message": "no credit"}}), ASKED, "target_error", "no credit"),
        (says({"jobs": []}), ASKED, "answer_unmatched", "request.save: nothing at 'job'; the answer has the keys jobs"),
        (whole(b"<html>"), ASKED, "json_invalid", "request.save"),
        (says({}, "302 Found", "Location: /login"), ASKED, "http_302", "it points to /login"),
        (ASKED, says({"error": "gone"}, "410 Gone"), "http_410", "then.poll: gone"),
        (ASKED, says({"status": "failed"}), "target_error", "then.poll"),
        (ASKED, says({"status": "running"}), "total_timeout", "then.poll: `until` was not met within 0.3 s, in "),
        (ASKED, says({"text": ""}), "answer_empty", "no text"),
        (ASKED, says({"text": {"a": 1}}), "answer_unmatched", ""),
        (ASKED, b"rubbish\r\n\r\n", "http_malformed", "then.poll"),
    ],
)
def test_what_goes_wrong_names_the_part(lane: Lane, first: bytes, next_one: bytes, code: str, says_what: str) -> None:
    with scripted(lambda asked: first if asked.method == "POST" else next_one) as bot:
        turn = one_turn(lane, make_spec("http", bot.url, **POLLED, response={"text": "text"}))
    assert turn.code == code, turn.error
    assert turn.error is not None
    assert says_what in turn.error.detail


@lanes
def test_an_answer_that_was_waited_for_gives_what_its_head_and_body_have(lane: Lane) -> None:
    """`error` has a word that says that there is none."""
    save = {"next": {"header": "X-Next"}, "tail": {"pattern": "h(i)"}}
    first, last = says({"job": "7", "error": "none"}), says({"text": "hi"}, "200 OK", "X-Next: 42")
    with scripted(lambda asked: first if asked.method == "POST" else last) as bot:
        response = {"text": "text", "error": "error", "save": save}
        turn = one_turn(lane, make_spec("http", bot.url, **POLLED, response=response))
    assert turn.code is None, turn.error
    assert turn.timeline.saved == {"next": "42", "tail": "i"}


@lanes
def test_a_turn_of_many_requests_has_one_time_limit(lane: Lane) -> None:
    spec = {**POLLED, "then": [POLL | {"within_s": 60, "every_s": 0.2}], "timeouts": {**ROOMY, "total": 0.7}}
    with scripted(lambda asked: ASKED if asked.method == "POST" else says({"state": "running"})) as bot:
        turn = one_turn(lane, make_spec("http", bot.url, **spec))
        assert 2 <= len(bot.requests) <= 5
    assert turn.code == "total_timeout"
    assert turn.late_s < 10, "not the minute of `within_s`"


@lanes
@pytest.mark.parametrize("place", ["http://169.254.169.254/latest", "//[fd00:ec2::254]/", "http://100.100.100.200"])
def test_a_location_leads_a_turn_to_no_forbidden_address(lane: Lane, place: str) -> None:
    overrides: dict[str, Any] = {"request": JOBS["request"], "then": JOBS["then"]}
    with scripted(lambda _: says({}, "202 Accepted", f"Location: {place}")) as bot:
        turn = one_turn(lane, make_spec("http", bot.url, **overrides))
    assert turn.code == "address_blocked"
    assert turn.error is not None
    assert turn.error.detail.startswith("then.fetch")


@lanes
def test_a_secret_goes_to_no_place_that_an_answer_names(lane: Lane) -> None:
    part = {"name": "fetch", "url": "{{ saved.job }}", "headers": {"X-Key": "{{ secret.api_key }}"}}
    overrides: dict[str, Any] = {"request": JOBS["request"], "then": [part]}
    with scripted(lambda _: whole(b"{}")) as other:
        with scripted(lambda _: says({}, "202 Accepted", f"Location: {other.url}/jobs/7")) as bot:
            data = make_spec("http", bot.url, **overrides).wire_dict() | {"secrets": {"api_key": "planted-key"}}
            turn = one_turn(lane, TargetSpec.model_validate(data))
        assert turn.code == "secret_withheld"
        assert other.requests == []

"""What a test message shows: every frame with what it gave, no secret, and an end in time."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from connectors.registry import Lane
from connectors.security.redact import Redactor
from connectors.spec import TargetSpec, build_target_spec, parse_target_spec
from connectors.target import CompiledTarget
from connectors.timeline.kinds import timeline_class
from connectors.timeline.named import named_data
from targets.frame_recorder import FRAME_CHARS, FRAMES_LIMIT, FrameRecorder
from targets.probe import probe
from targets.probe_result import Probe
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import whole
from tests.support.recordings import Case, event_data, event_names, recorded_cases
from tokenburn_site.cli.probe.text import lines

KEY = "sk-planted-91c2"
SECRET_WORDS = (b"tok-5f3a9", b"again-8812", KEY.encode())
lanes = pytest.mark.parametrize("lane", ["reference", "load"])


def stream(*events: Any) -> bytes:
    data = [event.encode() if isinstance(event, str) else orjson.dumps(event) for event in events]
    body = b"".join(b"data: " + piece + b"\n\n" for piece in data)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answering(*answers: bytes) -> Callable[[Peer], None]:
    def answer(peer: Peer) -> None:
        for data in answers:
            peer.read_request()
            peer.send(data)
        peer.hold()

    return answer


def spec(url: str, **changes: Any) -> TargetSpec:
    data = {
        "name": "shown",
        "protocol": "sse",
        "url": url,
        "request": {"path": "/ask", "headers": {"X-Key": "{{ secret.api_key }}"}, "body": {"q": "{{ message }}"}},
        "response": {
            "kind": "type",
            "kinds": {
                "piece": {"delta": "d", "reasoning": "r", "usage": {"output": "n"}, "save": {"at": "at"}},
                "end": {"done": True},
            },
            "ignore": [{"path": "beat"}, {"data": "beat"}],
            "error": "error",
        },
        "secrets": {"api_key": KEY},
    }
    return parse_target_spec(data | changes)


def gave(found: Probe) -> list[tuple[list[str], str]]:
    return [(frame.gave, frame.note) for frame in found.turns[-1].frames]


@lanes
def test_each_frame_says_what_it_gave(lane: Lane) -> None:
    events = [
        {"type": "hello"},
        {"type": "piece", "r": "hm"},
        {"type": "piece", "d": "Se"},
        {"type": "piece", "x": 1},
        {"beat": 1},
        "beat",
        {"type": "piece", "d": "ine", "n": 2, "at": "P1"},
        {"type": "end"},
    ]
    with HostileServer(answering(stream(*events))) as server:
        found = probe(spec(server.url), ["Which river?"], lane=lane)
    assert found.ok
    assert gave(found) == [
        (["passed over"], "of a kind that is not listed"),
        (["reasoning"], ""),
        (["text"], ""),
        (["passed over"], "nothing at the mapped paths"),
        (["ignored"], "to be ignored"),
        (["ignored"], "keeps the connection alive"),
        (["text", "usage", "saved"], ""),
        (["done"], ""),
    ]
    turn = found.turns[0]
    assert (turn.text, turn.chunks, turn.tokens_out, turn.unmatched) == ("Seine", 2, 2, 0)
    assert (turn.saved, found.known) == ({"at": "P1"}, {"at": "P1"})
    assert set(turn.times_ms) == {"first_byte", "first_chunk", "first_text", "last_text", "done"}
    assert set(turn.handshake_ms) == {"resolve", "connect"}
    assert turn.request is not None
    assert turn.request.body == '{"q":"Which river?"}'
    assert turn.request.url.endswith("/ask")


def test_frames_without_an_answer_are_unmatched_and_texts_beside_an_answer_are_told() -> None:
    note = {"type": "note", "text": "Looking it up for you."}
    with HostileServer(answering(stream(note, {"type": "end"}))) as server:
        failed = probe(spec(server.url), ["x"]).turns[0]
    assert (failed.error is not None, failed.frames[0].gave, failed.unmatched, failed.unread) == (True, [], 1, 0)
    with HostileServer(answering(stream(note, {"type": "piece", "d": "Seine"}, {"type": "end"}))) as server:
        found = probe(spec(server.url), ["x"])
    turn = found.turns[0]
    assert (turn.frames[0].gave, turn.frames[0].note) == (["passed over"], "a text that is no part of the answer")
    assert (turn.unmatched, turn.unread) == (0, 1)
    assert any("1 of the frames have a text" in line for line in lines(found))


@pytest.mark.parametrize("case", [case for case in recorded_cases() if "error" not in case.expected], ids=str)
def test_no_ordinary_frame_of_a_vendor_is_called_unmatched(case: Case) -> None:
    target = CompiledTarget(case.spec())
    timeline = timeline_class(named=target.response.by_name, by_id=False, quiet_ms=None)(target.response, 0)
    timeline.sent(1, 1)
    recorder = FrameRecorder(Redactor())
    recorder.attach(timeline)
    if "json" in case.answer:
        timeline.answer(2, orjson.dumps(case.answer["json"]))
    names = event_names(case.answer)
    for ns, data in enumerate(event_data(case.answer), 2):
        if timeline.done_ns is None:
            timeline.event(ns, named_data(timeline, names[ns - 2], data) if names else data)
    recorder.settle(timeline.text, None)
    assert recorder.unmatched == 0
    assert [frame.data for frame in recorder.frames if not frame.gave] == []


@lanes
def test_no_secret_is_shown_in_any_text(lane: Lane) -> None:
    echo = {"type": "piece", "d": f"your key is {KEY}\x1b[31m", "at": KEY}
    failure = {"type": "piece", "error": f"no such key: {KEY}"}
    with HostileServer(
        answering(stream(echo, {"type": "end"}), whole(orjson.dumps(failure), status="401 No"))
    ) as server:
        found = probe(spec(server.url), [f"say {KEY}", "again"], lane=lane)
    assert found.turns[1].error is not None
    assert found.turns[1].error.code == "http_401"
    shown = orjson.dumps(found.as_dict())
    assert KEY.encode() not in shown
    assert found.turns[0].request is not None
    assert found.turns[0].request.headers == [("X-Key", "***")]
    assert found.turns[0].text.startswith("your key is ***")


@lanes
def test_what_a_handshake_gave_is_secret_too_and_a_refused_one_is_told(lane: Lane) -> None:
    asks = {"key": "{{ secret.api_key }}", "user": "ada"}
    saves = {"token": "token", "version": "version"}
    step = {"name": "token", "url": "/token", "body": asks, "save": saves}
    headers = {"Authorization": "Bearer {{ saved.token }}", "X-Version": "{{ saved.version }}"}
    request = {"path": "/ask", "headers": headers, "body": {}}
    changes = {"handshake": {"steps": [step]}, "request": request}
    given = {"token": "tok-5f3a9", "refresh_token": "again-8812", "expires_in": 60, "version": "2025-06-18"}
    answers = [whole(orjson.dumps(given)), stream({"type": "piece", "d": "tok-5f3a9"}, {"type": "end"})]

    def serve(peer: Peer) -> None:
        while request := peer.read_request():  # on one connection, or on one for each
            peer.send(answers[0 if b"/token" in request.split(b"\r\n")[0] else 1])

    with HostileServer(serve) as server:
        found = probe(spec(server.url, **changes), ["x"], lane=lane)
    assert found.ok
    shown = orjson.dumps(found.as_dict())
    assert [word for word in SECRET_WORDS if word in shown] == []
    [asked] = found.turns[0].steps
    assert (asked.name, asked.status) == ("token", 200)
    assert (asked.request.method, asked.request.url) == ("POST", f"{server.url}/token")
    assert asked.request.body == '{"key":"***","user":"ada"}'
    assert asked.answer == '{"token":"***","refresh_token":"***","expires_in":60,"version":"2025-06-18"}'
    assert any("step token" in line for line in lines(found))
    assert found.known == {"token": "***", "version": "2025-06-18"}
    assert found.turns[0].request is not None
    assert ("X-Version", "2025-06-18") in found.turns[0].request.headers
    assert set(found.turns[0].handshake_ms) == {"token", "resolve", "connect"}

    with HostileServer(answering(whole(b'{"error": "who are you?"}', status="403 No"))) as server:
        found = probe(spec(server.url, **changes), ["x"], lane=lane)
    error = found.turns[0].error
    assert error is not None
    assert (error.code, found.turns[0].sent) == ("http_403", False)
    assert error.detail.startswith("handshake.token: ")
    assert "who are you?" in error.detail
    assert [(asked.status, asked.answer) for asked in found.turns[0].steps] == [(403, '{"error":"who are you?"}')]


def test_a_failed_connection_shows_what_would_have_been_sent() -> None:
    found = probe(spec("http://169.254.169.254/latest"), ["x"])
    turn = found.turns[0]
    assert turn.error is not None
    assert (turn.error.code, turn.sent) == ("address_blocked", False)
    assert turn.request is not None
    assert turn.request.url == "http://169.254.169.254/latest/ask"


def test_what_is_kept_is_bounded() -> None:
    events = [{"type": "piece", "d": "x" * 5000}, *({"type": "piece", "d": "y"} for _ in range(FRAMES_LIMIT + 50))]
    with HostileServer(answering(stream(*events, {"type": "end"}))) as server:
        found = probe(spec(server.url), ["x"])
    turn = found.turns[0]
    assert (len(turn.frames), turn.frames_left_out) == (FRAMES_LIMIT, 52)
    assert len(turn.frames[0].data) == FRAME_CHARS + 3
    assert turn.text_chars == 5000 + FRAMES_LIMIT + 50


@lanes
def test_each_request_of_a_turn_is_shown_without_secrets(lane: Lane) -> None:
    fetch = {"name": "fetch", "url": "/jobs/{{ saved.job }}", "headers": {"X-Key": "{{ secret.api_key }}"}}
    changes = {"request": {"path": "/ask", "save": {"job": "job"}}, "then": [fetch]}
    answers = [whole(b'{"job": "7"}'), stream({"type": "piece", "d": "Hello"}, {"type": "end"})]

    def serve(peer: Peer) -> None:
        while request := peer.read_request():
            peer.send(answers[b"/jobs" in request.split(b"\r\n")[0]])

    with HostileServer(serve) as server:
        found = probe(spec(server.url, **changes), ["x"], lane=lane)
    assert found.ok, found.turns[0].error
    first, second = found.turns[0].parts
    assert (first.name, first.status, first.answer) == ("request", 200, '{"job":"7"}')
    assert second.request.url.endswith("/jobs/7")
    assert ("X-Key", "***") in second.request.headers
    shown = "\n".join(lines(found))
    assert "part fetch" in shown
    assert KEY not in shown


def test_a_limit_ends_it_however_many_steps_there_are() -> None:
    """No step lasts as long as the limit: all of them would last four seconds."""
    steps = [{"name": f"step{i}", "url": f"/{i}"} for i in range(16)]

    def slow(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.pause(0.25)
            peer.send(whole(b"{}"))

    began = time.monotonic()
    with HostileServer(slow) as server:
        found = probe(spec(server.url, handshake={"steps": steps}), ["x"], limit_s=1.0)
        assert time.monotonic() - began < 30
    error = found.turns[0].error
    assert error is not None
    assert (error.code, found.ok) == ("total_timeout", False)


def test_turns_of_one_conversation_know_what_was_said_and_saved() -> None:
    first = {"answer": "Hi", "event": "message", "conversation_id": "c-1"}
    with HostileServer(answering(whole(orjson.dumps(first)), whole(orjson.dumps(first)))) as server:
        target = build_target_spec(name="t", url=server.url, preset="dify", secrets={"api_key": KEY})
        found = probe(target, ["one", "two"])
    bodies = [orjson.loads(turn.request.body) for turn in found.turns if turn.request is not None]
    assert [body.get("conversation_id") for body in bodies] == [None, "c-1"]
    assert found.known == {"conversation_id": "c-1"}


@lanes
def test_packed_payloads_are_shown_packed_and_plain(lane: Lane) -> None:
    codec = {"request": [{"name": "base64"}], "response": [{"name": "base64"}]}
    answer = base64.b64encode(b'{"text": "Seine"}')
    changes = {"protocol": "http", "response": {"text": "text"}, "codec": codec}
    with HostileServer(answering(whole(answer))) as server:
        found = probe(spec(server.url, **changes), ["x"], lane=lane)
    turn = found.turns[0]
    assert turn.request is not None
    assert (turn.request.body, turn.request.packed) == ('{"q":"x"}', base64.b64encode(b'{"q":"x"}').decode())
    assert (turn.frames[0].data, turn.frames[0].decoded) == (answer.decode(), '{"text": "Seine"}')
    assert turn.text == "Seine"

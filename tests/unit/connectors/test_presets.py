"""Each preset against its recorded exchanges, and the template language that presets are written in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.errors import BadAnswer, BadRequest, TurnError
from connectors.handshake.answers import StepAnswer
from connectors.http.aws_frames import AwsFrames
from connectors.spec import build_target_spec, load_preset, parse_target_spec, preset_names
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.timeline.named import NamedTimeline, named_data
from tests.support.recordings import (
    SESSION,
    Case,
    aws_body,
    check_outcome,
    event_data,
    event_names,
    recorded_cases,
    recorded_presets,
    recorded_spec,
    recording,
    sent_body,
    without_secrets,
)

LIMIT = 65536
DOCS = Path(__file__).parents[3] / "docs"
cases = pytest.mark.parametrize("case", recorded_cases(), ids=str)
SHAKEN = [preset for preset in recorded_presets() if "handshake" in recording(preset)]
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is $content?"},
    {"role": "assistant", "content": "A $role."},
]


def test_every_preset_has_a_recorded_exchange_and_says_what_it_is() -> None:
    assert set(preset_names()) - set(recorded_presets()) == set()
    for name in preset_names():
        assert load_preset(name)["title"]
        assert load_preset(name)["doc"]
        assert load_preset(name)["about"]


@cases
def test_the_request_is_what_the_vendor_documents(case: Case) -> None:
    spec = case.spec()
    context = {**case.context(), "session": SESSION, "saved": case.data.get("saved", {})}
    target = CompiledTarget(spec)
    request = target.endpoint.released(target.render(context))
    expected = case.data["request"]
    assert (request.method, request.path) == (expected["method"], expected["path"])
    headers = without_secrets(dict(request.headers), case.data.get("secrets", {}))
    assert sent_body(headers, request.body) == expected["body"]
    assert headers == expected["headers"]
    assert request.event == expected.get("event", "")


@pytest.mark.parametrize("case", [case for case in recorded_cases() if "connection" in case.data], ids=str)
def test_a_connection_begins_as_documented(case: Case) -> None:
    expected = case.data["connection"]
    target = CompiledTarget(case.spec())
    context = {"session": SESSION, "saved": case.data.get("saved", {})}
    head = target.endpoint.released(target.render_connection(context))
    assert head.path == expected["path"]
    headers = without_secrets(dict(head.headers), case.data.get("secrets", {}))
    assert headers == expected.get("headers", {})
    auth = target.endpoint.release(orjson.dumps(target.render_auth(context)))
    assert orjson.loads(auth) == expected.get("auth")


@cases
def test_the_answer_is_read_as_documented(case: Case) -> None:
    response = CompiledTarget(case.spec()).response
    kind = NamedTimeline if response.by_name else Timeline
    timeline = kind(response, 0, one_frame="messages" in case.answer and not response.needs_done)
    error = None
    try:
        feed(timeline, case.answer)
        timeline.settle()
    except TurnError as exc:
        error = exc
    check_outcome(case, timeline, error)


def feed(timeline: Timeline, answer: dict[str, Any]) -> None:
    """As a lane would."""
    timeline.sent(1, 1)
    if answer.get("status", 200) >= 300:
        timeline.refused(answer["status"], orjson.dumps(answer["json"]))
    if "json" in answer:
        timeline.answer(2, orjson.dumps(answer["json"]))
        return
    if "text" in answer:
        timeline.answer(2, answer["text"].encode())
        return
    if "aws_events" in answer:
        for data in AwsFrames(LIMIT, timeline).feed(aws_body(answer)):
            timeline.event(2, data)
        timeline.end(99)
        return
    names = event_names(answer)
    for ns, data in enumerate(event_data(answer), 2):
        timeline.event(ns, named_data(timeline, names[ns - 2], data) if names else data)
        if timeline.done_ns is not None:
            return
    timeline.end(99)


@pytest.mark.parametrize("preset", SHAKEN)
def test_a_handshake_goes_as_documented(preset: str) -> None:
    data = recording(preset)["handshake"]
    handshake = CompiledTarget(recorded_spec(preset, data)).handshake
    assert handshake is not None
    progress = handshake.new_progress()
    steps = handshake.requests([*handshake.of_run, *handshake.of_session], progress, SESSION, {})
    step = next(steps)
    for number, expected in enumerate(data["steps"], 1):
        request, wanted = step.endpoint.released(step.request), expected["request"]
        assert (request.method, request.path) == (wanted["method"], wanted["path"])
        assert without_secrets(dict(request.headers), data["secrets"]) == wanted["headers"]
        sent = request.body.decode() if isinstance(wanted["body"], str) else orjson.loads(request.body or b"null")
        assert sent == wanted["body"]
        answer = StepAnswer(expected["answer"]["status"], orjson.dumps(expected["answer"]["json"]))
        if number < len(data["steps"]):
            step = steps.send(answer)
        else:
            with pytest.raises(StopIteration):
                steps.send(answer)
    assert progress.saved == data["saved"]
    assert not progress.due()


def rendered(body: Any) -> Any:
    target = {"name": "t", "protocol": "http", "url": "http://h", "response": {"text": "t"}, "request": {"body": body}}
    return orjson.loads(CompiledTarget(parse_target_spec(target)).render({"messages": TALK}).body)


def test_a_history_takes_any_shape_and_what_was_said_is_not_a_template() -> None:
    renamed = (
        "{{ messages | shaped({'who': '$role', 'parts': [{'text': '$content'}], 'n': 1}, {'assistant': 'model'}) }}"
    )
    assert rendered({"a": renamed})["a"][1:] == [
        {"who": "user", "parts": [{"text": "What is $content?"}], "n": 1},
        {"who": "model", "parts": [{"text": "A $role."}], "n": 1},
    ]
    assert rendered({"a": "{{ messages | shaped('$role> $content') | join('\\n') }}"}) == {
        "a": "system> Be brief.\nuser> What is $content?\nassistant> A $role."
    }
    pairs = "{{ messages | rejectattr('role', 'equalto', 'system') | shaped('$content') | batch(2) | list }}"
    assert rendered({"a": pairs}) == {"a": [["What is $content?", "A $role."]]}


def failure(response: dict[str, Any], *events: Any) -> BadAnswer:
    target = {"name": "t", "protocol": "sse", "url": "http://h", "response": response}
    timeline = Timeline(CompiledTarget(parse_target_spec(target)).response, 0)
    with pytest.raises(BadAnswer) as caught:
        for ns, event in enumerate(events):
            timeline.event(ns, orjson.dumps(event))
        timeline.end(99)
        timeline.settle()
    return caught.value


def test_an_error_of_a_mapping_names_its_path_and_shows_what_came() -> None:
    assert failure({"delta": "a.b"}, {"x": 1, "y": 2}).detail == "no text at 'a.b'; the answer has the keys x, y"
    assert failure({"delta": "a", "text": "b"}, {"a": {"c": 1}}).detail == (
        "what is at 'a' or 'b' is not text: it has the keys c"
    )
    kinds = {"kind": "type", "kinds": {"piece": {"delta": "d"}, "end": {"done": True}}}
    incomplete = failure(kinds, {"type": "other", "z": 1})
    assert incomplete.code == "stream_incomplete"
    assert incomplete.detail == (
        "the stream ended without its end mark (done of kind 'end'); its last event without text has the keys type, z"
    )
    assert failure({"delta": "d", "done": {"data": "[END]"}}, {"d": "x"}).detail == (
        "the stream ended without its end mark (done '[END]')"
    )
    kinds = {"kind": "type", "kinds": {"piece": {"delta": "d"}}}
    assert failure(kinds, {"type": "chunk", "d": "x"}).detail == (
        "the kind at 'type' is 'chunk', and text is in 'piece'; the answer has the keys type, d"
    )
    assert failure(kinds, {"type": "piece", "e": "x"}).detail == "no text at 'd'; the answer has the keys type, e"


def test_every_example_of_the_page_on_targets_makes_a_target() -> None:
    examples = re.findall(r"```json\n(.*?)```", (DOCS / "targets.md").read_text(encoding="utf-8"), re.DOTALL)
    protocols = set()
    for example in examples:
        spec = build_target_spec(**orjson.loads(example), secrets={"api_key": "k"})
        CompiledTarget(spec)
        protocols.add(spec.protocol)
    assert protocols == {"http", "sse", "ndjson", "split", "websocket", "socketio", "grpc"}


def test_a_path_that_needs_what_was_not_saved_says_what_was() -> None:
    target = CompiledTarget(recorded_spec("directline", {"secrets": {"direct_line": "k"}}))
    with pytest.raises(BadRequest) as caught:
        target.render({"message": "x", "session": SESSION, "saved": {"token": "t", "watermark": "1"}})
    assert caught.value.detail.startswith("request.path: ")
    assert caught.value.detail.endswith("uses a value that does not exist; saved so far: token, watermark")


@pytest.mark.parametrize(("variables", "course"), [({}, "C1"), ({"course_id": "C2"}, "C2")])
def test_a_nuc_question_is_about_the_course_of_the_scenario_else_of_the_target(
    variables: dict[str, Any], course: str
) -> None:
    nuc = build_target_spec(
        name="t",
        url="ws://127.0.0.1:9",
        preset="nuc",
        params={"course_id": "C1"},
        secrets={"api_key": "k", "passphrase": "p"},
    )
    said = {"message": "hi", "messages": [], "history": [], "turn": 0, "vars": variables}
    request = CompiledTarget(nuc).render({**said, "session": SESSION, "saved": {"session_id": "s"}})
    assert orjson.loads(request.body)["course_id"] == course

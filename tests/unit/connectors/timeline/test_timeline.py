"""What a byte means: times, text, tokens and failures of one turn."""

from typing import Any

import orjson
import pytest

from connectors.errors import BadAnswer, BrokenTransport, Refused, TooLarge, TurnError
from connectors.mapping.answers.response import ResponseMapping
from connectors.spec import ResponseSpec, build_target_spec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.timeline.odd_answers import TEXT_CHARS


def timeline(*, stream: bool, stamp: str | None = None) -> Timeline:
    spec = build_target_spec(name="t", url="http://h/v1", preset="openai-chat", stream=stream, stamp=stamp)
    return Timeline(CompiledTarget(spec).response, planned_ns=0)


def delta(**fields: object) -> bytes:
    return orjson.dumps({"choices": [{"delta": fields}], "t": 90})


def test_a_streamed_turn_has_every_time_once() -> None:
    line = timeline(stream=True, stamp="t")
    line.sent(5, 100)
    line.received(100, 10)
    line.event(100, delta(role="assistant", content=""))
    line.received(110, 10)
    line.event(110, delta(content="Hel"))
    line.event(125, delta(content="lo"))
    line.event(130, orjson.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}))
    line.event(131, b"[DONE]")
    line.end(140)
    assert (line.sent_ns, line.first_byte_ns, line.first_chunk_ns, line.first_content_ns) == (5, 100, 100, 110)
    assert (line.last_content_ns, line.done_ns, list(line.gaps_ns)) == (125, 131, [15])
    assert line.chunks == 2
    assert (line.text, line.tokens_in, line.tokens_out) == ("Hello", 3, 2)
    assert (line.bytes_in, line.bytes_out, list(line.arrival_errors)) == (20, 100, [10, 20, 35])


KINDS = {
    "kind": "event",
    "kinds": {"delta": {"delta": "data"}, "whole": {"text": "data"}, "end": {"text": "data", "done": True}},
}


@pytest.mark.parametrize("events", [["delta:ab", "delta:cd"], ["whole:abcd", "whole:abcd"], ["delta:abcd"], []])
def test_a_whole_text_of_another_kind_does_not_repeat_the_pieces(events: list[str]) -> None:
    line = Timeline(ResponseMapping(ResponseSpec.model_validate(KINDS)), planned_ns=0)
    for event in [*events, "end:abcd"]:
        kind, _, text = event.partition(":")
        line.event(10, orjson.dumps({"event": kind, "data": text}))
    assert (line.text, line.done_ns) == ("abcd", 10)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "text"),
        ({"tool_calls": [{"function": {"name": "look_up"}}]}, "tool_call"),
        ({"refusal": "I will not"}, "refusal"),
    ],
)
def test_a_streamed_text_beside_something_else_is_of_the_other_kind(fields: dict[str, Any], kind: str) -> None:
    line = timeline(stream=True)
    line.event(10, delta(content="One moment"))
    line.event(20, delta(**fields))
    line.event(30, b"[DONE]")
    line.end(40)
    line.settle()
    assert (line.kind, line.text, line.chunks) == (kind, "One moment", 1)


def test_an_event_of_a_kind_that_has_no_text_says_what_else_it_has() -> None:
    kinds = {"thought": {"reasoning": "data"}, "delta": {"delta": "data"}, "end": {"done": True, "finish": "data"}}
    line = Timeline(ResponseMapping(ResponseSpec.model_validate({"kind": "event", "kinds": kinds})), planned_ns=0)
    for ns, kind, data in [(10, "thought", "hmm"), (20, "delta", "Hel"), (30, "delta", "lo"), (40, "end", "length")]:
        line.event(ns, orjson.dumps({"event": kind, "data": data}))
    line.settle()
    assert (line.text, line.reasoning_chars, line.first_content_ns, line.done_ns) == ("Hello", 3, 20, 40)
    assert line.kind == "length"


@pytest.mark.parametrize(("kind", "code"), [("failed", "target_error: overloaded"), ("thought", "answer_empty")])
def test_a_whole_answer_of_a_kind_that_has_no_text_says_what_else_it_has(kind: str, code: str) -> None:
    kinds = {"failed": {"error": "data"}, "thought": {"reasoning": "data"}, "said": {"text": "data"}}
    line = Timeline(ResponseMapping(ResponseSpec.model_validate({"kind": "event", "kinds": kinds})), planned_ns=0)
    with pytest.raises(BadAnswer, match=code):
        line.answer(10, orjson.dumps({"event": kind, "data": "overloaded"}))
        line.settle()


def test_reasoning_is_not_content() -> None:
    line = timeline(stream=True)
    line.event(10, delta(reasoning_content="hmm"))
    assert (line.first_content_ns, line.text, line.reasoning_chars) == (None, "", 3)


@pytest.mark.parametrize(("fields", "shown"), [({"content": ""}, True), ({"reasoning_content": "hmm"}, False)])
def test_the_last_event_is_shown_of_an_answer_in_which_nothing_is_known(fields: dict[str, Any], shown: bool) -> None:
    line = timeline(stream=True)
    line.event(10, delta(**fields))
    line.event(20, b"[DONE]")
    line.end(30)
    with pytest.raises(BadAnswer, match="answer_empty") as caught:
        line.settle()
    assert ("its last event has" in str(caught.value)) is shown


@pytest.mark.parametrize("data", [b"null", b" null "])
@pytest.mark.parametrize("mapping", [{"text": "a"}, {"text": "a", "delta": "b", "done": {"data": "[DONE]"}}, KINDS])
def test_a_null_is_named_as_what_came(mapping: dict[str, Any], data: bytes) -> None:
    streamed = Timeline(ResponseMapping(ResponseSpec.model_validate(mapping)), planned_ns=0)
    streamed.event(10, data)
    streamed.done_ns = 20
    whole = Timeline(ResponseMapping(ResponseSpec.model_validate(mapping)), planned_ns=0)
    whole.answer(10, data)
    for line in (streamed, whole):
        with pytest.raises(BadAnswer, match=r"answer_unmatched.*the answer has null at its top"):
            line.settle()
    cut = Timeline(ResponseMapping(ResponseSpec.model_validate(mapping)), planned_ns=0)
    cut.event(10, data)
    assert "null at its top" in cut.lacking()


def test_an_event_without_data_keeps_the_stream_alive_and_means_nothing() -> None:
    line = timeline(stream=True)
    line.event(10, b"")
    line.event(20, delta(content="x"))
    line.event(30, b"[DONE]")
    line.end(40)
    assert (line.first_content_ns, line.text) == (20, "x")


def test_a_whole_answer_has_its_content_at_its_end() -> None:
    line = timeline(stream=False)
    line.answer(50, orjson.dumps({"choices": [{"message": {"content": "Yes"}}], "usage": {"completion_tokens": 1}}))
    assert (line.first_content_ns, line.done_ns, line.text, line.tokens_out) == (50, 50, "Yes", 1)


FAILURES = {
    "json_invalid": b'{"choices": [',
    "utf8_invalid": b'{"a": "\xff"}',
    "answer_unmatched": b'{"text": "elsewhere"}',
    "target_error": b'{"error": {"message": "overloaded"}}',
}


@pytest.mark.parametrize(("code", "body"), FAILURES.items())
def test_a_bad_answer_has_its_own_code(code: str, body: bytes) -> None:
    line = timeline(stream=False)
    with pytest.raises(TurnError) as found:
        line.answer(1, body)
        line.settle()
    assert found.value.code == code
    assert isinstance(found.value, BadAnswer | BrokenTransport)


def test_a_mapped_value_that_is_not_text_is_unmatched() -> None:
    with pytest.raises(BadAnswer, match="answer_unmatched"):
        timeline(stream=True).event(1, delta(content={"a": 1}))


def test_a_stream_without_its_end_mark_is_incomplete() -> None:
    line = timeline(stream=True)
    line.event(1, delta(content="x"))
    with pytest.raises(BadAnswer, match="stream_incomplete"):
        line.end(2)


def test_a_refusal_says_what_the_target_said() -> None:
    with pytest.raises(Refused) as found:
        timeline(stream=False).refused(401, b'{"error": {"message": "bad key"}}')
    assert (found.value.code, found.value.detail) == ("http_401", "bad key")
    assert "secret" in found.value.advice


def test_a_refusal_in_html_is_cut_to_a_line() -> None:
    with pytest.raises(Refused) as found:
        timeline(stream=False).refused(502, b"<html>\n<h1>Bad\xff gateway</h1>" + b"x" * 10_000)
    assert found.value.code == "http_502"
    assert "\n" not in found.value.detail
    assert len(found.value.detail) <= 200


@pytest.mark.parametrize("stamp", [b"18446744073709551615", b"-5", b"1e30", b'"now"', b"true", b"null", b"[1]"])
def test_a_stamp_that_is_no_time_is_no_stamp(stamp: bytes) -> None:
    line = Timeline(ResponseMapping(ResponseSpec.model_validate({"text": "t", "stamp": "at"})), 0)
    line.answer(10, b'{"t":"hi","at":%b}' % stamp)
    assert (line.text, list(line.arrival_errors)) == ("hi", [])


@pytest.mark.parametrize(
    ("said", "kept"), [(b"7", 7), (b"2147483647", 2147483647), (b"2147483648", None), (b"-1", None)]
)
def test_a_token_count_that_cannot_be_stored_is_no_count(said: bytes, kept: int | None) -> None:
    line = Timeline(ResponseMapping(ResponseSpec.model_validate({"text": "t", "usage": {"output": "n"}})), 0)
    line.answer(10, b'{"t":"hi","n":%b}' % said)
    assert line.tokens_out == kept


def test_a_text_without_end_is_stopped() -> None:
    line = Timeline(ResponseMapping(ResponseSpec(delta="t")), 0)
    line.sent(1, 1)
    with pytest.raises(TooLarge, match="body_too_large"):
        for at in range(10):
            line.event(at, b'{"t":"%b"}' % (b"x" * 1_000_000))


def test_the_longest_whole_text_passes_and_a_longer_one_does_not() -> None:
    def answer(length: int) -> Timeline:
        line = Timeline(ResponseMapping(ResponseSpec(text="t")), 0)
        line.answer(10, b'{"t":"%b"}' % (b"x" * length))
        return line

    assert TEXT_CHARS == 4 * 2**20
    assert len(answer(TEXT_CHARS).text) == TEXT_CHARS
    with pytest.raises(TooLarge, match="body_too_large"):
        answer(TEXT_CHARS + 1)


@pytest.mark.parametrize("known_errors", [True, False])
@pytest.mark.parametrize("text", ["  \n", "\u2003"])
def test_a_whole_answer_of_white_space_is_empty(text: str, known_errors: bool) -> None:
    line = Timeline(ResponseMapping(ResponseSpec(text="t", known_errors=known_errors)), 0)
    with pytest.raises(BadAnswer, match="white space alone"):
        line.answer(10, orjson.dumps({"t": text}))
        line.settle()


PIECES = {"delta": "d", "text": "t", "done": {"data": "[DONE]"}}


@pytest.mark.parametrize("mapping", [PIECES, KINDS])
@pytest.mark.parametrize(("piece", "is_other"), [("It ", False), ("Welcome! ", True)])
def test_pieces_that_the_whole_text_does_not_have_are_noticed(
    mapping: dict[str, Any], piece: str, is_other: bool
) -> None:
    line = Timeline(ResponseMapping(ResponseSpec.model_validate(mapping)), 0)
    if mapping is KINDS:
        events = [{"event": "delta", "data": piece}, {"event": "end", "data": "It rains."}]
    else:
        events = [{"d": piece}, {"t": "It rains."}]
    for event in events:
        line.event(10, orjson.dumps(event))
    line.done_ns = 20
    line.end(30)
    line.settle()
    assert line.has_unsolicited_text is is_other


def test_an_error_too_deep_to_be_written_is_still_said() -> None:
    line = Timeline(ResponseMapping(ResponseSpec(delta="t", error="error")), 0)
    deep = b"[" * 500 + b"]" * 500
    with pytest.raises(BadAnswer, match="target_error: something nested too deeply"):
        line.event(1, b'{"error":%b}' % deep)


@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
def test_a_tool_call_is_found_however_its_name_is_encoded(charset: str) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    turn = timeline(stream=False)
    turn.answer(1, orjson.dumps({"choices": [{"message": message}]}).decode().encode(charset))
    turn.settle()
    assert turn.kind == "tool_call"

"""What steps may save, and how they may be repeated; what has no effect is refused by its name."""

from __future__ import annotations

import time
from typing import Any

import pytest

from connectors.content.heads import LONGEST, AnswerHead, add_header, names_of
from connectors.mapping.answers.saving import SEARCHED_CHARS, Saving
from connectors.spec import Source, SpecError, parse_target_spec

UNTIL = {"path": "state", "equals": "up"}


def spec_with(**step: Any) -> Any:
    steps = [{"name": "first", "url": "/x", **step}]
    return parse_target_spec(
        {
            "name": "t",
            "protocol": "http",
            "url": "http://h",
            "response": {"text": "a"},
            "handshake": {"steps": steps},
        }
    )


@pytest.mark.parametrize(
    ("step", "says_what"),
    [
        ({"save": {"a": {}}}, "give `header`, `cookie` or `pattern`"),
        ({"save": {"a": {"pattern": "("}}}, "handshake.steps[0].save.a"),
        ({"save": {"a": {"pattern": "(a+)+b"}}}, "could take too long"),
        ({"save": {"a": {"pattern": ".*x"}}}, "could take too long"),
        ({"save": {"a": {"header": "X", "cookie": "y"}}}, "give either `header` or `cookie`"),
        ({"save": {"a": {"header": ""}}}, "handshake.steps[0].save.a"),
        ({"every_s": 1}, "every_s has no effect: without `until`"),
        ({"within_s": 1}, "within_s has no effect: without `until`"),
        ({"within_s": 1, "until": UNTIL, "read": "sse"}, "within_s has no effect: the stream is opened once"),
        ({"every_s": 0.001, "until": UNTIL}, "handshake.steps[0].every_s"),
        ({"within_s": 1e9, "until": UNTIL}, "handshake.steps[0].within_s"),
    ],
)
def test_a_step_that_cannot_be_meant_is_refused(step: dict[str, Any], says_what: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_with(**step)
    assert says_what in str(caught.value)


def test_a_step_that_can_is_not() -> None:
    sources = {"d": {"header": "X"}, "e": {"cookie": "f", "pattern": "a(b)"}, "g": {"pattern": "h"}}
    spec_with(save={"a": "b.c", **sources}, until=UNTIL, every_s=0.5, within_s=10)
    spec_with(until=UNTIL, read="sse")


def test_a_head_gives_addresses_that_mean_the_same_everywhere() -> None:
    head = AnswerHead(201, "https://h/v1/chats?x=1", {"location": "7", "content-location": "//g/8", "x": "9"})
    assert [head.header(name) for name in ("Location", "content-location", "X", "y")] == [
        "https://h/v1/7",
        "https://g/8",
        "9",
        None,
    ]
    assert AnswerHead(201, "https://h/", {"location": "http://[::1/"}).header("location") == "http://[::1/"


def test_the_last_cookie_by_a_name_counts_and_only_names_are_shown() -> None:
    head = AnswerHead(200, "https://h/", {"x": "s3cret"}, ("a=1; Path=/", " b = 2 ", "a=3=4;", "c"))
    assert [head.cookie(name) for name in "abcd"] == ["3=4", "2", None, None]
    assert names_of(head) == "the headers x and the cookies a, b, a, c"
    assert names_of(None) == "no headers"


def test_a_header_that_comes_again_and_again_is_joined_up_to_a_length() -> None:
    found: dict[str, str] = {}
    for value in (b"a", b" b ", *([b"x" * 100] * 10_000)):
        add_header(found, b"X-Many ", value)
        add_header(found, b"Set-Cookie", value)
    assert found["x-many"].startswith("a, b, xxx")
    assert len(found["x-many"]) <= LONGEST + 102
    assert "set-cookie" not in found


def test_nobody_who_waits_waits_for_an_hour() -> None:
    spec = spec_with(until=UNTIL, within_s=3600).within(2.0)
    assert spec.handshake.steps[0].within_s == 2.0
    assert spec.timeouts.total == 2.0
    assert spec_with(until=UNTIL, within_s=1).within(2.0).handshake.steps[0].within_s == 1
    assert spec_with().within(2.0).handshake.steps[0].within_s is None


def response(protocol: str, **fields: Any) -> Any:
    data = {"name": "t", "protocol": protocol, "url": "http://h", "response": {"text": "a", **fields}}
    return parse_target_spec(data)


def test_only_a_whole_answer_has_a_head() -> None:
    source = {"header": "X-Chat"}
    response("http", save={"chat": source})
    response("sse", save={"chat": source}, kind="type", kinds={"k": {"delta": "d", "save": {"a": "b"}}})
    with pytest.raises(SpecError, match=r"kinds\.k\.save\.chat: header 'X-Chat' belongs to the whole answer"):
        response("sse", kind="type", kinds={"k": {"delta": "d", "save": {"chat": source}}})
    with pytest.raises(
        SpecError, match=r"response\.save\.chat: header 'X-Chat' has no effect: with protocol websocket"
    ):
        response("websocket", save={"chat": source})


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ('name="csrf" value="([^"]+)"', '<input name="csrf" value="t0k">', "t0k"),
        (r"session_id=\w+", "/messages?session_id=a1b2", "session_id=a1b2"),
        ("x(y)?z", "xz", None),
        ("absent", "text", None),
        ("late(.)", "-" * SEARCHED_CHARS + "late!", None),
    ],
)
def test_a_pattern_gives_its_group_or_all_that_it_finds(pattern: str, text: str, found: str | None) -> None:
    saving = Saving({"a": Source(pattern=pattern), "b": Source(header="x", pattern=pattern)}, "save")
    assert saving.of_text(text, None).get("a") == found
    assert saving.of_head(AnswerHead(200, "", {"x": text}), None).get("b") == found


def test_a_pattern_sees_no_secret_that_a_target_repeats() -> None:
    saving = Saving({"a": Source(pattern="key=(....)")}, "save")
    assert saving.of_text("key=planted-key", lambda text: text.replace("planted-key", "(hidden)")) == {"a": "(hid"}


def test_no_pattern_takes_long_over_a_text_made_for_it() -> None:
    saving = Saving({"a": Source(pattern='csrf="([^"]+)"'), "b": Source(pattern="a{0,20}b")}, "save")
    began = time.process_time()
    assert saving.of_text("csrf=" * SEARCHED_CHARS, None) == {}
    assert saving.of_text('csrf="' + "-" * SEARCHED_CHARS, None) == {}
    assert saving.of_text("a" * SEARCHED_CHARS, None) == {}
    assert time.process_time() - began < 1.0

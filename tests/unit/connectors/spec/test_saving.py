"""What steps may save, and how they may be repeated; what has no effect is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.content.heads import AnswerHead, names_of
from connectors.spec import SpecError, parse_target_spec

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
        ({"save": {"a": {}}}, "give either `header` or `cookie`"),
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
    spec_with(save={"a": "b.c", "d": {"header": "X"}, "e": {"cookie": "f"}}, until=UNTIL, every_s=0.5, within_s=10)
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

"""Answers of several messages: where one ends, and when all is said."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.errors import TooLarge
from connectors.mapping.answers.response import ResponseMapping
from connectors.spec import ResponseSpec
from connectors.timeline.odd_answers import TEXT_CHARS
from connectors.timeline.quiet import QuietTimeline

WITH_MARK = {"delta": "t", "done": {"data": "[DONE]"}}


def timeline(**mapping: Any) -> QuietTimeline:
    found = QuietTimeline(ResponseMapping(ResponseSpec.model_validate(mapping)), planned_ns=0, quiet_ns=100)
    found.sent(1, 1)
    return found


def is_over(line: QuietTimeline, ns: int) -> bool:
    line.look(ns)
    return line.done_ns is not None


def said(text: str) -> bytes:
    return orjson.dumps({"t": text})


def test_without_an_end_mark_each_message_is_whole_and_quiet_begins_with_it() -> None:
    line = timeline(delta="t")
    assert line.look_at_ns(5) is None
    line.event(10, said("It"))
    line.event(30, said("rains."))
    line.event(60, said(""))
    assert line.look_at_ns(60) == 130
    assert not is_over(line, 129)
    assert is_over(line, 130)
    assert (line.text, line.done_ns, list(line.gaps_ns)) == ("It\nrains.", 30, [20])
    assert (line.first_content_ns, line.last_content_ns) == (10, 30)


def test_with_an_end_mark_quiet_begins_at_one_and_what_follows_is_another_message() -> None:
    line = timeline(**WITH_MARK)
    line.event(10, said("It "))
    line.event(20, said("rains."))
    assert line.look_at_ns(20) is None
    line.event(30, b"[DONE]")
    assert (line.look_at_ns(30), line.done_ns) == (130, None)
    line.event(40, said("Or "))
    assert line.look_at_ns(40) is None
    line.event(45, said("snows."))
    line.event(50, b"[DONE]")
    assert not is_over(line, 149)
    assert is_over(line, 150)
    assert (line.text, line.done_ns, list(line.gaps_ns)) == ("It rains.\nOr snows.", 50, [10, 20, 5])


def test_the_limit_of_a_text_is_that_of_all_messages() -> None:
    line = timeline(**WITH_MARK)
    line.event(10, said("x" * (TEXT_CHARS - 10)))
    line.event(20, b"[DONE]")
    line.event(30, said("x" * 8))
    line.event(40, said("x"))
    with pytest.raises(TooLarge, match="body_too_large"):
        line.event(50, said("xx"))


def test_the_limit_holds_without_an_end_mark_too() -> None:
    line = timeline(delta="t")
    line.event(10, said("x" * (TEXT_CHARS - 10)))
    line.event(20, said("x" * 8))
    with pytest.raises(TooLarge, match="body_too_large"):
        line.event(30, said("xxx"))

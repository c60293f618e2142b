from __future__ import annotations

import signal
import threading
import time
from typing import Any

import pytest

from scenarios.render.expect import SEARCHED_CHARS
from tests.unit.scenarios.walks import begin, hold, say, scenario


def check(answer: str, *expects: dict[str, Any], **fields: Any) -> str | None:
    steps = [say("x"), *({"do": "expect", **expect} for expect in expects)]
    [problem] = hold(scenario(*steps, **fields), lambda _: answer).problems
    return problem


@pytest.mark.parametrize(
    ("expect", "good", "bad", "why"),
    [
        ({"contains": "blue"}, "deep blue", "Blue", "the answer does not contain 'blue'"),
        ({"not_contains": "sorry"}, "fine", "so sorry", "the answer contains 'sorry'"),
        ({"matches": r"^\d+$"}, "42", "42 apples", r"the answer does not match '^\\d+$'"),
        ({"min_chars": 3}, "abc", "ab", "the answer has 2 characters, fewer than 3"),
        ({"max_chars": 3}, "abc", "abcd", "the answer has 4 characters, more than 3"),
        ({"is_format": "json"}, ' {"a": [1]}\n', "```json\n{}\n```", "the answer is not JSON: "),
        ({"is_format": "json"}, "0", "", "the answer is not JSON: "),
        ({"is_format": "xml"}, '\n<?xml version="1.0"?><a b="ü">x</a>', "<a><b></a>", "the answer is not XML: "),
        ({"is_format": "xml"}, "<a/>", "Here it is: <a/>", "the answer is not XML: "),
    ],
)
def test_each_check_passes_what_it_should_and_says_why_not(
    expect: dict[str, Any], good: str, bad: str, why: str
) -> None:
    assert check(good, expect) is None
    problem = check(bad, expect)
    assert problem is not None
    assert problem.startswith(why)


def test_all_checks_of_all_expect_steps_of_a_message_must_hold() -> None:
    two: list[dict[str, Any]] = [{"contains": "a", "min_chars": 2}, {"contains": "b"}]
    assert check("ab", *two) is None
    assert check("a", *two) == "the answer has 1 characters, fewer than 2"
    assert check("aa", *two) == "the answer does not contain 'b'"


def test_a_long_text_is_cut_in_what_is_said_of_it() -> None:
    assert check("", {"contains": "a" * 60}) == f"the answer does not contain {'a' * 60!r}"
    assert check("", {"contains": "a" * 61}) == f"the answer does not contain {'a' * 57 + '...'!r}"


def test_an_expect_step_belongs_to_the_message_before_it_alone() -> None:
    held = hold(scenario(say("a"), {"do": "expect", "contains": "a"}, say("b")), lambda _: "a")
    assert held.problems == [None, None]
    held = hold(scenario(say("a"), say("b"), {"do": "expect", "contains": "a"}), lambda text: text)
    assert held.problems == [None, "the answer does not contain 'a'"]


def test_what_is_expected_may_depend_on_the_session() -> None:
    assert check("code 7", {"contains": "code {{ session.number }}"}) is None
    assert check("code 8", {"contains": "code {{ n }}"}, variables={"n": 9}) == "the answer does not contain 'code 9'"


def test_a_failed_answer_is_in_the_history_all_the_same() -> None:
    walk = begin(scenario(say("a"), {"do": "expect", "contains": "b"}))
    walk.next_action()
    assert walk.answer("c") == "the answer does not contain 'b'"
    assert walk.history[-1] == {"role": "assistant", "content": "c"}


def test_entities_that_expand_are_refused() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x "' + "y" * 1000 + '">]><a>' + "&x;" * 10_000 + "</a>"
    problem = check(bomb, {"is_format": "xml"})
    assert problem is not None
    assert "document type" in problem


@pytest.mark.parametrize("document", ["[" * 100_000, "{" * 100_000, '{"a":' * 5000])
def test_json_nested_too_deep_is_no_json(document: str) -> None:
    problem = check(document, {"is_format": "json"})
    assert problem is not None
    assert problem.startswith("the answer is not JSON")


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", ".*.*.*.*.*b", "(?:a?){40}a{40}b"])
def test_a_catastrophic_pattern_is_given_up_and_its_timer_taken_away(pattern: str) -> None:
    signal.signal(signal.SIGVTALRM, signal.SIG_IGN)
    began = time.process_time()
    try:
        problem = check("a" * 5000, {"matches": pattern})
        assert signal.getsignal(signal.SIGVTALRM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    assert problem is not None
    assert "took longer than 0.1 s" in problem
    assert time.process_time() - began < 2
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_only_the_start_of_a_long_answer_is_searched_and_the_report_says_so() -> None:
    assert check("x" * (SEARCHED_CHARS - 1) + "b", {"matches": "b"}) is None
    problem = check("x" * SEARCHED_CHARS + "b", {"matches": "b"})
    assert problem == "the answer does not match 'b' in its first 100,000 characters"


def test_outside_the_main_thread_less_is_searched() -> None:
    problems: list[str | None] = []
    thread = threading.Thread(target=lambda: problems.append(check("x" * 1000 + "b", {"matches": "b"})))
    thread.start()
    thread.join()
    assert problems == ["the answer does not match 'b' in its first 1,000 characters"]

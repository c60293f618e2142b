"""One user's conversations, turn by turn: a real engine in virtual time, against a target whose times are known."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.support.engines import Share
from tests.support.virtual import NEVER, Rule, hold

S = 10**9
LOAD: dict[str, Any] = {"kind": "closed", "users": 1, "conversations": 1}
TWICE: list[dict[str, Any]] = [{"do": "say", "text": "one"}, {"do": "say", "text": "two"}]


def spans(share: Share) -> list[tuple[float, float]]:
    """From when to when each turn was waited for (s)."""
    return [(line["planned"] / S, line["done"] / S) for line in share.turns]


def ends(share: Share) -> list[tuple[str, str | None, int]]:
    """Of each conversation: outcome, code and turns."""
    return [(line["out"], line.get("code"), line["turns"]) for line in share.lines if line["k"] == "close"]


def test_a_turn_begins_when_the_answer_before_it_was_over(tmp_path: Path) -> None:
    share = hold(Rule(lambda number, _at_s: 1.0 + number), LOAD, tmp_path, steps=TWICE)
    assert spans(share) == [(0.0, 1.0), (1.0, 3.0)]
    assert [(line["msg"], line["n"]) for line in share.turns] == [("one", 0), ("two", 1)]
    assert ends(share) == [("completed", None, 2)]


def test_a_pause_is_counted_from_the_answer(tmp_path: Path) -> None:
    steps: list[dict[str, Any]] = [TWICE[0], {"do": "wait", "seconds": 4}, TWICE[1]]
    assert spans(hold(Rule(lambda *_: 1.0), LOAD, tmp_path, steps=steps)) == [(0.0, 1.0), (5.0, 6.0)]


def test_the_time_to_connect_is_part_of_the_first_turn_alone(tmp_path: Path) -> None:
    rule = Rule(lambda *_: 1.0, connects=lambda _at_s: 0.5)
    assert spans(hold(rule, LOAD, tmp_path, steps=TWICE)) == [(0.0, 1.5), (1.5, 2.5)]
    assert [asked.at_s for asked in rule.asked] == [0.5, 1.5]


def test_a_failed_turn_ends_its_conversation(tmp_path: Path) -> None:
    share = hold(Rule(lambda *_: NEVER, times_out_s=3.0), LOAD, tmp_path, steps=TWICE)
    assert spans(share) == [(0.0, 3.0)]
    assert ends(share) == [("failed", "first_byte_timeout", 1)]


def test_conversations_that_fail_one_after_another_pause_longer_each_time_up_to_a_second(tmp_path: Path) -> None:
    share = hold(Rule(lambda *_: NEVER, times_out_s=1.0), {**LOAD, "conversations": 9}, tmp_path)
    begun = [begin for begin, _ in spans(share)]
    pauses = [round(later - earlier - 1.0, 6) for earlier, later in pairwise(begun)]
    assert pauses == [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_one_good_conversation_ends_the_pauses(tmp_path: Path) -> None:
    rule = Rule(lambda number, _at_s: 1.0 if number == 4 else NEVER, times_out_s=1.0)
    share = hold(rule, {**LOAD, "conversations": 7}, tmp_path)
    begun = [begin for begin, _ in spans(share)]
    pauses = [round(later - earlier - 1.0, 6) for earlier, later in pairwise(begun)]
    assert pauses == [0.0, 0.05, 0.1, 0.2, 0.0, 0.0]


def test_a_stop_cuts_the_turn_in_flight_and_says_no_further_one(tmp_path: Path) -> None:
    rule = Rule(lambda *_: 50.0)
    share = hold(rule, {"kind": "closed", "users": 1, "duration_s": 60}, tmp_path, steps=TWICE, stop_at_s=5.0)
    assert [(line["out"], line["code"]) for line in share.turns] == [("aborted", "stopped")]
    assert ends(share) == [("truncated", "stopped", 1)]
    assert len(rule.asked) == 1


def goodbyes(share: Share) -> list[dict[str, int] | None]:
    """Of each conversation: what its last request took, in s."""
    closes = [line for line in share.lines if line["k"] == "close"]
    return [line.get("bye") and {name: ns / S for name, ns in line["bye"].items()} for line in closes]


def test_a_conversation_ends_with_what_is_asked_at_its_end_and_the_next_one_waits_for_it(tmp_path: Path) -> None:
    rule = Rule(lambda *_: 1.0, leaves_s=2.0)
    share = hold(rule, {**LOAD, "conversations": 2}, tmp_path)
    assert goodbyes(share) == [{"leave": 2.0}, {"leave": 2.0}]
    assert (rule.left, [asked.at_s for asked in rule.asked]) == ([1.0, 4.0], [0.0, 3.0])
    assert ends(share) == [("completed", None, 1)] * 2


def test_after_a_failed_turn_it_is_asked_too_and_after_one_that_was_cut_off_it_is_not(tmp_path: Path) -> None:
    rule = Rule(lambda *_: NEVER, times_out_s=3.0, leaves_s=1.0)
    assert goodbyes(hold(rule, LOAD, tmp_path)) == [{"leave": 1.0}]
    rule = Rule(lambda *_: 50.0, leaves_s=1.0)
    share = hold(rule, {"kind": "closed", "users": 1, "duration_s": 60}, tmp_path, stop_at_s=5.0)
    assert (goodbyes(share), rule.left, ends(share)) == ([None], [], [("truncated", "stopped", 1)])


def test_a_target_that_never_answers_it_holds_up_no_stop(tmp_path: Path) -> None:
    rule = Rule(lambda *_: 1.0, leaves_s=NEVER)
    share = hold(rule, {"kind": "closed", "users": 1, "duration_s": 60}, tmp_path, stop_at_s=5.0)
    assert (rule.left, goodbyes(share)) == ([1.0], [None])
    assert ends(share) == [("completed", None, 1)]

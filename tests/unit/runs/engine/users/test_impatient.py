"""A user who does not wait for ever: what is sent, when, and what each request comes to. In virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import Share
from tests.support.virtual import NEVER, Rule, hold

S = 10**9


def one_user(then: str, conversations: int = 1, **more: Any) -> dict[str, Any]:
    """One user whose patience ends 2 s after a message."""
    patience = {"within_s": {"mean": 2.0}, "then": then, **more}
    return {"kind": "closed", "users": 1, "conversations": conversations, "user_profile": {"patience": patience}}


def ends(share: Share) -> list[str | None]:
    """The code of each turn, in the order in which they ended; None: it was good."""
    return [turn["code"] for turn in share.turns]


def closes(share: Share) -> list[tuple[str, int]]:
    """Of each conversation: how it ended, and its number of turns."""
    return [(line["out"], line["turns"]) for line in share.lines if line["k"] == "close"]


def test_a_user_leaves_when_patience_is_over(tmp_path: Path) -> None:
    rule = Rule(lambda _number, _at_s: 10.0)
    share = hold(rule, one_user("abandon", conversations=2), tmp_path)
    assert ends(share) == ["user_left", "user_left"]
    assert [turn["done"] for turn in share.turns] == [2 * S, 4 * S]
    assert closes(share) == [("failed", 1), ("failed", 1)]


def test_a_message_is_sent_again_as_often_as_allowed_and_then_given_up(tmp_path: Path) -> None:
    rule = Rule(lambda _number, _at_s: NEVER)
    share = hold(rule, one_user("resend", times=2), tmp_path)
    assert ends(share) == ["user_resent", "user_resent", "user_left"]
    assert [asked.at_s for asked in rule.asked] == [0.0, 2.0, 4.0]
    assert closes(share) == [("failed", 3)]


def test_a_message_that_is_answered_after_a_resend_goes_on(tmp_path: Path) -> None:
    rule = Rule(lambda number, _at_s: NEVER if number == 0 else 1.0)
    say = {"do": "say", "text": "hi"}
    share = hold(rule, one_user("resend"), tmp_path, steps=[say, say])
    assert ends(share) == ["user_resent", None, None]
    assert [turn["n"] for turn in share.turns] == [0, 0, 1]
    assert closes(share) == [("completed", 3)]


def test_an_answer_in_time_is_sent_once_only(tmp_path: Path) -> None:
    for then in ("abandon", "resend", "hedge"):
        rule = Rule(lambda _number, _at_s: 1.9)
        share = hold(rule, one_user(then), tmp_path)
        assert (len(rule.asked), ends(share), closes(share)) == (1, [None], [("completed", 1)])


@pytest.mark.parametrize(
    ("takes_s", "codes", "end_s"),
    [
        ((5.0, 1.0), [None, "user_hedged"], 3.0),  # the second answer comes first, at 2 s + 1 s
        ((3.0, 9.0), [None, "user_hedged"], 3.0),  # the first one does after all
    ],
    ids=["second", "first"],
)
def test_of_two_requests_the_first_answer_counts_and_the_other_is_ended(
    takes_s: tuple[float, float], codes: list[str | None], end_s: float, tmp_path: Path
) -> None:
    rule = Rule(lambda number, _at_s: takes_s[number])
    share = hold(rule, one_user("hedge"), tmp_path)
    assert sorted(ends(share), key=str) == codes
    assert {turn["done"] for turn in share.turns} == {round(end_s * S)}
    assert [asked.at_s for asked in rule.asked] == [0.0, 2.0]
    assert [asked.is_answered for asked in rule.asked].count(True) == 1
    assert closes(share) == [("completed", 2)]


@pytest.mark.parametrize(("times", "left"), [((5.0, 1.0), 2), ((1.0, 1.0), 1)])
def test_each_connection_of_a_user_asks_what_is_asked_at_the_end(
    times: tuple[float, float], left: int, tmp_path: Path
) -> None:
    rule = Rule(lambda number, _at_s: times[number], leaves_s=1.0)
    hold(rule, one_user("hedge"), tmp_path)
    assert len(rule.left) == left


def test_after_a_stop_neither_connection_asks_anything(tmp_path: Path) -> None:
    rule = Rule(lambda *_: 500.0, leaves_s=NEVER)
    share = hold(rule, {**one_user("hedge"), "duration_s": 60}, tmp_path, stop_at_s=20.0)
    assert (len(rule.asked), rule.left) == (2, [])
    assert closes(share) == [("truncated", 2)]


def test_two_answers_in_one_moment_are_one_answer(tmp_path: Path) -> None:
    rule = Rule(lambda number, _at_s: (4.0, 2.0)[number])
    share = hold(rule, one_user("hedge"), tmp_path)
    assert sorted(ends(share), key=str) == [None, "user_hedged"]
    assert closes(share) == [("completed", 2)]


def test_a_budget_without_a_turn_left_sends_nothing_twice(tmp_path: Path) -> None:
    rule = Rule(lambda _number, _at_s: 5.0)
    share = hold(rule, one_user("hedge") | {"budget": {"turns": 1}}, tmp_path)
    assert len(rule.asked) == 1
    assert [turn["out"] for turn in share.turns] == ["ok"]


def test_who_is_patient_waits(tmp_path: Path) -> None:
    rule = Rule(lambda _number, _at_s: 10.0)
    share = hold(rule, one_user("abandon", conversations=40, share=0.5), tmp_path)
    assert set(ends(share)) == {None, "user_left"}
    assert 10 <= ends(share).count(None) <= 30


def test_a_user_who_left_starts_the_next_conversation_without_a_pause(tmp_path: Path) -> None:
    """Conversations that fail pause longer and longer; a user who left has waited already."""
    share = hold(Rule(lambda _number, _at_s: 5.0), one_user("abandon", conversations=5), tmp_path)
    assert [turn["planned"] for turn in share.turns] == [0, 2 * S, 4 * S, 6 * S, 8 * S]


@pytest.mark.parametrize(("until", "code", "done_s"), [("content", None, 6), ("done", "user_left", 2)])
def test_content_in_time_is_enough_unless_the_whole_answer_was_asked_for(
    until: str, code: str | None, done_s: int, tmp_path: Path
) -> None:
    share = hold(Rule(lambda _number, _at_s: 6.0, drips_s=0.5), one_user("abandon", until=until), tmp_path)
    assert [(turn["code"], turn["done"]) for turn in share.turns] == [(code, done_s * S)]


def test_the_users_of_a_share_of_the_conversations_never_leave(tmp_path: Path) -> None:
    share = hold(Rule(lambda _number, _at_s: 5.0), one_user("abandon", conversations=200, share=0.5), tmp_path)
    assert 70 < ends(share).count("user_left") < 130
    assert ends(share).count(None) == 200 - ends(share).count("user_left")


def test_a_message_that_would_be_sent_again_when_the_run_stops_is_stopped(tmp_path: Path) -> None:
    load = {**one_user("resend", times=9), "conversations": None, "duration_s": 60}
    share = hold(Rule(lambda _number, _at_s: 50.0), load, tmp_path, stop_at_s=3.0)
    assert ends(share) == ["user_resent", "stopped"]


def test_a_stop_ends_and_records_both_requests_of_a_message(tmp_path: Path) -> None:
    load = {**one_user("hedge"), "conversations": None, "duration_s": 60}
    share = hold(Rule(lambda _number, _at_s: 50.0), load, tmp_path, stop_at_s=3.0)
    assert ends(share) == ["stopped", "stopped"]

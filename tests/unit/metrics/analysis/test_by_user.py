"""What one conversation came to, turn by turn."""

from __future__ import annotations

from typing import Any

from metrics.analysis.by_user import Figures, TurnRow, add_conversation

MS = 1_000_000


def row(number: int, planned: int, done: int, **more: Any) -> TurnRow:
    """Times in ms; sent 5 ms after it was planned."""
    fields = {"session_id": 1, "number": number, "outcome": "ok", "planned_ns": planned * MS, "done_ns": done * MS}
    fields |= {"sent_ns": (planned + 5) * MS, "tokens_in": 10, "tokens_out": 4}
    return TurnRow(**{**fields, **more})


def figures(*turns: TurnRow) -> Figures:
    found = Figures()
    add_conversation(found, turns)
    return found


def test_a_user_who_gave_up_has_a_failed_turn_and_one_who_asked_again_has_not() -> None:
    found = figures(
        row(0, 0, 9, outcome="aborted", code="user_resent"), row(0, 9, 20, outcome="aborted", code="user_left")
    )
    assert found.as_dict()["turns"] == {"sent": 2, "ok": 0, "failed": 1, "aborted": 2, "unknown": 0}


def test_latency_is_of_ok_turns_and_sleep_is_what_lies_between_messages() -> None:
    found = figures(
        row(0, 0, 105),
        row(1, 305, 330),
        row(2, 330, 400, outcome="error", tokens_out=None),
    )
    assert found.as_dict() == {
        "turns": {"sent": 3, "ok": 2, "failed": 1, "aborted": 0, "unknown": 0},
        "tokens": {"input": 30, "output": 8, "total": 38},
        "latency_ms": {"total": 120.0, "mean": 60.0, "min": 20.0, "max": 100.0},
        "sleep_s": 0.2,
        "first_s": 0.005,
        "last_s": 0.4,
    }
    assert found.each_ms == [100.0, 20.0]
    assert found.duration_s == 0.395


def test_a_message_that_was_sent_again_or_twice_is_no_pause() -> None:
    again = figures(row(0, 0, 100, outcome="aborted"), row(0, 100, 200), row(1, 500, 600))
    assert again.as_dict()["sleep_s"] == 0.3
    twice = figures(row(0, 100, 250), row(0, 0, 251, outcome="aborted"), row(1, 551, 600))
    assert twice.as_dict()["sleep_s"] == 0.3
    assert twice.as_dict()["turns"]["aborted"] == 1


def test_what_was_never_sent_has_no_latency_and_no_message() -> None:
    found = figures(row(0, 10, 20, outcome="error", sent_ns=None, tokens_in=None, tokens_out=None))
    assert found.as_dict()["turns"] == {"sent": 0, "ok": 0, "failed": 1, "aborted": 0, "unknown": 0}
    assert found.as_dict()["latency_ms"] == {"total": 0.0, "mean": None, "min": None, "max": None}
    assert found.first_ns == 10 * MS


def test_several_conversations_of_a_user_add_up() -> None:
    found = figures(row(0, 0, 105), row(1, 205, 310))
    add_conversation(found, [row(0, 1000, 1055, session_id=2)])
    assert found.as_dict()["turns"]["ok"] == 3
    assert found.as_dict()["sleep_s"] == 0.1  # none between conversations
    assert found.as_dict()["latency_ms"]["min"] == 50.0
    assert found.duration_s == 1.05


def test_of_nothing_there_are_no_figures() -> None:
    assert figures().as_dict()["tokens"] == {"input": None, "output": None, "total": None}
    assert figures().duration_s == 0.0

"""Answers that ended before the load did, or that may be those of other questions."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.analysis.verdict.answers import OthersAnswers
from metrics.analysis.verdict.judge import judge
from tests.unit.metrics.analysis.verdict.made import CALM, GOOD, codes, verdict
from tests.unit.metrics.made import MS, aggregate, failed, head, tail, turn


def ended(load_s: float, turns: int) -> dict[str, Any]:
    return tail(turns) | {"load": int(load_s * 1000) * MS}


def answered_until(second: int) -> list[dict[str, Any]]:
    return [turn(n, done=(second * 1000 - 1) * MS, planned=(second * 1000 - 101) * MS, sent=(second * 1000 - 100) * MS)
            for n in range(100)]  # fmt: skip


@pytest.mark.parametrize(
    ("until_s", "load_s", "named"), [(3, 20, True), (7, 10, True), (19, 20, False), (57, 60, False), (53, 60, True)]
)
def test_a_target_that_fell_silent_before_the_end_is_named(until_s: int, load_s: int, named: bool) -> None:
    lines = [*answered_until(until_s), failed(100, "timeout", "unanswered", done=50_000 * MS)]
    found = judge(aggregate(head(), *lines, ended(load_s, 101)))
    assert codes(found) == (["stopped_answering"] if named else [])


@pytest.mark.parametrize(("reason", "named"), [("done", True), ("stopped", False)])
def test_answers_that_were_cut_off_in_a_silence_are_doubted(reason: str, named: bool) -> None:
    """A user of a closed loop waits once: few turns are cut off, however long the target did not answer."""
    lines = [*answered_until(3), failed(100, "aborted", "stopped", done=50_000 * MS)]
    found = judge(aggregate(head(), *lines, ended(20, 101) | {"reason": reason}))
    assert codes(found) == (["hang_not_judged"] if named else [])
    if named:
        assert "No turn succeeded in the last 17 of 20 s" in found.reasons[0].text


@pytest.mark.parametrize(
    ("failures", "load", "named"),
    [
        (5, {}, True),
        (4, {}, False),
        (40, {"search": {"conditions": ["error_rate<1%"]}}, False),
        (40, {"sweep": {"levels": [1, 2]}}, False),
        (40, {"duration_s": 20, "cool_down_s": 17}, False),
        (40, {"duration_s": 20, "cool_down_s": 10}, True),
    ],
)
def test_a_target_that_only_fails_at_the_end_stopped_answering(
    failures: int, load: dict[str, Any], named: bool
) -> None:
    lines = [failed(100 + n, "error", "http_503", done=(5000 + n) * MS) for n in range(failures)]
    found = judge(aggregate(head(), *answered_until(3), *lines, ended(20, 100 + failures)), load=load)
    assert ("stopped_answering" in codes(found)) is named


def test_failures_before_the_last_good_turn_are_no_silence() -> None:
    lines = [failed(100 + n, "error", "http_503", done=(1000 + n) * MS) for n in range(40)]
    assert codes(judge(aggregate(head(), *answered_until(3), *lines, ended(20, 140)))) == []


def test_silence_without_a_user_who_waits_is_only_a_pause() -> None:
    assert judge(aggregate(head(), *answered_until(3), ended(20, 100))).trusted


@pytest.mark.parametrize(
    ("cut", "reason", "reasons", "notes"),
    [
        (10, "done", ["hang_not_judged"], []),
        (2, "done", [], ["few_cut_off"]),
        (10, "stopped", [], []),
        (0, "done", [], []),
    ],
)
def test_turns_that_the_end_cut_off_are_told(cut: int, reason: str, reasons: list[str], notes: list[str]) -> None:
    lines = [failed(100 + n, "aborted", "stopped") for n in range(cut)]
    found = verdict(*GOOD, *lines, turns=100 + cut)
    if reason != "done":
        found = judge(aggregate(head(), *CALM, *GOOD, *lines, tail(100 + cut, reason)))
    assert codes(found) == reasons
    assert [note.code for note in found.notes] == notes


@pytest.mark.parametrize(
    ("unsolicited", "by_id", "others", "shifted"),
    [
        (0, False, OthersAnswers(), False),
        (1, False, OthersAnswers(), True),
        (1, True, OthersAnswers(), False),
        (0, False, OthersAnswers(unsolicited=1), True),
        (0, True, OthersAnswers(mismatched=2), True),
        (0, False, OthersAnswers(mismatched=1), False),
    ],
)
def test_answers_that_may_be_anothers(unsolicited: int, by_id: bool, others: OthersAnswers, shifted: bool) -> None:
    late = [{"k": "uns", "s": 1, "at": 5, "n": unsolicited}] if unsolicited else []
    found = judge(aggregate(head() | {"correlates": by_id}, *CALM, *GOOD, *late, tail(100)), others=others)
    assert ("answers_may_be_shifted" in codes(found)) is shifted


def test_the_witness_own_unsolicited_messages_are_told_apart() -> None:
    late = {"k": "uns", "s": 1, "at": 5, "n": 3}
    found = judge(aggregate(head(), *CALM, *GOOD, late, tail(100)), others=OthersAnswers(unsolicited=2))
    assert "At least 5 messages came that no question had requested (2 of them to the witness)" in found.reasons[0].text

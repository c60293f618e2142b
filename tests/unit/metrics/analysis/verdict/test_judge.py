"""Each reason and each note of a verdict has a case, and a calm run has none of them."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.analysis.verdict.codes import NOTES, REASONS
from metrics.analysis.verdict.judge import Verdict, judge
from tests.unit.metrics.analysis.verdict.made import CALM, GOOD, QUICK, codes, verdict
from tests.unit.metrics.made import MS, aggregate, failed, generator, head, tail, turn


def test_a_calm_run_with_enough_turns_is_trusted() -> None:
    found = verdict(*GOOD)
    assert found.trusted
    assert found == Verdict()


CASES: list[tuple[str, list[dict[str, Any]], int]] = [
    ("no_ok_turns", [failed(n) for n in range(100)], 100),
    ("few_samples", GOOD[:99], 99),
    ("send_lag", [turn(n, planned=89 * MS) for n in range(100)], 100),
    ("send_lag", [turn(n, planned=int(89.4 * MS)) for n in range(100)], 100),
    ("loop_lag", [*GOOD, generator(6, 1200, lag=[101_000])], 100),
    ("engine_stalled", [*GOOD, *QUICK, generator(6, 1200, lag=[1_000_000])], 100),
    ("cpu_saturated", [*GOOD, *(generator(s, 1000 + (s - 5) * 950) for s in range(6, 13))], 100),
    ("arrivals_dropped", [*GOOD, generator(6, 1200, dropped=1)], 100),
    ("turns_unknown", [*GOOD, failed(100, "unknown", "engine_died", done=None)], 101),
    ("load_missing", [*GOOD, head() | {"late_ns": 1_001 * MS}], 100),
    ("ledger_incomplete", GOOD, 101),
    ("ledger_incomplete", GOOD, 99),
    ("ledger_damaged", [*GOOD, {"k": "nonsense"}], 100),
]


@pytest.mark.parametrize(("code", "lines", "turns"), CASES, ids=[f"{case[0]}-{at}" for at, case in enumerate(CASES)])
def test_each_reason_has_its_cause(code: str, lines: list[dict[str, Any]], turns: int) -> None:
    found = verdict(*lines, turns=turns)
    assert codes(found) == [code]
    assert not found.trusted


@pytest.mark.parametrize(
    "lines",
    [
        [turn(n, planned=91 * MS) for n in range(100)],
        [turn(n, planned=70 * MS, done=1110 * MS) for n in range(100)],
        [*GOOD, generator(6, 1200, lag=[99_000])],
        [*GOOD, *(generator(s, 1000 + (s - 5) * 950) for s in range(6, 8))],
    ],
    ids=["19 ms late", "40 ms late in turns of a second", "loop 99 ms late", "busy for a moment"],
)
def test_what_changes_no_conclusion_costs_no_trust(lines: list[dict[str, Any]]) -> None:
    assert verdict(*lines).trusted


def test_a_dead_engine_is_a_reason_but_not_while_the_run_goes_on() -> None:
    running = aggregate(head(), *CALM, *GOOD)
    assert judge(running, finished=False).trusted
    assert codes(judge(running)) == ["engine_died"]
    assert codes(judge(aggregate(head(), *CALM, *GOOD, tail(100, "engine_died")))) == ["engine_died"]


def test_every_documented_reason_is_has_a_case() -> None:
    others = {"engine_died", "witness_disagrees", "stopped_answering", "hang_not_judged", "answers_may_be_shifted"}
    assert {code for code, _, _ in CASES} | others == set(REASONS)
    proved = {
        "few_cut_off",
        "answers_paused",
        "user_timestamps",
        "tokens_estimated",
        "survivors_only",
        "start_apart",
        "slower_later",
        "few_dropped",
        "versions_differ",
    }
    proved |= {
        "usage_not_believed",
        "reasoning_split",
        "content_type_wrong",
        "witness_missing",
        "through_proxy",
    }  # the last one: test_report.py
    assert set(NOTES) == proved

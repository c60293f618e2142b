"""Waits that ended without an answer: lower bounds in `e2e_planned_ms`, from the ledger to every report."""

from __future__ import annotations

import math
from typing import Any

import pytest

from metrics.analysis.figures import figures, of_choice, stats_of
from metrics.analysis.threshold_status import threshold_statuses
from metrics.analysis.threshold_values import evaluate, known_to_fail
from metrics.analysis.thresholds import Value, parse_threshold, parse_thresholds
from metrics.analysis.totals import Aggregate, merge
from metrics.groups import Group
from metrics.report.bound_words import bounds_note, stat_cells, threshold_words
from metrics.report.build import RunFacts, build_report
from metrics.report.junit import junit_xml
from metrics.report.markdown import summary_md
from metrics.report.terminal import report_text
from tests.unit.metrics.made import MS, aggregate, batch, failed, head, tail, turn

FACTS = RunFacts(1, "completed", "t", "s", {"kind": "closed", "users": 1, "duration_s": 9}, None)
NAME = "e2e_planned_ms"


def answered(number: int, took_ms: int, **changes: Any) -> dict[str, Any]:
    return turn(number, done=(100 + took_ms) * MS, **changes)


def gave_up(
    number: int, after_ms: int, out: str = "timeout", code: str = "unanswered", **changes: Any
) -> dict[str, Any]:
    return failed(number, out, code, done=(100 + after_ms) * MS, **changes)


def ten(censored: int, after_ms: int = 5_000) -> Aggregate:
    """Ten turns, of which the last `censored` were given up; the others take 100, 200, .. ms."""
    good = [answered(number, 100 * (number + 1)) for number in range(10 - censored)]
    return aggregate(*good, *(gave_up(number, after_ms) for number in range(10 - censored, 10)))


def near(value: float) -> Any:
    return pytest.approx(value, rel=0.006)


@pytest.mark.parametrize(
    ("out", "code", "counts"),
    [
        ("timeout", "unanswered", 1),
        ("timeout", "first_byte_timeout", 1),
        ("timeout", "connect_timeout", 1),
        ("aborted", "stopped", 1),
        ("aborted", "user_left", 1),
        ("aborted", "user_resent", 1),
        ("aborted", "user_hedged", 0),
        ("error", "http_500", 0),
        ("error", "connection_reset", 0),
    ],
)
def test_waits_without_an_answer_are_lower_bounds_and_others_are_not(out: str, code: str, counts: int) -> None:
    found = stats_of(aggregate(answered(0, 100), gave_up(1, 3_000, out, code)), NAME)
    assert (found["count"], found["censored"]) == (1 + counts, counts)
    assert found["max"] == (3_000 if counts else 100)
    assert found["high"]["max"] == (None if counts else 100)
    assert stats_of(aggregate(answered(0, 100), gave_up(1, 3_000, out, code)), "e2e_ms")["max"] == 90


def test_a_turn_without_a_connection_counts_as_a_wait_and_an_unknown_turn_does_not() -> None:
    found = stats_of(aggregate(gave_up(0, 3_000, sent=None), failed(1, "unknown", None, done=None)), NAME)
    assert (found["count"], found["censored"], found["p50"]) == (1, 1, 3_000)


@pytest.mark.parametrize(
    ("censored", "low", "high"), [(0, 1_000, 1_000), (1, 5_000, None), (4, 5_000, None), (10, 5_000, None)]
)
def test_a_percentile_within_what_was_given_up_has_no_upper_bound(
    censored: int, low: float, high: float | None
) -> None:
    found = stats_of(ten(censored), NAME)
    assert (found["count"], found["censored"]) == (10, censored)
    assert found["p95"] == near(low)
    assert found["high"]["p95"] == (high if high is None else near(high))


def test_percentiles_below_have_both_bounds() -> None:
    """Of 100, 200, .. 700 and three of which nothing is known but that they took longer than 50 ms."""
    found: Any = stats_of(ten(3, after_ms=50), NAME)
    assert (found["p50"], found["high"]["p50"]) == (near(200), near(500))
    assert (found["min"], found["high"]["min"]) == (50, 100)
    assert (found["mean"], found["high"]["mean"]) == (pytest.approx(295), None)
    assert (found["p90"], found["high"]["p90"]) == (near(600), None)


def test_seconds_shards_and_groups_merge_to_the_same() -> None:
    lines = [
        (gave_up if number % 3 == 0 else answered)(number, 700 * number + 5, g=number % 2) for number in range(1, 60)
    ]
    at_once = merge(batch(*lines, groups=2).windows.values())
    apart = Aggregate()
    for begin in range(0, 59, 7):
        apart.add_all(batch(*lines[begin : begin + 7], groups=2).windows.values())
    assert stats_of(apart, NAME) == stats_of(at_once, NAME)
    assert stats_of(at_once, NAME)["censored"] == 19
    assert stats_of(at_once.of_groups([0, 1]), NAME) == stats_of(at_once, NAME)
    assert [stats_of(at_once.groups[number], NAME)["censored"] for number in (0, 1)] == [9, 10]
    assert at_once.given_up == apart.given_up


def test_turns_of_the_warm_up_are_no_bounds_and_windows_of_an_earlier_version_have_none() -> None:
    found = batch(answered(0, 100), gave_up(1, 3_000), counted=(200 * MS, None))
    assert stats_of(merge(found.windows.values()), NAME)["count"] == 0
    windows = batch(answered(0, 100), gave_up(1, 3_000)).windows.values()
    old = [{key: value for key, value in data.items() if key != "given_up"} for data in windows]
    assert stats_of(merge(old), NAME) | {"high": None} == stats_of(aggregate(answered(0, 100)), NAME) | {"high": None}


@pytest.mark.parametrize(
    ("text", "low", "high", "holds", "fails"),
    [
        ("x<500", 400, 450, True, False),
        ("x<500", 400, 500, False, False),
        ("x<=500", 400, 500, True, False),
        ("x<500", 400, math.inf, False, False),
        ("x<500", 500, math.inf, False, True),
        ("x<500", 600, 700, False, True),
        ("x>500", 600, math.inf, True, False),
        ("x>500", 400, math.inf, False, False),
        ("x>500", 300, 400, False, True),
        ("x>=500", 500, math.inf, True, False),
        ("x==500", 500, 500, True, False),
        ("x==500", 400, math.inf, False, False),
        ("x==500", 600, math.inf, False, True),
    ],
)
def test_a_threshold_between_bounds_passes_fails_or_is_undecided(
    text: str, low: float, high: float, holds: bool, fails: bool
) -> None:
    threshold = parse_threshold(text.replace("x", f"{NAME}.p95"))
    assert (threshold.holds(Value(low, high)), threshold.fails(Value(low, high))) == (holds, fails)
    assert not (threshold.holds(None) or threshold.fails(None))


ASKED = (f"{NAME}.p50<700", f"{NAME}.p95<9000", f"{NAME}.max<4000", f"{NAME}.min>50", f"{NAME}.count>=10")


def test_a_hang_keeps_no_threshold_on_a_percentile_that_it_reaches() -> None:
    kept, unknown, missed, least, count = evaluate(ASKED, figures(ten(4)))
    assert kept == {"expr": ASKED[0], "value": kept["value"], "passed": True}
    assert unknown == {"expr": ASKED[1], "value": 5_000, "high": None, "passed": False}
    assert missed == {"expr": ASKED[2], "value": 5_000, "high": None, "passed": False}
    assert (least["passed"], count["passed"]) == (True, True)
    assert [known_to_fail(one) for one in (kept, unknown, missed)] == [False, False, True]
    words = [threshold_words(one) for one in (unknown, missed)]
    assert words == [("not known", "is 5,000 or more"), ("missed", "is 5,000 or more")]


def test_a_threshold_between_two_bounds_is_undecided() -> None:
    (found,) = evaluate([f"{NAME}.p50<300"], figures(ten(3, after_ms=50)))
    assert not found["passed"]
    assert threshold_words(found) == ("not known", "is between 199.156 and 502.436")


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("p95<9000", "early"),
        ("p50<9000", "kept"),
        ("p95<4000", "missed"),
        ("max<4000", "missed"),
        ("max<9000", "early"),
    ],
)
def test_during_a_run_an_undecided_threshold_is_too_early(text: str, state: str) -> None:
    found = aggregate(
        *(answered(number, 100) for number in range(16)), *(gave_up(number, 5_000) for number in range(16, 20))
    )
    (one,) = threshold_statuses(
        parse_thresholds(f"{NAME}.{text}"), figures(found), of_choice(found, (Group("s"),)), 60.0
    )
    assert one["state"] == state


def test_every_report_says_which_figures_are_bounds() -> None:
    report = build_report(FACTS, merge(batch(head(), *_lines(), tail(10)).windows.values()), [ASKED[1]])
    for text in (report_text(report, 140), summary_md(report), junit_xml(report).decode()):
        assert "5,000 or more" in text or "5000 or more" in text
    for text in (report_text(report, 140), summary_md(report)):
        assert "not known" in text
        assert "≥5,000" in text
        assert "4 waits ended without an answer" in text


def _lines() -> list[dict[str, Any]]:
    return [*(answered(n, 100) for n in range(6)), *(gave_up(n, 5_000) for n in range(6, 10))]


def test_a_run_of_answers_alone_has_no_bounds() -> None:
    values = stats_of(ten(0), NAME)
    assert stat_cells(values, ["p50", "max"]) == ["502.4", "1,000"]
    assert bounds_note({NAME: values}) == ""
    assert values["high"] and values["high"].items() <= values.items()

"""What users who lost patience cost: counted by the codes of their turns, in windows, groups and the report."""

from __future__ import annotations

from typing import Any

from connectors.errors import PATIENCE_CODES
from metrics.analysis.patience import patience_of, patience_words
from metrics.analysis.totals import merge
from metrics.ingest.windows import WASTED
from metrics.report.build import RunFacts, build_report
from metrics.report.terminal import report_text
from metrics.report_schema import PatiencePart
from tests.unit.metrics.made import aggregate, batch, failed, generator, head, tail, turn

LOAD: dict[str, Any] = {"users": 2, "user_profile": {"patience": {"within_s": {"mean": 1}}}}
LINES = [
    head(),
    turn(0),
    failed(1, "aborted", "user_left", ti=4, to=0, ts="estimate"),
    failed(2, "aborted", "user_resent", ti=4, to=3, ts="usage"),
    failed(3, "aborted", "user_resent", sent=None, ti=None),
    failed(4, "aborted", "user_hedged", ti=5, to=6, ts="estimate"),
    failed(5, "aborted", "stopped", ti=100, to=100, ts="usage"),
    failed(6, ti=100),
    generator(1, 10),
    tail(7),
]
LOST: PatiencePart = {
    "abandoned": 1,
    "resent": 2,
    "hedged": 1,
    "doubled": 1,
    "wasted_tokens": {"input": 13, "output": 9},
}


def test_each_code_of_lost_patience_is_counted() -> None:
    assert WASTED.keys() == PATIENCE_CODES.keys()
    assert patience_of(LOAD, aggregate(*LINES)) == LOST
    twice = aggregate(*LINES)
    twice.include(aggregate(*LINES))
    assert twice.wasted == {"tokens_in": 26, "tokens_out": 18}


def test_who_left_failed_and_who_asked_again_did_not() -> None:
    found = aggregate(*LINES)
    report = build_report(RunFacts(1, "completed", "t", "s", LOAD, None), found, ["turns_failed<2", "error_rate<60%"])
    assert (report["turns"]["error"], report["turns"]["aborted"], report["turns"]["failed"]) == (1, 5, 2)
    assert report["rates"]["error_rate"] == round(2 / 3, 6)
    assert [one["passed"] for one in report["thresholds"]] == [False, False]
    assert sum(report["series"]["failed_per_s"]) == 2


def test_who_left_in_the_warm_up_is_what_a_budget_counts_as_failed() -> None:
    found = merge(batch(*LINES, counted=(200 * 1_000_000, None)).windows.values())
    assert found.failed == 0
    assert found.uncounted_spent[0][:2] == (1, 2)


def test_a_run_whose_users_wait_for_ever_says_nothing() -> None:
    assert patience_of({"users": 2, "user_profile": {"patience": None}}, aggregate(*LINES)) is None
    assert patience_of({"users": 2}, aggregate(*LINES)) is None


def test_the_report_says_it_in_words_too() -> None:
    report = build_report(RunFacts(1, "completed", "t", "s", LOAD, None), aggregate(*LINES))
    assert report["patience"] == LOST
    assert report["tokens"]["total"] == (report["tokens"]["input"] or 0) + (report["tokens"]["output"] or 0)
    text = report_text(report)
    assert "patience  1 left, 2 sent again, 1 sent twice; 13 tokens in and 9 out wasted" in text
    assert f"tokens    {report['tokens']['total']:,}: " in text
    assert patience_words({**LOST, "abandoned": 0, "resent": 0, "hedged": 0}) == "no user lost patience"

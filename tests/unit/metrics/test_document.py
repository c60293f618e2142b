from __future__ import annotations

from metrics.definitions import METRICS
from metrics.document import PAGE, REPORT, page
from metrics.report import RunFacts, build_report
from metrics.thresholds import RATES
from metrics.totals import Aggregate
from metrics.verdict import NOTES, REASONS


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m metrics.document`"


def test_the_page_names_everything_that_a_report_can_say() -> None:
    names = [metric.name for metric in METRICS] + [*RATES, *REASONS, *NOTES]
    assert [name for name in names if f"`{name}`" not in page()] == []


def test_the_page_has_a_row_for_each_key_of_the_report() -> None:
    report = build_report(RunFacts(1, "completed", "", "", {}, None), Aggregate())
    assert {name for name, _ in REPORT} == set(report)

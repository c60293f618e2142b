from __future__ import annotations

from metrics.analysis.thresholds import RATES
from metrics.analysis.totals import Aggregate
from metrics.analysis.verdict.codes import NOTES, REASONS
from metrics.definitions import METRICS
from metrics.report.build import RunFacts, build_report
from metrics.report.document import PAGE, page
from metrics.report.document_tables import REPORT


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m metrics.report.document`"


def test_the_page_names_everything_that_a_report_can_say() -> None:
    names = [metric.name for metric in METRICS] + [*RATES, *REASONS, *NOTES]
    assert [name for name in names if f"`{name}`" not in page()] == []


def test_the_page_has_a_row_for_each_key_of_the_report() -> None:
    report = build_report(RunFacts(1, "completed", "", "", {}, None), Aggregate())
    earlier_name = {"uncounted_turns"}
    assert {name for name, _ in REPORT} == set(report) - earlier_name

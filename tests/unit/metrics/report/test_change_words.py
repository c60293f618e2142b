"""Changes of the load in words, and where they are shown."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.report.build import RunFacts, build_report
from metrics.report.change_words import LINES_SHOWN, change_lines, change_rows
from metrics.report.earlier_reports import present_report
from metrics.report.markdown import summary_md
from metrics.report.terminal import report_text
from metrics.report_schema import LoadChange, RunReport
from tests.unit.metrics.made import aggregate, turn

CLOSED = {"kind": "closed", "users": 5, "duration_s": 60}
CHANGES: list[LoadChange] = [
    {"at_s": 3.25, "level": 200.0, "by": "alice"},
    {"at_s": 93.4, "level": 1.0, "by": "a | <b> _c_"},
]


def report(load: dict[str, Any], changes: list[LoadChange]) -> RunReport:
    return build_report(RunFacts(7, "completed", "t", "s", load, None, load_changes=changes), aggregate(turn()))


@pytest.mark.parametrize(
    ("load", "level", "words"),
    [
        (CLOSED, 1200.0, "1,200 users"),
        (CLOSED, 1, "1 user"),
        (CLOSED, 0, "0 users"),
        ({"kind": "open", "rate_per_s": 1}, 2.5, "2.5/s"),
        ({"kind": "open", "rate_per_s": 1}, 1_000_000.0, "1,000,000/s"),
        ({"kind": "trace", "speed": 1}, 0.5, "0.5 times its speed"),
    ],
)
def test_a_level_is_said_in_what_its_load_counts(load: dict[str, Any], level: float, words: str) -> None:
    found = report(load, [{"at_s": 1234.56, "level": level, "by": ""}])
    assert change_lines(found) == [f"{words} from 1,234.6 s on, by -"]


def test_what_a_search_sets_by_itself_is_in_its_levels_and_not_said_again() -> None:
    by_search: LoadChange = {"at_s": 3.0, "level": 9.0, "by": "search"}
    by_hand: LoadChange = {"at_s": 4.0, "level": 8.0, "by": "alice"}
    searched = report({**CLOSED, "search": {"conditions": ["error_rate<1%"]}}, [by_search, by_hand])
    assert [row.level for row in change_rows(searched)] == ["8 users"]
    assert len(change_rows(report({**CLOSED, "search": None}, [by_search, by_hand]))) == 2, "somebody has that name"


def test_of_many_changes_the_first_are_said_and_the_others_counted() -> None:
    many = report(CLOSED, [{"at_s": float(at), "level": 2.0, "by": "a"} for at in range(1000)])
    lines = change_lines(many)
    assert lines[LINES_SHOWN - 1 :] == ["2 users from 9 s on, by a", "and 990 more changes"]
    assert len(change_rows(many)) == 1000
    assert change_lines(present_report({"run": {"load": CLOSED}})) == [], "a report of an earlier version"


def test_terminal_and_markdown_have_a_line_for_each() -> None:
    found = report(CLOSED, CHANGES)
    text = report_text(found, 80).splitlines()
    begin = text.index("  load      200 users from 3.2 s on, by alice")
    assert text[begin + 1] == "            1 user from 93.4 s on, by a | <b> _c_"
    page = summary_md(found)
    assert "\nThe load was changed while it ran:\n\n- 200 users from 3.2 s on, by alice\n- 1 user from 93.4 s" in page
    assert "by a \\| &lt;b> \\_c\\_\n" in page
    for shown in (report_text(report(CLOSED, []), 80), summary_md(report(CLOSED, []))):
        assert "load" not in shown

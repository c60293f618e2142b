"""Numbers and words as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.analysis.totals import merge
from metrics.groups import Group
from metrics.report.build import RunFacts, build_report
from metrics.report.earlier_reports import present_report
from runs.models import Run
from runs.reporting.chart_series import curve_charts
from runs.reporting.formatting import load_text
from runs.reporting.page import Fact, report_context
from tests.support.data.curves import forty_users
from tests.unit.metrics.made import batch, turn


@pytest.mark.parametrize(
    ("load", "text"),
    [
        ({"kind": "closed", "users": 50, "duration_s": 30.0, "conversations": None}, "50 users, 30 s"),
        ({"kind": "closed", "users": 2, "duration_s": 4, "max_turns_per_s": 5.0}, "2 users, 4 s, at most 5 turns/s"),
        (
            {"kind": "open", "rate_per_s": 2.5, "arrivals": "poisson", "conversations": 9},
            "2.5/s poisson, 9 conversations",
        ),
        (
            {"kind": "closed", "users": 5, "sweep": {"levels": [5.0, 10.0], "hold_s": 20}, "stages": [{}]},
            "sweep over 5, 10 users, 20 s each",
        ),
        ({"kind": "open", "sweep": {"levels": [0.5, 1]}}, "sweep over 0.5, 1 a second, 20 s each"),
        (
            {"kind": "open", "rate_per_s": 2, "arrivals": "constant", "search": {"conditions": ["a<1", "b<2"]}},
            "search from 2/s constant for the highest load with a<1 and b<2",
        ),
        (
            {"kind": "closed", "users": 5, "duration_s": 9, "budget": {"tokens": 20_000, "cost": 2.5, "turns": None}},
            "5 users, 9 s, at most 20,000 tokens, at most 2.5 in cost",
        ),
        ("nonsense", ""),
    ],
)
def test_a_load_is_words(load: Any, text: str) -> None:
    assert load_text(load) == text


def test_the_curves_of_a_page_ascend_and_have_the_last_measurement_of_a_level() -> None:
    report: Any = forty_users(knee=10)
    report["load_curve"].append(report["load_curve"][0] | {"turns_per_s": 79.0, "from_s": 90})
    found = curve_charts(report)
    assert found is not None and found["unit"] == "users"
    assert found["charts"]["load-turns"] == [[10, 40, 42, 80], [79.0, 320, 320, 320]]
    assert found["marks"] == [(40, "capacity 40"), (10, "knee 10")]
    assert curve_charts(present_report({"run": {}, "load_curve": None})) is None
    assert curve_charts(present_report({"run": {}})) is None, "a report of an earlier version"


def test_groups_and_models_are_tables_whose_words_are_told_from_figures() -> None:
    groups = (Group("quick", "m", {"tier": "gold"}), Group("slow", "m"))
    found = merge(batch(*(turn(number, g=number % 2) for number in range(4)), groups=2).windows.values())
    facts = RunFacts(1, "completed", "t", "s", {}, None, groups=groups)
    parts = report_context(Run(report=build_report(facts, found)))["parts"]
    assert [part["id"] for part in parts] == ["groups", "models"]
    assert parts[0]["heads"][:3] == [("scenario", True), ("tags", True), ("turns", False)]
    assert parts[0]["rows"][0][:3] == [("quick", True), ("tier=gold", True), ("2", False)]


def sessions_of(stored: dict[str, int]) -> list[Fact]:
    found: list[Fact] = report_context(Run(report=present_report({"run": {}, "sessions": stored})))["sessions"]
    return found


def test_a_report_shows_each_count_of_sessions_under_one_name() -> None:
    shown = sessions_of({"started": 7, "truncated": 6, "cut": 6})
    assert [(fact.label, fact.value) for fact in shown] == [("started", "7"), ("truncated", "6")]
    assert sessions_of({"started": 7, "cut": 6}) == shown

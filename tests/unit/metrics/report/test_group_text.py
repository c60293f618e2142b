from __future__ import annotations

from metrics.analysis.threshold_status import ThresholdStatus
from metrics.analysis.totals import merge
from metrics.groups import Group
from metrics.report.build import RunFacts, build_report
from metrics.report.group_text import group_cells, model_cells, status_words
from metrics.report.terminal import report_text
from metrics.report_schema import RunReport
from tests.unit.metrics.made import aggregate, batch, failed, turn

LINES = [turn(number, g=number % 4) for number in range(40)] + [failed(40, g=3)]


def report(*groups: Group) -> RunReport:
    found = merge(batch(*LINES, groups=4).windows.values()) if len(groups) > 1 else aggregate(*LINES)
    return build_report(RunFacts(1, "completed", "t", "s", {}, None, groups=groups), found)


def test_columns_that_say_the_same_of_all_groups_are_left_out() -> None:
    by_both = group_cells(report(*(Group(s, m) for s in "ab" for m in "xy")))
    assert by_both is not None
    assert by_both.heads[:5] == ("scenario", "model", "turns", "failed", "turns/s")
    assert [row[:4] for row in by_both.rows] == [
        ("a", "x", "10", "0.00%"), ("a", "y", "10", "0.00%"), ("b", "x", "10", "0.00%"), ("b", "y", "11", "9.09%"),
    ]  # fmt: skip
    by_scenario = group_cells(report(*(Group(s, "m", {"k": s}) for s in "abcd")))
    assert by_scenario is not None
    assert by_scenario.heads[:3] == ("scenario", "tags", "turns")
    assert by_scenario.rows[0][:2] == ("a", "k=a")


def test_a_run_with_one_group_has_no_table_of_groups_but_names_its_model() -> None:
    found = report(Group("a", "gpt"))
    assert group_cells(found) is None
    models = model_cells(found)
    assert models is not None
    assert models.rows[0][:4] == ("gpt", "0", "41", "2.44%")
    assert model_cells(report(Group("a"))) is None


def test_a_terminal_shows_groups_in_its_width() -> None:
    found = report(*(Group(f"a scenario with a long name, number {s}", m) for s in "12" for m in "xy"))
    for width in (80, 100, 140):
        text = report_text(found, width)
        assert "\ngroups\n" in text
        assert "\nmodels\n" in text
        assert max(map(len, text.splitlines())) <= width
    assert "ttft p50" in report_text(found, 140)


def test_how_thresholds_stand_in_a_few_words() -> None:
    early: ThresholdStatus = {"expr": "a", "value": None, "state": "early"}
    kept: ThresholdStatus = {"expr": "b", "value": 1.0, "state": "kept"}
    missed: ThresholdStatus = {"expr": "c<1", "value": 2.5, "state": "missed"}
    assert status_words([]) == status_words([kept, early]) == ""
    assert status_words([kept, early], missed_only=False) == "1 met, 1 too early to say"
    assert status_words([kept, missed]) == "missed c<1 (2.5)"

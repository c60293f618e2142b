"""Kinds of answers and finish reasons, from the lines of a ledger to the texts of a report."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.report.answer_words import answer_rows, answer_words
from metrics.report.build import RunFacts, build_report
from metrics.report.earlier_reports import present_report
from metrics.report.markdown import summary_md
from metrics.report.terminal import report_text
from metrics.report_schema import RunReport
from tests.unit.metrics.made import aggregate, batch, failed, generator, head, html_of, tail, turn

LINES = [
    head(),
    turn(0, fin="stop"),
    turn(1, fin="length", kind="length"),
    turn(2, fin="<tool>", kind="tool_call", tools={"weather": 2, "<b>": 1}, calls=[["weather", "{}"]]),
    turn(3),
    failed(4, code="answer_empty", kind="refusal", fin="stop"),
    generator(1, 10),
    tail(5),
]
ANSWERS = {
    "kinds": {"length": 1, "tool_call": 1, "refusal": 1},
    "finish_reasons": {"stop": 2, "length": 1, "<tool>": 1},
    "tools": {"weather": 2, "<b>": 1},
}


def report(*lines: dict[str, Any]) -> RunReport:
    facts = RunFacts(1, "completed", "t", "s", {"users": 1}, None)
    return build_report(facts, aggregate(*lines))


def test_a_report_counts_kinds_and_reasons_of_all_turns() -> None:
    assert report(*LINES)["answers"] == ANSWERS
    twice = aggregate(*LINES)
    twice.include(aggregate(*LINES))
    assert twice.kinds == {"length": 2, "tool_call": 2, "refusal": 2}
    assert twice.finish_reasons["stop"] == 4
    assert twice.tools == {"weather": 4, "<b>": 2}


def test_each_group_counts_its_own() -> None:
    lines = [line | {"g": number % 2} if line["k"] == "turn" else line for number, line in enumerate(LINES)]
    windows = batch(*lines, groups=2).windows.values()
    parts = [part for data in windows for part in data.get("groups", {}).values()]
    assert sum(sum(part.get("kind", {}).values()) for part in parts) == 3
    assert sum(sum(part.get("tools", {}).values()) for part in parts) == 3


def test_turns_of_the_warm_up_are_in_no_count() -> None:
    windows = batch(*LINES, counted=(10**12, None)).windows.values()
    assert not any({"kind", "fin", "tools"} & data.keys() for data in windows)


def test_lines_of_an_earlier_version_have_neither() -> None:
    assert report(head(), turn(0), tail(1))["answers"] == {"kinds": {}, "finish_reasons": {}, "tools": {}}


@pytest.mark.parametrize(
    "wrong",
    [{"kind": 3}, {"fin": ["stop"]}, {"tools": []}, {"tools": {"a": "b"}}, {"tools": {"a": -1}}, {"calls": "a"}],
)
def test_a_line_whose_word_is_no_text_is_set_aside(wrong: dict[str, Any]) -> None:
    assert len(batch(turn(0), turn(1, **wrong)).quarantined) == 1


def test_words_that_are_too_long_are_cut() -> None:
    found = batch(turn(0, fin="x" * 99, kind="y" * 99)).turns
    assert (found.row("finish_reason"), found.row("kind")) == (["x" * 40], ["y" * 12])


def test_every_text_of_a_report_says_them() -> None:
    found = report(*LINES)
    kinds, reasons = "1 cut by length, 1 tool calls, 1 refusals", "finish reasons: stop 2, length 1, <tool> 1"
    words = f"{kinds}; {reasons}; called tools: weather 2, <b> 1"
    assert answer_words(found) == words
    assert f"answers   {words}" in report_text(found, 160)
    assert "1 cut by length" in summary_md(found) and "&lt;tool>" in summary_md(found)
    assert "&lt;tool&gt;" in html_of(found) and "<tool>" not in html_of(found)


def test_plain_answers_and_old_reports_say_nothing() -> None:
    assert answer_words(report(head(), turn(0, fin="stop"), tail(1))) == ""
    assert answer_rows(present_report({"run": {}})) == []

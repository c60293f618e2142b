"""The kinds of a run's answers and their finish reasons, for people. Pure."""

from __future__ import annotations

from typing import Final

from metrics.number_format import number
from metrics.report_schema import RunReport

REASONS_SHOWN: Final = 6
KIND_LABELS: Final = {
    "tool_call": "tool calls",
    "refusal": "refusals",
    "filtered": "filtered",
    "length": "cut by length",
    "reasoning": "reasoning only",
    "result": "results without text",
    "empty": "empty",
}


def answer_rows(report: RunReport) -> list[tuple[str, str, int]]:
    """The type (a kind or a finish reason), its word, and the number of answers. Empty: all answers are plain text
    without finish reasons."""
    answers = report.get("answers", {})
    kinds = [("kind", KIND_LABELS.get(word, word), n) for word, n in answers.get("kinds", {}).items()]
    return kinds + [("finish reason", word, n) for word, n in answers.get("finish_reasons", {}).items()]


def answer_words(report: RunReport) -> str:
    """For example "12 cut by length, 3 tool calls; finish reasons: stop 85, length 12"; empty if all answers are plain
    text."""
    rows = answer_rows(report)
    kinds = [f"{number(n)} {word}" for what, word, n in rows if what == "kind"]
    reasons = [f"{word} {number(n)}" for what, word, n in rows if what != "kind"]
    if not kinds:
        return ""
    more = ["..."] if len(reasons) > REASONS_SHOWN else []
    shown = f"; finish reasons: {', '.join(reasons[:REASONS_SHOWN] + more)}" if reasons else ""
    return f"{', '.join(kinds)}{shown}"

"""The kinds of a run's answers and their finish reasons, for people. Pure."""

from __future__ import annotations

from typing import Final

from metrics.number_format import number
from metrics.report_schema import RunReport

REASONS_SHOWN: Final = 6
TOOLS_SHOWN: Final = 6
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
    """The type (a kind, a finish reason or a tool), its word, and how often it came. Empty: all answers are plain text
    without finish reasons."""
    answers = report.get("answers", {})
    kinds = [("kind", KIND_LABELS.get(word, word), n) for word, n in answers.get("kinds", {}).items()]
    reasons = [("finish reason", word, n) for word, n in answers.get("finish_reasons", {}).items()]
    return kinds + reasons + [("called tool", word, n) for word, n in answers.get("tools", {}).items()]


def answer_words(report: RunReport) -> str:
    """For example "12 cut by length, 3 tool calls; finish reasons: stop 85, length 12; called tools: weather 3"; empty
    if all answers are plain text and no tool was called."""
    rows = answer_rows(report)
    kinds = [f"{number(n)} {word}" for what, word, n in rows if what == "kind"]
    reasons = [f"{word} {number(n)}" for what, word, n in rows if what == "finish reason"]
    tools = [f"{word} {number(n)}" for what, word, n in rows if what == "called tool"]
    if not kinds and not tools:
        return ""
    parts = [", ".join(kinds)] if kinds else []
    parts += _first("finish reasons", reasons, REASONS_SHOWN) + _first("called tools", tools, TOOLS_SHOWN)
    return "; ".join(parts)


def _first(what: str, words: list[str], most: int) -> list[str]:
    more = ["..."] if len(words) > most else []
    return [f"{what}: {', '.join(words[:most] + more)}"] if words else []

"""The report as a short Markdown summary for a CI job's page or a comment. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from metrics.definitions import find
from metrics.number_format import counted, duration, failed_of, load_s_of, number, run_name, share
from metrics.report.advice import error_rows
from metrics.report.answer_words import answer_words
from metrics.report.bound_words import bounds_note, stat_cells, threshold_words
from metrics.report.change_words import change_lines
from metrics.report.curve_text import capacity_words
from metrics.report.gates import stopped_answering
from metrics.report.group_text import Cells, group_cells, model_cells
from metrics.report.junit import ended_well
from metrics.report.spending_words import budget_words, cost_words
from metrics.report.verdict_words import NOTES_HEAD, verdict_words
from metrics.report_schema import Rates, RunPart, RunReport, Stat, ThresholdResult, Turns
from plain_text.visible import visible

METRICS = ("ttft_ms", "e2e_ms", "e2e_planned_ms", "icl_ms", "tpot_ms", "turn_tokens_per_s")
STATS: Final[tuple[Stat, ...]] = ("p50", "p95", "p99", "max", "count")
ERRORS_SHOWN = 5
ROWS_SHOWN = 20
_SPECIAL = re.compile(r"([\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_]))")
"""What has a meaning in the middle of a line; no text begins one. An underscore between two letters has none."""
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;"})
_NOTHING = "&#8203;"
_NAMED = re.compile(r"(?<=[@#!])(?=\w)|(?<=:)(?=//)|(?<=www)(?=\.)", re.I)
"""Where services look for people, issues, merge requests and addresses; also in text whose markup is escaped."""


def summary_md(report: RunReport) -> str:
    """A heading, the result, the thresholds, the main metrics, and whether the figures can be trusted."""
    return "\n".join(_lines(report)) + "\n"


def headline(report: RunReport) -> str:
    """The result of the run in a few words."""
    run, results = report["run"], report["thresholds"]
    missed = sum(not result["passed"] for result in results)
    if not ended_well(report):
        return f"run {run['status']}"
    if stopped_answering(report):
        return "the target stopped answering"
    if missed:
        return f"{missed} of {len(results)} thresholds missed"
    return f"all {len(results)} thresholds met" if len(results) > 1 else "threshold met" if results else "done"


def _lines(report: RunReport) -> Iterator[str]:
    run, turns, rates = report["run"], report["turns"], report["rates"]
    yield f"## Token-Burn: {headline(report)}"
    yield ""
    yield _what_came_of_it(run, turns, rates)
    if run["reason"]:
        yield from ("", f"**{escape(run['status'])}:** {escape(run['reason'])}")
    if changes := change_lines(report):
        yield from ("", "The load was changed while it ran:", "")
        yield from (f"- {escape(line)}" for line in changes)
    if kinds := answer_words(report):
        yield from ("", f"Answers: {escape(kinds)}")
    cost = cost_words(report.get("cost"))
    for words in (budget_words(report.get("budget")), cost and f"cost: {cost}"):
        if words:
            yield from ("", escape(words))
    for sentence in capacity_words(report):
        yield from ("", escape(sentence))
    if report["thresholds"]:
        rows = [_threshold(result) for result in report["thresholds"]]
        yield from _table(("threshold", "value", "result"), rows, words=1)
    yield from _metrics(report)
    for cells in (group_cells(report), model_cells(report) if len(report.get("models") or ()) > 1 else None):
        if cells is not None:
            yield from _cells(cells)
    if errors := error_rows(report):
        rows = [(escape(code), number(turns), number(sessions)) for code, turns, sessions in errors[:ERRORS_SHOWN]]
        yield from _table(("not ok", "turns", "sessions"), rows, words=1)
    yield ""
    yield from _verdict(report)


def _what_came_of_it(run: RunPart, turns: Turns, rates: Rates) -> str:
    against = f"against {escape(run['target'])}, {escape(run['scenario'])}"
    if run["id"] is None:
        return f"The run {against} did not begin."
    failed = failed_of(turns)
    rate = f" ({share(rates['error_rate'])})" if rates["error_rate"] else ""
    return (
        f"{run_name(run).capitalize()} {against}: {counted(turns['ok'], 'turn')} ok, {number(failed)} failed{rate}, "
        f"in {duration(load_s_of(run))}, {number(rates['turns_per_s'])} turns/s."
    )


def _threshold(result: ThresholdResult) -> Sequence[str]:
    words = threshold_words(result)
    value = words.value.removeprefix("is ")
    return escape(result["expr"]), value, words.result if result["passed"] else f"**{words.result}**"


def _metrics(report: RunReport) -> Iterator[str]:
    rows = []
    for name in METRICS:
        stats, metric = report["metrics"].get(name), find(name)
        if stats and stats["count"] and metric is not None:
            rows.append((f"{metric.label} ({metric.unit})", *stat_cells(stats, STATS)))
    if rows:
        yield from _table(("metric", *STATS), rows, words=1)
    if note := bounds_note(report["metrics"]):
        yield from ("", escape(note))


def _cells(cells: Cells) -> Iterator[str]:
    rows = [tuple(map(escape, row)) for row in cells.rows]
    words = sum(head in {"scenario", "model", "tags"} for head in cells.heads)
    yield from _table(cells.heads, rows[:ROWS_SHOWN], words=words)
    if len(rows) > ROWS_SHOWN:
        yield from ("", f"and {len(rows) - ROWS_SHOWN} more")


def _verdict(report: RunReport) -> Iterator[str]:
    words = verdict_words(report["verdict"])
    if words.tone == "good":
        yield "The figures can be trusted: the generator kept up."
    else:
        yield f"**{words.head}.** {words.sentence}"
        yield ""
    yield from (f"- {escape(reason)}" for reason in words.reasons)
    if words.notes:
        yield from ("", NOTES_HEAD, "")
        yield from (f"- {escape(note)}" for note in words.notes)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> Iterator[str]:
    """After an empty line; the first `words` columns are left-aligned, figures right-aligned. Cells are already
    escaped."""
    yield ""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * words}{'---:|' * (len(heads) - words)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def escape(text: str) -> str:
    """The text as itself: nothing in it becomes markup, another cell, a link or a mention, and nothing is hidden."""
    plain = visible(re.sub(r"[\t\r\n]", " ", text)).translate(_ENTITIES)
    return _SPECIAL.sub(r"\\\1", _NAMED.sub(_NOTHING, plain))

"""The tables of the report as one HTML file, as texts: the template draws them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from metrics.definitions import STATS, find
from metrics.number_format import number
from metrics.report.advice import advice, error_rows
from metrics.report.answer_words import answer_rows
from metrics.report.bound_words import bounds_note, stat_cells, threshold_words
from metrics.report.change_words import change_rows
from metrics.report.curve_text import HEADS, LevelRow, level_rows
from metrics.report.group_text import NAMES, group_cells, model_cells
from metrics.report.terminal import witness_words
from metrics.report_schema import RunReport

WORDS: Final = NAMES | {"what to do", "by", "remarks"}
"""Heads of columns that hold words."""


class Cell(NamedTuple):
    """`tone`: good, bad or none; `below`: small, under it; `title`: shown by a pointer."""

    text: str
    tone: str = ""
    below: str = ""
    title: str = ""


class Row(NamedTuple):
    cells: list[Cell]
    best: bool = False


class Table(NamedTuple):
    """The first column names the row; `words`: heads of those that stand left and break."""

    title: str
    heads: Sequence[str]
    rows: list[Row]
    note: str = ""
    words: frozenset[str] = WORDS


def tables(report: RunReport) -> list[Table]:
    """All of a report but its levels, in their order, without those that have nothing to say."""
    found = (
        _changes(report),
        _metrics(report),
        *_groups(report),
        _thresholds(report),
        _errors(report),
        _answers(report),
        _generator(report),
    )
    return [table for table in found if table.rows or table.title == "Metrics"]


def levels(report: RunReport) -> Table:
    """What was measured at each level of a search or sweep; no rows: there was one load."""
    capacity = report.get("capacity")
    unit = capacity["unit"] if capacity else ""
    rows = [_level(row) for row in level_rows(report)]
    note = "Latencies in ms, measured after each level has settled."
    return Table("", (unit, *HEADS, "result", "remarks"), rows, note)


def _level(row: LevelRow) -> Row:
    remarks = "; ".join(filter(None, [row.places, row.says]))
    return Row([*_texts([row.level, *row.cells.values()]), Cell(row.mark, row.mark), Cell(remarks)], row.capacity)


def _texts(texts: Iterable[str]) -> list[Cell]:
    return [Cell(text) for text in texts]


def _changes(report: RunReport) -> Table:
    rows = [Row(_texts(row)) for row in change_rows(report)]
    return Table("Changes of the load", ("from", "level", "by"), rows)


def _metrics(report: RunReport) -> Table:
    rows = []
    for name, values in report["metrics"].items():
        if values["count"]:
            metric = find(name)
            formula, meaning = (metric.formula, metric.help) if metric else ("", "")
            rows.append(Row([Cell(name, below=formula, title=meaning), *_texts(stat_cells(values, STATS))]))
    note = f"_ms: milliseconds. Latencies exclude failed turns. {bounds_note(report['metrics'])}".strip()
    return Table("Metrics", ("metric", *STATS), rows, note)


def _groups(report: RunReport) -> Iterator[Table]:
    """What each scenario and model came to."""
    for title, cells in (("Groups", group_cells(report)), ("Models", model_cells(report))):
        if cells is not None:
            yield Table(title, cells.heads, [Row(_texts(row)) for row in cells.rows])


def _thresholds(report: RunReport) -> Table:
    rows = []
    for result in report["thresholds"]:
        words = threshold_words(result)
        tone = "good" if result["passed"] else "bad"
        rows.append(Row([Cell(result["expr"]), Cell(words.value.removeprefix("is ")), Cell(words.result, tone)]))
    return Table("Thresholds", ("threshold", "value", "result"), rows)


def _errors(report: RunReport) -> Table:
    found = error_rows(report)
    rows = [Row(_texts([code, number(turns), number(sessions), advice(code)])) for code, turns, sessions in found]
    return Table("Errors", ("code", "turns", "sessions", "what to do"), rows)


def _answers(report: RunReport) -> Table:
    rows = [Row(_texts([what, word, number(count)])) for what, word, count in answer_rows(report)]
    note = (
        "Kinds of answers other than plain text, finish reasons as reported by the target, and how often each tool was"
        " called."
    )
    return Table("Answers", ("property", "value", "count"), rows, note, frozenset({"value"}))


def _generator(report: RunReport) -> Table:
    facts = report["generator"]
    lag, loop = facts["send_lag_ms"], facts["loop_lag_ms"]
    rows = [
        Row(_texts(row))
        for row in (
            ("processes", number(facts["processes"])),
            ("CPU, s", number(facts["cpu_s"])),
            ("CPU a turn, us", number(facts["cpu_us_per_turn"])),
            ("timestamps", facts["timestamps"] or "-"),
            ("send lag p50 / p99 / max, ms", " / ".join(number(lag[stat]) for stat in ("p50", "p99", "max"))),
            ("loop lag p99 / max, ms", " / ".join(number(loop[stat]) for stat in ("p99", "max"))),
            ("memory, MB", number(facts["rss_mb"])),
            ("witness", witness_words(report) or "none"),
        )
    ]
    return Table("Generator", ("fact", "value"), rows, words=frozenset({"value"}))

"""The report as one HTML file that needs nothing else: no script, nothing from elsewhere, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from metrics.advice import advice
from metrics.answer_words import answer_rows
from metrics.bound_words import bounds_note, stat_cells, threshold_words
from metrics.change_words import change_rows
from metrics.curve_text import level_text
from metrics.definitions import STATS, find
from metrics.group_text import NAMES, Cells, group_cells, model_cells
from metrics.patience import patience_tiles
from metrics.spending_words import budget_tiles, cost_words
from metrics.text import witness_words
from metrics.verdict_words import NOTES_HEAD, verdict_words
from metrics.words import number, run_name
from runs.display import load_text, moment_text
from tokenburn_site.burn.charts import Mark, chart
from tokenburn_site.burn.curve_html import curve_section

Report = Mapping[str, Any]
ADVICE = "what to do"
TEXT = ' class="text"'
WORDS = NAMES | {ADVICE}
"""Heads of columns that hold words."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #5d6878; --line: #dde2e9; --paper: #fff; --card: #f6f8fa;
  --a: #2563eb; --b: #d97706; --good: #15803d; --bad: #b91c1c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --quiet: #97a3b4; --line: #303a48; --paper: #12161c;
  --card: #1a2029; --a: #7aa7ff; --b: #f0b35a; --good: #5ec98a; --bad: #ff8f8f; } }
* { box-sizing: border-box } body { margin: 0 auto; max-width: 1080px; padding: 24px; color: var(--ink);
  background: var(--paper); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 24px; margin: 0 } h2 { font-size: 17px; margin: 32px 0 8px } p { margin: 4px 0 }
.quiet { color: var(--quiet) } .good { color: var(--good) } .bad { color: var(--bad) }
.verdict { border-left: 4px solid; padding: 8px 16px; margin: 20px 0; background: var(--card) }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 12px; margin: 20px 0 }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px }
.tile b { display: block; font-size: 21px; font-variant-numeric: tabular-nums }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap;
  font-variant-numeric: tabular-nums } th:first-child, td:first-child, .text { text-align: left }
td.text, th.text { white-space: normal; overflow-wrap: anywhere; min-width: 9em }
.formula { display: block; font-size: 12px; color: var(--quiet); font-weight: 400 }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 16px }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px }
svg { width: 100%; height: auto; display: block } svg text { fill: var(--quiet); font: 11px system-ui, sans-serif }
svg .grid { stroke: var(--line) } svg .s0 { stroke: var(--a) } svg .s1 { stroke: var(--b) } svg path { fill: none;
  stroke-width: 1.6 } .k0 { color: var(--a) } .k1 { color: var(--b) }
svg .d0 { fill: var(--a) } svg .d1 { fill: var(--b) } svg line.mark { stroke: var(--good); stroke-dasharray: 4 3 }
.time line.mark { stroke: var(--quiet) } .time text.mark { fill: var(--quiet) }
svg text.mark { fill: var(--good); paint-order: stroke; stroke: var(--card); stroke-width: 3px }
tr.best { background: var(--card); font-weight: 600 } .charts + .scroll { margin-top: 16px }
"""
CHARTS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("Time to first token, ms", (("p50", "ttft_p50_ms"), ("p95", "ttft_p95_ms"))),
    ("End to end, ms", (("p50", "e2e_p50_ms"), ("p95", "e2e_p95_ms"))),
    ("Turns per second", (("ok", "turns_per_s"), ("failed", "failed_per_s"))),
    ("Active sessions", (("active", "active_sessions"),)),
)


def report_html(report: Report) -> str:
    """A whole HTML document."""
    run = report["run"]
    title = f"{run_name(run).capitalize()}: {run['target']}"
    parts = (
        _head,
        _verdict,
        _tiles,
        curve_section,
        _charts,
        _metrics,
        _groups,
        _thresholds,
        _errors,
        _answers,
        _generator,
    )
    body = "\n".join(part(report) for part in parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _head(report: Report) -> str:
    run = report["run"]
    why = f'<p class="bad">{escape(run["reason"])}</p>' if run.get("reason") else ""
    return (
        f"<h1>{escape(run_name(run).capitalize())}: {escape(run['status'])}</h1>{why}"
        f"<p>{escape(run['target'])}, {escape(run['scenario'])}</p>"
        f'<p class="quiet">{escape(load_text(run["load"]))}; started {escape(_moment(run["started_at"]))}, '
        f"{number(run['duration_s'])} s from the first message to the last answer</p>"
    )


def _moment(started_at: str | None) -> str:
    return moment_text(datetime.fromisoformat(started_at)) if started_at else "never"


def _verdict(report: Report) -> str:
    words = verdict_words(report["verdict"])
    notes = f"<p>{NOTES_HEAD}</p>{_list(words.notes)}" if words.notes else ""
    return (
        f'<section class="verdict"><b class="{words.tone}">{escape(words.head)}.</b> {escape(words.sentence)}'
        f"{_list(words.reasons)}{notes}</section>"
    )


def _list(texts: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul>{items}</ul>" if items else ""


def _tiles(report: Report) -> str:
    turns, sessions, rates, tokens = report["turns"], report["sessions"], report["rates"], report["tokens"]
    given, made = (
        " (estimated)" if tokens.get(f"{side}_source", tokens["source"]) in {"estimate", "mixed"} else ""
        for side in ("input", "output")
    )
    rate = rates["error_rate"]
    facts = [
        ("ok turns", number(turns["ok"])),
        ("failed", "-" if rate is None else f"{rate:.2%}"),
        ("aborted", number(turns["aborted"])),
        ("unknown", number(turns["unknown"])),
        ("turns per second", number(rates["turns_per_s"])),
        ("sessions started", number(sessions["started"])),
        ("sessions completed", number(sessions["completed"])),
        ("sessions failed", number(sessions["failed"])),
        (f"output tokens per second{made}", number(rates["output_tokens_per_s"])),
        (f"output tokens{made}", number(tokens["output"])),
        (f"input tokens{given}", number(tokens["input"])),
        ("dropped arrivals", number(report["dropped_arrivals"])),
        ("unsolicited messages", number(report.get("unsolicited"))),
        *((label.lower(), number(value)) for label, value in patience_tiles(report.get("patience"))),
        *((f"budget: {label}", value) for label, value, _ in budget_tiles(report.get("budget"))),
        *([("cost", cost)] if (cost := cost_words(report.get("cost"))) else []),
    ]
    return f'<section class="tiles">{"".join(_tile(label, value) for label, value in facts)}</section>'


def _tile(label: str, value: str) -> str:
    return f'<div class="tile"><b>{escape(value)}</b><span class="quiet">{escape(label)}</span></div>'


def _charts(report: Report) -> str:
    series = report["series"]
    end = max(series["at_s"], default=0)
    changes = [Mark(change["at_s"], level_text(change["level"])) for change in report.get("load_changes") or ()]
    marks = [mark for mark in changes if mark.at <= end]
    figures = []
    for title, lines in CHARTS:
        drawn = [(label, series[key]) for label, key in lines]
        figures.append(f"<figure>{_legend(title, drawn)}{chart(title, series['at_s'], drawn, marks=marks)}</figure>")
    return f'<h2>Over time</h2><section class="charts time">{"".join(figures)}</section>{_changes(report)}'


def _changes(report: Report) -> str:
    rows = change_rows(report)
    if not rows:
        return ""
    return _table("Changes of the load", ["from", "level", "by"], [_row(map(escape, row)) for row in rows])


def _legend(title: str, lines: Sequence[tuple[str, Any]]) -> str:
    keys = " ".join(f'<span class="k{i}">{escape(label)}</span>' for i, (label, _) in enumerate(lines))
    return f"<figcaption>{escape(title)} {keys}</figcaption>"


def _metrics(report: Report) -> str:
    rows = []
    for name, values in report["metrics"].items():
        if values["count"]:
            metric = find(name)
            says = f'<span class="formula">{escape(metric.formula)}</span>' if metric else ""
            title = escape(metric.help) if metric else ""
            first = f'<th scope="row" title="{title}">{escape(name)}{says}</th>'
            rows.append(f"<tr>{first}{''.join(f'<td>{cell}</td>' for cell in stat_cells(values, STATS))}</tr>")
    note = f"_ms: milliseconds. Failed turns are in no latency. {bounds_note(report['metrics'])}".strip()
    return _table("Metrics", ["metric", *STATS], rows, note)


def _groups(report: Report) -> str:
    """What each scenario and model came to."""
    tables = ("Groups", group_cells(report)), ("Models", model_cells(report))
    return "".join(_table(title, cells.heads, _worded(cells)) for title, cells in tables if cells is not None)


def _worded(cells: Cells) -> list[str]:
    """Rows whose words stand to the left."""
    marks = [TEXT if head in WORDS else "" for head in cells.heads]
    return [
        f"<tr>{''.join(f'<td{mark}>{escape(cell)}</td>' for mark, cell in zip(marks, row, strict=True))}</tr>"
        for row in cells.rows
    ]


def _thresholds(report: Report) -> str:
    rows = []
    for result in report["thresholds"]:
        words, tone = threshold_words(result), "good" if result["passed"] else "bad"
        value = words.value.removeprefix("is ")
        rows.append(_row([escape(result["expr"]), value, f'<span class="{tone}">{words.result}</span>']))
    return _table("Thresholds", ["threshold", "value", "result"], rows) if rows else ""


def _errors(report: Report) -> str:
    rows = [
        f'<tr><td>{escape(code)}</td><td>{number(count)}</td><td class="text">{escape(advice(code))}</td></tr>'
        for code, count in report["errors"].items()
    ]
    return _table("Errors", ["code", "turns", ADVICE], rows) if rows else ""


def _answers(report: Report) -> str:
    rows = [
        f'<tr><td>{escape(what)}</td><td class="text">{escape(word)}</td><td>{number(count)}</td></tr>'
        for what, word, count in answer_rows(report)
    ]
    note = "Kinds of answers that are not plain text, and why answers ended, as the target said it."
    return _table("Answers", ["answers", "word", "turns"], rows, note) if rows else ""


def _generator(report: Report) -> str:
    facts = report["generator"]
    lag, loop = facts["send_lag_ms"], facts["loop_lag_ms"]
    rows = [
        _row([escape(label), value])
        for label, value in (
            ("processes", number(facts["processes"])),
            ("CPU, s", number(facts["cpu_s"])),
            ("CPU a turn, us", number(facts["cpu_us_per_turn"])),
            ("time stamps", escape(facts["timestamps"] or "-")),
            ("send lag p50 / p99 / max, ms", " / ".join(number(lag[stat]) for stat in ("p50", "p99", "max"))),
            ("loop lag p99 / max, ms", " / ".join(number(loop[stat]) for stat in ("p99", "max"))),
            ("memory, MB", number(facts["rss_mb"])),
            ("witness", escape(witness_words(report)) or "none"),
        )
    ]
    return _table("Generator", ["", ""], rows)


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _table(title: str, heads: Sequence[str], rows: Sequence[str], note: str = "") -> str:
    """Cells and rows come escaped."""
    head = "".join(f"<th{TEXT if text in WORDS else ''}>{escape(text)}</th>" for text in heads)
    says = f'<p class="quiet">{escape(note)}</p>' if note else ""
    return (
        f'<h2>{escape(title)}</h2><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>{says}"
    )

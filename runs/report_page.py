"""The stored report as tables: labels, units and rounding for people. The numbers are the report's own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

from metrics.answer_words import answer_rows
from metrics.bound_words import bounds_note, stat_cells, threshold_words
from metrics.curve_text import HEADS, capacity_words, level_rows
from metrics.definitions import STATS, find
from metrics.group_text import NAMES, Cells, group_cells, model_cells, name_cells
from metrics.patience import patience_tiles
from metrics.spending_words import budget_tiles, cost_words
from metrics.text import witness_words
from metrics.verdict_words import NOTES_HEAD, verdict_words
from metrics.words import load_s_of
from runs.display import seconds_text
from runs.engine.groups import frozen_groups
from runs.models import Run
from runs.series import curve_charts, report_charts

OUTCOMES = ("ok", "error", "timeout", "aborted", "unknown")
ESTIMATED = {"estimate", "mixed"}
NONE = "\N{EN DASH}"


class Row(NamedTuple):
    label: str
    title: str
    cells: list[str]


class Fact(NamedTuple):
    label: str
    value: str
    tone: str = ""


def _shards(shards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row an engine; none where there is but one that ended well, of which there is nothing to say."""
    if len(shards) < 2 and all(shard.get("stored") for shard in shards):
        return []
    return [{**shard, "number": shard["index"] + 1, "turns": number(shard["turns"])} for shard in shards]


def report_context(run: Run) -> dict[str, Any]:
    """What runs/report_body.html draws; `report` is None while there is none."""
    report = run.report
    if report is None:
        return {"report": None}
    turns, sessions, measured = report.get("turns", {}), report.get("sessions", {}), report.get("metrics", {})
    return {
        "report": report,
        "verdict": verdict_words(report.get("verdict", {})),
        "notes_head": NOTES_HEAD,
        "facts": _facts(report),
        "turns": [Fact(word, number(turns.get(word)), _tone(word, turns.get(word))) for word in ("sent", *OUTCOMES)],
        "sessions": [Fact(word, number(value)) for word, value in sessions.items()],
        "stats": [*STATS],
        "metrics": [_metric_row(name, found) for name, found in measured.items() if found.get("count")],
        "charts": report_charts(report.get("series", {})),
        "capacity_words": capacity_words(report),
        "levels": level_rows(report),
        "level_heads": HEADS,
        "curve": curve_charts(report),
        "load_changes": report.get("load_changes", []),
        "shards": _shards(report.get("shards", [])),
        "answers": answer_rows(report),
        "errors": sorted(report.get("errors", {}).items(), key=lambda item: (-item[1], item[0])),
        "parts": [
            {"id": name, "title": title, "heads": _heads(cells), "rows": [_words(cells, row) for row in cells.rows]}
            for name, title, cells in (
                ("groups", "Groups", group_cells(report)),
                ("models", "Models", model_cells(report)),
            )
            if cells is not None
        ],
        "thresholds": [
            {"expr": t["expr"], "passed": t["passed"], **threshold_words(t, number)._asdict()}
            for t in report.get("thresholds", [])
        ],
        "bounds_note": bounds_note(measured),
        "generator": [*_generator(report.get("generator", {})), Fact("witness", witness_words(report) or "none")],
        "estimated": report.get("tokens", {}).get("source") in ESTIMATED,
    }


def group_names(run: Run) -> dict[str, Any] | None:
    """What the live page calls the groups of a run, by number; None where there is but one. Its ticks give numbers."""
    groups = frozen_groups(run.scenario_specs, run.load, run.target_spec)
    if len(groups) < 2:
        return None
    return name_cells([asdict(group) for group in groups])._asdict()


def _heads(cells: Cells) -> list[tuple[str, bool]]:
    """Each head, and whether its column holds words."""
    return [(head, head in NAMES) for head in cells.heads]


def _words(cells: Cells, row: tuple[str, ...]) -> list[tuple[str, bool]]:
    return [(cell, head in NAMES) for head, cell in zip(cells.heads, row, strict=True)]


def number(value: Any) -> str:
    """Three significant figures at least, no more digits than a person reads."""
    if value is None:
        return NONE
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}"


def _facts(report: dict[str, Any]) -> list[Fact]:
    run, rates, tokens = report.get("run", {}), report.get("rates", {}), report.get("tokens", {})
    either, given, made = (
        " (estimate)" if tokens.get(key, tokens.get("source")) in ESTIMATED else ""
        for key in ("source", "input_source", "output_source")
    )
    return [
        Fact("Load lasted", seconds_text(load_s_of(run))),
        Fact("First message to last answer", seconds_text(run.get("duration_s") or 0)),
        Fact("Turns per second", number(rates.get("turns_per_s"))),
        Fact("Sessions per minute", number(rates.get("sessions_per_min"))),
        Fact("Sessions ended per minute", number(rates.get("conversations_per_min"))),
        Fact(f"Output tokens per second{made}", number(rates.get("output_tokens_per_s"))),
        Fact(f"Tokens per second{either}", number(rates.get("tokens_per_s"))),
        Fact(f"Tokens in{given}", number(tokens.get("input"))),
        Fact(f"Tokens out{made}", number(tokens.get("output"))),
        Fact("Dropped arrivals", number(report.get("dropped_arrivals")), _tone("", report.get("dropped_arrivals"))),
        Fact("Unsolicited messages", number(report.get("unsolicited")), _tone("", report.get("unsolicited"))),
        *(Fact(label, number(value)) for label, value in patience_tiles(report.get("patience"))),
        *(Fact(f"Budget: {label}", value) for label, value, _ in budget_tiles(report.get("budget"))),
        *([Fact("Cost", cost)] if (cost := cost_words(report.get("cost"))) else []),
    ]


def _tone(word: str, value: Any) -> str:
    return "" if word in {"sent", "ok"} or not value else "bad"


def _metric_row(name: str, values: dict[str, Any]) -> Row:
    metric = find(name)
    label = f"{metric.label} ({metric.unit})" if metric else name
    title = f"{name} = {metric.formula}. {metric.help}" if metric else name
    return Row(label, title, stat_cells(values, STATS, number))


def _generator(facts: dict[str, Any]) -> list[Fact]:
    """Every figure about the generator itself, nested ones flattened: `send_lag_ms.p99`."""
    flat: list[Fact] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            flat += [Fact(f"{name}.{part}", number(inner)) for part, inner in value.items()]
        else:
            flat.append(Fact(name, number(value)))
    return flat

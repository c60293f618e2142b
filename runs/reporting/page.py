"""The stored report as tables with labels, units and rounding. The numbers are the report's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from metrics.analysis.patience import patience_tiles
from metrics.analysis.spending import ESTIMATED
from metrics.definitions import STATS, find
from metrics.number_format import duration, load_s_of, number
from metrics.report.advice import advice, error_rows
from metrics.report.answer_words import answer_rows
from metrics.report.bound_words import bounds_note, stat_cells, threshold_words
from metrics.report.charts import OVER_LOAD, time_columns
from metrics.report.curve_text import HEADS, capacity_words, level_rows
from metrics.report.group_text import NAMES, Cells, group_cells, model_cells, name_cells
from metrics.report.spending_words import budget_tiles, cost_words
from metrics.report.terminal import SESSION_WORDS, witness_words
from metrics.report.verdict_words import NOTES_HEAD, verdict_words
from metrics.report_schema import GroupNames, Outcome, RunReport, ShardPart, Stats
from runs.load.groups import frozen_groups
from runs.models import Run
from runs.reporting.chart_series import curve_charts

TURN_WORDS: Final[tuple[Literal["sent", Outcome], ...]] = ("sent", "ok", "error", "timeout", "aborted", "unknown")


class Row(NamedTuple):
    label: str
    title: str
    cells: list[str]


class Fact(NamedTuple):
    label: str
    value: str
    tone: str = ""


def _shards(shards: list[ShardPart]) -> list[dict[str, Any]]:
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
        "turns": [Fact(word, number(turns.get(word)), _tone(word, turns.get(word))) for word in TURN_WORDS],
        "sessions": [Fact(word, number(sessions[word])) for word in SESSION_WORDS if word in sessions],
        "stats": [*STATS],
        "metrics": [_metric_row(name, found) for name, found in measured.items() if found.get("count")],
        "charts": time_columns(report.get("series", {})),
        "capacity_words": capacity_words(report),
        "levels": level_rows(report),
        "level_heads": HEADS,
        "curve": curve_charts(report),
        "load_charts": OVER_LOAD,
        "load_changes": report.get("load_changes", []),
        "shards": _shards(report.get("shards", [])),
        "answers": [(what, word, number(count)) for what, word, count in answer_rows(report)],
        "errors": _errors(report),
        "parts": _parts(report),
        "thresholds": _thresholds(report),
        "bounds_note": bounds_note(measured),
        "generator": [*_generator(report.get("generator", {})), Fact("witness", witness_words(report) or "none")],
        "estimated": report.get("tokens", {}).get("source") in ESTIMATED,
    }


def _errors(report: RunReport) -> list[tuple[str, str, str, str]]:
    """Each code with its turns, its sessions and what to do."""
    return [(code, number(turns), number(sessions), advice(code)) for code, turns, sessions in error_rows(report)]


def _parts(report: RunReport) -> list[dict[str, Any]]:
    """The tables of groups and of models, of those that the report has."""
    tables = (("groups", "Groups", group_cells(report)), ("models", "Models", model_cells(report)))
    return [
        {"id": name, "title": title, "heads": _heads(cells), "rows": [_words(cells, row) for row in cells.rows]}
        for name, title, cells in tables
        if cells is not None
    ]


def _thresholds(report: RunReport) -> list[dict[str, Any]]:
    found = report.get("thresholds", [])
    return [{"expr": t["expr"], "passed": t["passed"], **threshold_words(t)._asdict()} for t in found]


def group_names(run: Run) -> dict[str, Any] | None:
    """What the live page calls the groups of a run, by number; None where there is but one. Its ticks give numbers."""
    groups = frozen_groups(run.scenario_specs, run.load, run.target_spec)
    if len(groups) < 2:
        return None
    names: list[GroupNames] = [
        {"scenario": group.scenario, "model": group.model, "tags": dict(group.tags)} for group in groups
    ]
    return name_cells(names)._asdict()


def _heads(cells: Cells) -> list[tuple[str, bool]]:
    """Each head, and whether its column holds words."""
    return [(head, head in NAMES) for head in cells.heads]


def _words(cells: Cells, row: tuple[str, ...]) -> list[tuple[str, bool]]:
    return [(cell, head in NAMES) for head, cell in zip(cells.heads, row, strict=True)]


def _facts(report: RunReport) -> list[Fact]:
    run, rates, tokens = report.get("run", {}), report.get("rates", {}), report.get("tokens", {})
    either, given, made = (
        " (estimate)" if tokens.get(key, tokens.get("source")) in ESTIMATED else ""
        for key in ("source", "input_source", "output_source")
    )
    return [
        Fact("Load lasted", duration(load_s_of(run))),
        Fact("First message to last answer", duration(run.get("duration_s") or 0)),
        Fact("Turns per second", number(rates.get("turns_per_s"))),
        Fact("Sessions per minute", number(rates.get("completed_sessions_per_min"))),
        Fact("Sessions ended per minute", number(rates.get("ended_sessions_per_min"))),
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


def _metric_row(name: str, values: Stats) -> Row:
    metric = find(name)
    label = f"{metric.label} ({metric.unit})" if metric else name
    title = f"{name} = {metric.formula}. {metric.help}" if metric else name
    return Row(label, title, stat_cells(values, STATS))


def _generator(facts: Mapping[str, object]) -> list[Fact]:
    """Every figure about the generator itself, nested ones flattened: `send_lag_ms.p99`."""
    flat: list[Fact] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            flat += [Fact(f"{name}.{part}", _shown(inner)) for part, inner in value.items()]
        else:
            flat.append(Fact(name, _shown(value)))
    return flat


def _shown(value: Any) -> str:
    """Figures as people read them, words as they are."""
    return value if isinstance(value, str) else number(value)

"""Writes the report as one HTML file. Templates escape all texts, and the file's policy lets nothing run or load."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from metrics.analysis.patience import patience_tiles
from metrics.analysis.spending import ESTIMATED, source_of
from metrics.number_format import duration, exact, number, run_name, share
from metrics.report.charts import OVER_LOAD, OVER_TIME, load_columns, time_columns
from metrics.report.curve_text import capacity_words, marks
from metrics.report.html import plot
from metrics.report.html.plot import Mark, Plot
from metrics.report.html.tables import levels, tables
from metrics.report.spending_words import budget_tiles, cost_words
from metrics.report.verdict_words import NOTES_HEAD, verdict_words
from metrics.report_schema import RunReport, Side

SIDES: Final[tuple[Side, ...]] = ("input", "output")
TEMPLATES: Final = Path(__file__).parent / "templates"
_SIZES: Final = {name.lower(): getattr(plot, name) for name in ("WIDTH", "HEIGHT", "LEFT", "RIGHT", "TOP", "BOTTOM")}


def report_html(report: RunReport, load: str, started: str) -> str:
    """A whole HTML document. `load`, `started`: the run's load and the moment of its start in words; empty: it has
    never started."""
    style = _style()
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    html: str = _template().render(policy=policy, style=style, **_context(report, load, started))
    return html


@cache
def _template() -> Any:
    found = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    found.globals |= {"zip": zip, **_SIZES}
    return found.get_template("report.html")


@cache
def _style() -> str:
    return (TEMPLATES / "report.css").read_text(encoding="utf-8")


def _context(report: RunReport, load: str, started: str) -> dict[str, Any]:
    run = report["run"]
    name = run_name(run).capitalize()
    lasted = f"{duration(run['duration_s'])} from the first message to the last answer"
    return {
        "title": f"{name}: {run['target']}",
        "head": f"{name}: {run['status']}",
        "reason": run.get("reason") or "",
        "subject": f"{run['target']}, {run['scenario']}",
        "course": f"{load}; started {started or 'never'}, {lasted}",
        "verdict": verdict_words(report["verdict"]),
        "notes_head": NOTES_HEAD,
        "tiles": [{"label": label, "value": value} for label, value in _tiles(report)],
        "capacity": capacity_words(report),
        "load_plots": _load_plots(report),
        "levels": levels(report),
        "time_plots": _time_plots(report),
        "tables": tables(report),
    }


def _tiles(report: RunReport) -> list[tuple[str, str]]:
    turns, sessions, rates, tokens = report["turns"], report["sessions"], report["rates"], report["tokens"]
    given, made = (" (estimated)" if source_of(tokens, side) in ESTIMATED else "" for side in SIDES)
    return [
        ("ok turns", number(turns["ok"])),
        ("failed", share(rates["error_rate"])),
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


def _time_plots(report: RunReport) -> list[Plot]:
    columns = time_columns(report["series"])
    end = max(report["series"]["at_s"], default=0)
    changes = [Mark(change["at_s"], exact(change["level"])) for change in report.get("load_changes") or ()]
    named = [mark for mark in changes if mark.at <= end]
    return [plot.over_time(chart, columns[chart.name], named) for chart in OVER_TIME]


def _load_plots(report: RunReport) -> list[Plot]:
    columns, capacity = load_columns(report), report.get("capacity")
    if columns is None or capacity is None:
        return []
    named = [Mark(at, name) for at, name in marks(capacity)]
    return [plot.over_load(chart, columns[chart.name], capacity["unit"], named) for chart in OVER_LOAD]

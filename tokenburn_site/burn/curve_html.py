"""The part of the HTML report that shows several loads: charts over load with capacity and knee, and the levels."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from metrics.curve import Columns, columns
from metrics.curve_text import HEADS, LevelRow, capacity_words, level_rows, marks
from tokenburn_site.burn.charts import Mark, chart

Report = Mapping[str, Any]
CURVES: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("Turns per second", (("ok", "turns_per_s"),)),
    ("Failed turns, %", (("failed", "failed"),)),
    ("Time to first token, ms", (("p50", "ttft_p50"), ("p95", "ttft_p95"))),
    ("End to end, ms", (("p50", "e2e_p50"), ("p95", "e2e_p95"))),
)
"""Titles, and the lines of each by their column."""


def curve_section(report: Report) -> str:
    """Empty for a run with one load."""
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in capacity_words(report))
    rows = level_rows(report)
    if not rows:
        return f"<h2>Over load</h2>{said}" if said else ""
    unit, found = report["capacity"]["unit"], columns(report["load_curve"])
    named = [Mark(at, name) for at, name in marks(report)]
    figures = "".join(_figure(title, lines, found, unit, named) for title, lines in CURVES)
    head = "".join(f"<th>{escape(text)}</th>" for text in (unit, *HEADS))
    body = "".join(map(_row, rows))
    return (
        f'<h2>Over load</h2><section class="verdict">{said}</section><section class="charts">{figures}</section>'
        f'<div class="scroll"><table><thead><tr>{head}<th></th><th class="text"></th></tr></thead>'
        f'<tbody>{body}</tbody></table></div><p class="quiet">Latencies in ms; each level from when it had settled.</p>'
    )


def _row(row: LevelRow) -> str:
    cells = "".join(f"<td>{row.cells[name]}</td>" for name in HEADS)
    return (
        f"<tr{' class=best' if row.capacity else ''}><td>{row.level}</td>{cells}"
        f'<td class="{row.mark or "quiet"}">{row.mark}</td><td class="text">{_says(row.places, row.says)}</td></tr>'
    )


def _says(places: str, says: str) -> str:
    strong = f"<b>{escape(places)}</b> " if places else ""
    return f"{strong}{escape(says)}"


def _figure(title: str, lines: tuple[tuple[str, str], ...], found: Columns, unit: str, named: list[Mark]) -> str:
    drawn = [(label, getattr(found, name)) for label, name in lines]
    keys = " ".join(f'<span class="k{i}">{escape(label)}</span>' for i, (label, _) in enumerate(drawn))
    image = chart(f"{title} over {unit}", found.level, drawn, unit, named)
    return f"<figure><figcaption>{escape(title)} {keys}</figcaption>{image}</figure>"

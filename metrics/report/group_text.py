"""Cells for a report's groups and models, for terminal, HTML file, report page and Markdown summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from metrics.analysis.spending import ESTIMATED, source_of
from metrics.analysis.threshold_status import ThresholdStatus
from metrics.number_format import TITLE, failed_of, number, numbers, share
from metrics.report.bound_words import value_words
from metrics.report_schema import GroupNames, PartFigures, RunReport, Side, Stat, Tokens

NAMES = frozenset({"scenario", "model", "tags"})
NAMED: Final[tuple[Literal["scenario", "model"], ...]] = ("scenario", "model")
LATENCIES = ("ttft_ms", "e2e_ms")
STATS_SHOWN: Final[tuple[Stat, ...]] = ("p50", "p95")
TIMES = tuple(f"{name.removesuffix('_ms')} {stat}" for name in LATENCIES for stat in STATS_SHOWN)
WIDE = 110
"""Columns of a terminal from which on every column has room."""
ROWS_SHOWN = 20


class Cells(NamedTuple):
    """A table: heads, and for each row as many texts. The columns in NAMES are words, the others figures."""

    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]


def group_cells(report: RunReport) -> Cells | None:
    """The figures of each group; None for a run with one. Columns that are equal for all groups are left out."""
    parts = report.get("groups") or ()
    if len(parts) < 2:
        return None
    named = name_cells(parts)
    heads = (*named.heads, "turns", "failed", "turns/s", *TIMES)
    rates = numbers([part["rates"]["turns_per_s"] for part in parts])
    rows = [
        (*words, _turns(part), share(part["error_rate"]), rate, *times)
        for words, part, rate, times in zip(named.rows, parts, rates, _times(parts), strict=True)
    ]
    return Cells(heads, rows)


def name_cells(parts: Sequence[GroupNames]) -> Cells:
    """What distinguishes the groups, and these words of each; `parts` have scenario, model and tags."""
    named = [name for name in NAMED if len({part[name] for part in parts}) > 1]
    tagged = any(part["tags"] for part in parts)
    rows = []
    for part in parts:
        tags = [" ".join(f"{key}={value}" for key, value in sorted(part["tags"].items()))] if tagged else []
        rows.append((*(part[name] for name in named), *tags))
    return Cells((*named, *(["tags"] if tagged else [])), rows)


def model_cells(report: RunReport) -> Cells | None:
    """Requests and answers of each model; None if the target names none."""
    parts = report.get("models") or ()
    if not parts:
        return None
    heads = ("model", "sessions", "turns", "failed", "tokens in", "tokens out", *TIMES)
    rows = []
    for part, times in zip(parts, _times(parts), strict=True):
        tokens = part["tokens"]
        used = (_tokens(tokens, "input"), _tokens(tokens, "output"))
        sessions = number(part["sessions"]["started"])
        rows.append((part["model"], sessions, _turns(part), share(part["error_rate"]), *used, *times))
    return Cells(heads, rows)


def _tokens(tokens: Tokens, side: Side) -> str:
    return f"{number(tokens[side])}{' (estimate)' if source_of(tokens, side) in ESTIMATED else ''}"


def _turns(part: PartFigures) -> str:
    turns = part["turns"]
    return number(turns["ok"] + failed_of(turns))


def _times(parts: Sequence[PartFigures]) -> Iterator[tuple[str, ...]]:
    """The cells of TIMES, a row for each part."""
    columns = (numbers([_time(part, name, stat) for part in parts]) for name in LATENCIES for stat in STATS_SHOWN)
    return zip(*columns, strict=True)


def _time(part: PartFigures, name: str, stat: Stat) -> float | None:
    stats = part["metrics"].get(name)
    return stats[stat] if stats else None


def group_parts(report: RunReport, width: int) -> Iterator[RenderableType]:
    """For a terminal: the figures of each scenario and model, if there are several."""
    tables = [("groups", group_cells(report))]
    if len(report.get("models") or ()) > 1:
        tables.append(("models", model_cells(report)))
    for title, cells in tables:
        if cells is not None:
            yield Text(f"\n{title}", style=TITLE)
            yield _table(cells, width)


def _table(cells: Cells, width: int) -> Table:
    shown = [place for place, head in enumerate(cells.heads) if width >= WIDE or head not in {"turns/s", "ttft p50"}]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for place in shown:
        words = cells.heads[place] in NAMES
        table.add_column(
            cells.heads[place],
            justify="left" if words else "right",
            no_wrap=not words,
            overflow="ellipsis" if words else "fold",
        )
    for row in cells.rows[:ROWS_SHOWN]:
        table.add_row(*(Text(row[place]) for place in shown))
    if len(cells.rows) > ROWS_SHOWN:
        table.caption = f"and {len(cells.rows) - ROWS_SHOWN} more: --json and --html have them all"
        table.caption_justify = "left"
    return table


def status_words(found: Sequence[ThresholdStatus], *, missed_only: bool = True) -> str:
    """How thresholds stand, in a few words for one line; empty without thresholds."""
    if not found:
        return ""
    missed = [f"{one['expr']} ({value_words(one).removeprefix('is ')})" for one in found if one["state"] == "missed"]
    if missed or missed_only:
        return f"missed {', '.join(missed)}" if missed else ""
    early = sum(one["state"] == "early" for one in found)
    return f"{len(found) - early} met" + (f", {early} too early to say" if early else "")

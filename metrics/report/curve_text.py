"""Text and cells for a report's load curve and capacity, for terminal, HTML file and report page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from metrics.analysis.curve import HUNG, KNEE_LEVELS, shows_throughput
from metrics.number_format import BAD, GOOD, QUIET, TITLE, counted, exact, number, numbers, share
from metrics.report_schema import CapacityPart, RunReport
from metrics.report_schema import LevelRow as LevelPart

HEADS = ("turns/s", "failed", "ttft p50", "ttft p95", "e2e p50", "e2e p95", "tokens/s", "turns", "at s")
BY_WIDTH = ((120, HEADS), (76, ("turns/s", "failed", "ttft p95", "e2e p50", "e2e p95")), (0, ("turns/s", "e2e p95")))
"""From how many columns on a terminal shows which."""
REMARKS_SHOWN = 8


class LevelRow(NamedTuple):
    """One level as people read it: `cells` by HEADS, `mark` is good, bad or empty; `places` says whether it is the
    capacity or the knee, `says` why it is bad and what else there is to know."""

    level: str
    cells: dict[str, str]
    mark: str
    places: str
    says: str
    capacity: bool
    knee: bool


def level_rows(report: RunReport) -> list[LevelRow]:
    """Ascending by level, and in the order of time; empty for a run without levels."""
    capacity = report.get("capacity")
    curve = sorted(report.get("load_curve") or (), key=lambda row: (row["level"], row["from_s"]))
    columns = [
        numbers([row["turns_per_s"] for row in curve]),
        [share(row["error_rate"]) for row in curve],
        numbers([row["ttft_ms"]["p50"] for row in curve]),
        numbers([row["ttft_ms"]["p95"] for row in curve]),
        numbers([row["e2e_ms"]["p50"] for row in curve]),
        numbers([row["e2e_ms"]["p95"] for row in curve]),
        numbers([row["output_tokens_per_s"] for row in curve]),
        [number(row["turns"]) for row in curve],
        [f"{row['from_s']}-{row['to_s']}" for row in curve],
    ]
    return [_level_row(row, cells, capacity) for row, *cells in zip(curve, *columns, strict=True)]


def _level_row(row: LevelPart, cells: Sequence[str], capacity: CapacityPart | None) -> LevelRow:
    is_capacity = capacity is not None and row["level"] == capacity.get("level")
    is_knee = capacity is not None and row["level"] == capacity.get("knee")
    mark = {True: "good", False: "bad", None: ""}[row["good"]]
    places = [word for word, here in (("capacity", is_capacity), ("knee", is_knee)) if here]
    says = "; ".join([*row["missed"], *row["notes"]])
    named = dict(zip(HEADS, cells, strict=True))
    return LevelRow(exact(row["level"]), named, mark, ", ".join(places), says, is_capacity, is_knee)


def capacity_words(report: RunReport) -> list[str]:
    """One sentence about the capacity, if it was looked for, one about the knee, and the remarks on their levels; empty
    for a run without levels."""
    capacity, curve = report.get("capacity"), report.get("load_curve")
    if not capacity or not curve:
        return [f"no capacity: {capacity['note']}"] if capacity and capacity["note"] else []
    return [*_limit_words(capacity), _knee_words(capacity, curve), *_remark_words(capacity["unit"], curve)]


def _remark_words(unit: str, curve: Sequence[LevelPart]) -> Iterator[str]:
    """What limits the use of the levels' figures, and at which levels: each remark once."""
    found: dict[str, dict[str, None]] = {}
    for row in sorted(curve, key=itemgetter("level")):
        for note in row["notes"]:
            found.setdefault(note, {})[exact(row["level"])] = None
    for note, levels in list(found.items())[:REMARKS_SHOWN]:
        yield f"remark: at {', '.join(levels)} {unit}: {note}"
    if len(found) > REMARKS_SHOWN:
        yield f"remark: {counted(len(found) - REMARKS_SHOWN, 'more remark')} on levels, in the JSON report"


def _limit_words(capacity: CapacityPart) -> Iterator[str]:
    unit, low, high = capacity["unit"], capacity["low"], capacity["high"]
    conditions = " and ".join(capacity["conditions"])
    hangs = [text for text in capacity["limited_by"] if text.startswith(HUNG)]
    why = ", ".join(text for text in capacity["limited_by"] if text not in hangs)
    if not conditions:
        return
    over = f"{exact(high)} miss{'es' if high == 1 else ''} {why}" if high is not None and why else ""
    if low is None:
        found = f"no level keeps {conditions}"
    else:
        found = f"{'' if capacity['found'] else 'at least '}{exact(low)} {unit} keep {conditions}"
    yield f"capacity: {'; '.join(filter(None, [found, over, *hangs, capacity['note']]))}"


def _knee_words(capacity: CapacityPart, curve: Sequence[LevelPart]) -> str:
    tried = {row["level"] for row in curve}
    shown = {row["level"] for row in curve if shows_throughput(row)}
    if len(shown) < KNEE_LEVELS:
        return f"knee: too few levels {'without many failures ' if len(tried) >= KNEE_LEVELS else ''}to tell"
    if capacity["knee"] is None and max(tried) > max(shown):
        return f"knee: none, throughput grows with the load up to {exact(max(shown))}; above it turns failed"
    if capacity["knee"] is None:
        return "knee: none, throughput grows with the load as far as it was tried"
    return f"knee: {exact(capacity['knee'])} {capacity['unit']}, more bring little more throughput"


def marks(capacity: CapacityPart) -> list[tuple[float, str]]:
    """Where capacity and knee are, with their names; one where they are the same."""
    level, knee = capacity["level"], capacity["knee"]
    if level is not None and level == knee:
        return [(level, f"capacity and knee {exact(level)}")]
    places = (("capacity", level), ("knee", knee))
    return [(at, f"{name} {exact(at)}") for name, at in places if at is not None]


def curve_parts(report: RunReport, width: int) -> Iterator[RenderableType]:
    """For the report on a terminal of so many columns: a table of the levels, then the sentences."""
    rows, said, capacity = level_rows(report), capacity_words(report), report.get("capacity")
    if rows and capacity:
        yield Text(f"\nlevels ({capacity['unit']})", style=TITLE)
        yield _table(rows, next(heads for least, heads in BY_WIDTH if width >= least))
    yield from [Text()] * bool(rows and said)
    for sentence in said:
        word, _, rest = sentence.partition(": ")
        yield Text.assemble((word, TITLE), f": {rest}")


def _table(rows: Sequence[LevelRow], heads: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for head in ("level", *heads):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in rows:
        mark = Text(row.mark, {"good": GOOD, "bad": BAD}.get(row.mark, QUIET))
        cells = [row.cells[head] for head in heads]
        says = Text("; ".join(filter(None, [row.places, row.says if heads is HEADS else ""])))
        table.add_row(row.level, *cells, mark, says, style="bold" if row.capacity else "")
    table.caption = "Latencies in ms, measured after each level has settled."
    table.caption_justify = "left"
    return table

"""Numbers and names as people read them, and the styles of a report on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

NOTHING: Final = "-"
GOOD, BAD, QUIET, TITLE = "green", "bold red", "dim", "bold"


def run_name(run: Mapping[str, Any]) -> str:
    """Of a report's `run`; one that could not begin has no number."""
    return "run" if run["id"] is None else f"run {run['id']}"


def load_s_of(run: Mapping[str, Any]) -> float:
    """How long the load of a report's run lasted; one of an earlier version says only how long its turns did."""
    return float(run.get("load_s", run.get("duration_s")) or 0)


def failed_of(turns: Mapping[str, int]) -> int:
    """A report's failed turns; one of an earlier version does not say them."""
    return turns.get("failed", turns["error"] + turns["timeout"])


def counted(count: int, one: str, many: str = "") -> str:
    """How many there are, as people read it: "1 turn", "2,000 turns". `many`: what stands for more than one, where that
    is not `one` with an s, as in "1 answer was", "2 answers were"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def number(value: float | int | None) -> str:
    """Three significant digits at least, no more than a person reads."""
    if value is None:
        return NOTHING
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3 if size >= 0.01 or not size else 4
    return f"{value:,.{digits}f}"

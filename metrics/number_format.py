"""The one formatter of numbers, shares, durations and moments for people; and the styles of a report on a terminal.

`runs/static/runs/number_format.js` does the same for what a page draws by itself: one table of cases tests both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from metrics.report_schema import RunPart, Turns

NOTHING: Final = "-"
GOOD, BAD, QUIET, TITLE = "green", "bold red", "dim", "bold"
_EXACT_DIGITS: Final = 6
_SMALL: Final = ((1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_LARGE: Final = ((172_800, 86_400, "days", 3600, "h"), (3600, 3600, "h", 60, "min"), (60, 60, "min", 1, "s"))
"""From how many seconds on, which unit, and which stands beside it."""


def run_name(run: RunPart) -> str:
    """Of a report's `run`; one that could not begin has no number."""
    return "run" if run["id"] is None else f"run {run['id']}"


def load_s_of(run: RunPart) -> float:
    """How long the load of a report's run lasted; one of an earlier version says only how long its turns did."""
    return float(run.get("load_s", run.get("duration_s")) or 0)


def failed_of(turns: Turns) -> int:
    """A report's failed turns; one of an earlier version does not say them."""
    return turns.get("failed", turns["error"] + turns["timeout"])


def counted(count: int, one: str, many: str = "") -> str:
    """How many there are, as people read it: "1 turn", "2,000 turns". `many`: what stands for more than one, where that
    is not `one` with an s, as in "1 answer was", "2 answers were"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def number(value: float | None) -> str:
    """A measured value: "-" for None, whole ones without decimals, others with at least three significant digits and at
    most four decimals: "90", "0.015", "1.23", "158.4", "1,984"."""
    return numbers([value])[0]


def numbers(values: Sequence[float | None]) -> list[str]:
    """Measured values of one kind for a column, as `number`, but all with as many decimals as one of them needs."""
    digits = max((_decimals(value) for value in values if value is not None), default=0)
    return [NOTHING if value is None else _with_decimals(value, digits) for value in values]


def _with_decimals(value: float, digits: int) -> str:
    return f"{int(value):,}" if digits == 0 and _is_whole(value) else f"{value:,.{digits}f}"


def _decimals(value: float) -> int:
    if _is_whole(value):
        return 0
    size = abs(value)
    return 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3 if size >= 0.01 else 4


def exact(value: float) -> str:
    """A value that somebody set, or of an axis: whole ones in full, others with up to six significant digits and
    without zeros at the end: "1,000,000", "2.5", "0.3"."""
    if _is_whole(value):
        return f"{int(value):,}"
    digits = max(0, _EXACT_DIGITS - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text


def share(value: float | None, digits: int = 2) -> str:
    """A part of a whole, 0 to 1, in percent: "2.44%"; "-" for None."""
    return NOTHING if value is None else f"{value:,.{digits}%}"


def duration(seconds: float) -> str:
    """In the units that suit it: "0 s", "2.2 ms", "4.4 s", "1 min 5 s", "2 h 2 min", "61 days". Less than nothing is
    nothing: clocks are corrected."""
    if seconds <= 0:
        return "0 s"
    if round(seconds, 1) < 1:
        size, unit = next(((size, unit) for size, unit in _SMALL if seconds >= size), _SMALL[-1])
        return f"{_significant(seconds / size, 3)} {unit}"
    if round(seconds, 1) < 60:
        return f"{exact(round(seconds, 1))} s"
    whole = round(seconds)
    size, unit, small, beside = next(row[1:] for row in _LARGE if whole >= row[0])
    rest = whole % size // small
    return f"{whole // size:,} {unit}" + (f" {rest} {beside}" if rest else "")


def clock(seconds: float) -> str:
    """A time since the start: `0:07`, `12:34` or `1:02:03`; parts of a second are cut off."""
    minutes, left = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def elapsed(seconds: float) -> str:
    """A time since the start, on an axis: "0.5 s", "45 s", from a minute on as `clock`: marks of a short run differ."""
    return f"{exact(round(seconds, 2))} s" if seconds < 60 else clock(seconds)


def moment(value: datetime | None, *, weekday: bool = False) -> str:
    """Date and time in the zone that it has: "2026-11-21 08:00:00 UTC", with `weekday` "Sat 2026-11-21 08:00:00 UTC";
    empty for None."""
    return "" if value is None else value.strftime("%a " * weekday + "%Y-%m-%d %H:%M:%S %Z")


def _is_whole(value: float) -> bool:
    return isinstance(value, int) or value.is_integer()


def _significant(value: float, digits: int) -> str:
    """Of a value from 1 to 1,000: "2.2", "949"."""
    return exact(round(value, digits - 1 - math.floor(math.log10(value))))

"""When the conversations of a recorded trace began: the times of a file, for a load of the kind `trace`.

What was said, or how long it was, is data (`scenarios.importers`): row i of the file is conversation i for both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from connectors.spec import SpecError
from runs.engine.trace import LONGEST_S, MOST_ROWS
from scenarios.importers.reading import Source, open_source, records
from scenarios.importers.tables import TABLES, table
from scenarios.spec import ScenarioError

Unit = Literal["s", "ms", "us", "ns"]
SECONDS: Final[Mapping[str, float]] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
NAMES: Final = ("timestamp", "time", "arrival_time", "arrived_at", "arrival", "start_time", "at")
"""The field of the time, in any case, as it stands or with its unit behind it: `TIMESTAMP`, `timestamp_ms`."""
MILLISECONDS_WITH: Final = frozenset({"hash_ids", "input_length"})
"""Fields of the traces of Mooncake's form, whose plain `timestamp` is in milliseconds."""
_FIELD: Final = re.compile(rf"(?:{'|'.join(NAMES)})(?:_(s|ms|us|ns))?", re.IGNORECASE)
_EPOCHS: Final = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"))
"""Numbers that can only be times since 1970, from which on they are of this unit."""


def read_trace(
    path: Path, *, unit: Unit | None = None, rows: int | None = None, within_s: float | None = None
) -> list[float]:
    """Seconds since the first arrival, ascending; at most `rows`, and none at `within_s` or later.

    `.csv`: the first line names the fields. `.jsonl` or a JSON list: numbers, or objects with such a field. Times are
    numbers or ISO 8601; `unit` says of which unit the numbers are, where neither the field's name nor their size does
    (else: seconds). Raises SpecError that names the line.
    """
    try:
        with open_source(path) as source:
            return _times(source, unit, rows, within_s)
    except ScenarioError as exc:
        raise SpecError(str(exc)) from exc


def _times(source: Source, unit: Unit | None, rows: int | None, within_s: float | None) -> list[float]:
    found: list[float] = []
    first = 0.0
    for where, row in _rows(source):
        if len(found) == rows:
            break
        at = _seconds(where, row, unit)
        first = at if not found else first
        since_s = at - first
        if within_s is not None and since_s >= within_s:
            break
        if len(found) == MOST_ROWS:
            raise SpecError(f"{where}: a run keeps {MOST_ROWS:,} arrivals: end it with --conversations or --duration")
        _check(where, since_s, found[-1] if found else 0.0)
        found.append(since_s)
    if not found:
        raise SpecError(f"{source.name}: holds no arrival")
    return found


def _check(where: str, since_s: float, before_s: float) -> None:
    if since_s < before_s:
        raise SpecError(f"{where}: is {before_s - since_s:g} s before the line ahead of it: sort the file by its times")
    if since_s > LONGEST_S:
        raise SpecError(f"{where}: is {since_s:g} s after the first arrival, and a run lasts at most {LONGEST_S} s")


def _rows(source: Source) -> Iterator[tuple[str, Any]]:
    if source.suffix not in TABLES:
        yield from ((record.where, record.value) for record in records(source))
        return
    yield from table(source)


def _seconds(where: str, row: Any, unit: Unit | None) -> float:
    if isinstance(row, dict):
        name = next((name for name in row if isinstance(name, str) and _FIELD.fullmatch(name)), None)
        if name is None:
            raise SpecError(f"{where}: has no time: name it {', '.join(NAMES[:3])}, or timestamp_ms")
        found = _FIELD.fullmatch(name)
        own = found[1] if found is not None else None
        if own is None and MILLISECONDS_WITH & row.keys():
            own = "ms"
        return _number(f"{where}: {name}", row[name], unit or (own.lower() if own else None))
    return _number(where, row, unit)


def _number(where: str, value: Any, unit: str | None) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return _moment(where, value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SpecError(f"{where}: {value!r:.60} is no time: give a number or an ISO time")
    guessed = next((word for least, word in _EPOCHS if abs(value) >= least), "s")
    return float(value * SECONDS[unit or guessed])


def _moment(where: str, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise SpecError(f"{where}: {text!r:.60} is no time: give a number or an ISO time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()  # only differences count

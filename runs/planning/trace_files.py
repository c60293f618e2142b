"""Reads the arrival times of a trace file for a load of the kind `trace`.

What was said, or how long it was, is data (`scenarios.importers`): row i of the file is conversation i for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from connectors.spec import SpecError
from runs.load.trace import LONGEST_S, MOST_ROWS
from runs.load.trace_units import SAMPLE, SECONDS, UNITS, ReadAs, Reading, Unit, UnitDoubt, read_as
from runs.planning.trace_times import Cell, Date, cell_of
from scenarios.definition.spec import ScenarioError
from scenarios.importers.reading import Source, open_source, records
from scenarios.importers.tables import TABLES, table

CLOCK_CHANGE_US: Final = 3600 * 1_000_000
"""How far clocks go back at the end of daylight saving time."""
Row = tuple[str, Any]


class Trace(NamedTuple):
    """`times_s`: seconds since the first arrival, ascending. `unit`: the unit in which the file's times were read."""

    times_s: list[float]
    unit: ReadAs


def read_trace(
    path: Path, *, unit: Unit | None = None, rows: int | None = None, within_s: float | None = None
) -> Trace:
    """The arrivals of a file, at most `rows`, and none at `within_s` or later.

    `.csv`: the first line names the fields. `.jsonl` or a JSON list: numbers, or objects with such a field. Times are
    numbers or dates (`runs.planning.trace_times`); `unit` is the unit of the numbers, else the field's name, their size
    or the trace's form tells it (`runs.load.trace_units`). Raises SpecError that names the line, or asks for the unit.
    """
    try:
        with open_source(path) as source:
            return _trace(source, unit, rows, within_s)
    except ScenarioError as exc:
        raise SpecError(str(exc)) from exc


def _trace(source: Source, unit: Unit | None, rows: int | None, within_s: float | None) -> Trace:
    head, every = _peeked(_rows(source))
    reading = Reading(unit) if unit else _reading(source, head)
    clock = _Clock(reading)
    found: list[float] = []
    for where, row in every:
        if len(found) == rows:
            break
        since_s = clock.since_s(cell_of(where, row))
        if within_s is not None and since_s >= within_s:
            break
        if len(found) == MOST_ROWS:
            raise SpecError(f"{where}: a run keeps {MOST_ROWS:,} arrivals: end it with --conversations or --duration")
        if since_s > LONGEST_S:
            raise SpecError(f"{where}: is {since_s:g} s after the first arrival, and a run lasts at most {LONGEST_S} s")
        found.append(since_s)
    if not found:
        raise SpecError(f"{source.name}: holds no arrival")
    return Trace(found, "dates" if clock.of_dates else reading.unit)


def _rows(source: Source) -> Iterator[Row]:
    if source.suffix not in TABLES:
        yield from ((record.where, record.value) for record in records(source))
        return
    yield from table(source)


def _peeked(rows: Iterator[Row]) -> tuple[list[Row], Iterable[Row]]:
    """The first of `rows`, and all of them. What is wrong with one is raised in its turn: it may not be needed."""
    head: list[Row] = []

    def late(wrong: ScenarioError) -> Iterator[Row]:
        yield from ()
        raise wrong

    try:
        head.extend(islice(rows, SAMPLE))
    except ScenarioError as exc:
        return head, chain(head, late(exc))
    return head, chain(head, rows)


def _reading(source: Source, head: list[Row]) -> Reading:
    """What the numbers of the first rows are. Raises SpecError where that has to be asked."""
    cells = []
    for where, row in head:
        try:
            cells.append(cell_of(where, row))
        except SpecError:
            break  # raised again in its turn
    if cells and cells[0].unit is not None:
        return Reading(cells[0].unit)
    numbers = [cell.time for cell in cells if not isinstance(cell.time, Date)]
    if not numbers:
        return Reading("s")
    fields = head[0][1] if isinstance(head[0][1], dict) else ()
    try:
        return read_as(numbers, fields)
    except UnitDoubt as exc:
        name = cells[0].where.removeprefix(f"{head[0][0]}: ") if fields else "numbers"
        raise SpecError(
            f"{source.name}: the unit of its {name} is ambiguous: {exc}: choose one, --trace-unit {'|'.join(UNITS)}"
        ) from exc


class _Clock:
    """Seconds since the first cell, of one after the other."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._scale = SECONDS[reading.unit]
        self._first: Cell | None = None
        self._before: Cell | None = None
        self._before_s = 0.0

    @property
    def of_dates(self) -> bool:
        return self._first is not None and isinstance(self._first.time, Date)

    def since_s(self, cell: Cell) -> float:
        """Raises SpecError for one that is before the last, or of another kind than the first."""
        self._first = first = self._first or cell
        if isinstance(cell.time, Date) or isinstance(first.time, Date):
            since_s = self._between_dates(first, cell)
        else:
            if self._reading.whole and not float(cell.time).is_integer():
                raise SpecError(
                    f"{cell.where}: {cell.time!r} has decimals, and the first {SAMPLE:,} times have none: say"
                    " what they are, with --trace-unit"
                )
            since_s = float((cell.time - first.time) * self._scale)
        if since_s < self._before_s:
            back = f"is {self._before_s - since_s:g} s before the row ahead of it"
            raise SpecError(f"{cell.where}: {back}:{self._cure(cell)} sort the file by its times")
        self._before, self._before_s = cell, since_s
        return since_s

    def _between_dates(self, first: Cell, cell: Cell) -> float:
        if not (isinstance(cell.time, Date) and isinstance(first.time, Date)):
            mine, other = ("date", "number") if isinstance(cell.time, Date) else ("number", "date")
            raise SpecError(f"{cell.where}: is a {mine}, and the first time is a {other}: give all alike")
        if cell.time.zoned != first.time.zoned:
            which = "a zone and the first time has none" if cell.time.zoned else "no zone and the first time has one"
            raise SpecError(f"{cell.where}: has {which}: give every time its zone, for example +02:00")
        return (cell.time.at_us - first.time.at_us) / 1e6

    def _cure(self, cell: Cell) -> str:
        before, now = self._before.time if self._before else None, cell.time
        if isinstance(now, Date) and isinstance(before, Date) and before.at_us - now.at_us <= CLOCK_CHANGE_US:
            return "" if now.zoned else " clocks may have been put back there: give the times a zone (+02:00), or"
        return ""

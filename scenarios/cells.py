"""Cells without a text that a scenario says: found before the run, not by the user who would say nothing. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from scenarios.spec import Repeat, Say, ScenarioError, ScenarioSpec, Step

_CELL: Final = re.compile(
    r"\{\{-?\s*data(?:\.([A-Za-z_]\w*)|\[(['\"])(.+?)\2\])(?:\.([A-Za-z_]\w*)|\[(['\"])(.+?)\5\])?\s*-?\}\}"
)
"""`{{ data.pool }}`, `{{ data.pool.column }}`, `{{ data.pool['column'] }}`: a cell as it is, without a filter."""


Places = Mapping[str, Sequence[str]]
"""By pool: file and line of each row."""


class _Cell(NamedTuple):
    pool: str
    column: str
    """Empty for the row itself, which is a text."""

    def empty(self, row: Any) -> bool:
        value = row.get(self.column) if self.column and isinstance(row, Mapping) else row
        return value is None or (isinstance(value, str) and not value.strip())


def check_columns(spec: ScenarioSpec, places: Places) -> None:
    """Raises ScenarioError that names the first row without a column that a message says and that others have."""
    for path, text in _texts(spec.steps, "steps"):
        for cell in _cells(text):
            rows = spec.data[cell.pool].rows if cell.pool in spec.data else ()
            if not cell.column or not any(isinstance(row, Mapping) and cell.column in row for row in rows):
                continue
            at = next(
                (at for at, row in enumerate(rows) if not isinstance(row, Mapping) or cell.column not in row), None
            )
            if at is not None:
                raise ScenarioError(
                    f"{_place(spec, cell.pool, at, places)}: has no {cell.column!r}, which {path}.text says"
                )


def check_cells(spec: ScenarioSpec, places: Places) -> None:
    """Raises ScenarioError that names the first row for which a message of nothing but cells would be empty.

    `places` says where the rows of a pool stand (file and line); without it a row is named by its number, from 1.
    """
    for path, text in _texts(spec.steps, "steps"):
        cells = _cells(text)
        pools = {cell.pool for cell in cells}
        if not cells or _CELL.sub("", text).strip() or not pools <= spec.data.keys() or len(pools) > 1:
            continue  # of several pools only the run knows which rows meet
        [name] = pools
        at = next((at for at, row in enumerate(spec.data[name].rows) if all(cell.empty(row) for cell in cells)), None)
        if at is not None:
            raise ScenarioError(
                f"{_place(spec, name, at, places)}: {_columns(cells)}, and {path}.text says nothing else"
            )


def gaps(spec: ScenarioSpec, places: Places) -> Iterator[str]:
    """A line for each cell that a message says beside other things and that some rows do not have a text for."""
    for path, text in _texts(spec.steps, "steps"):
        for cell in sorted(set(_cells(text))):
            rows = spec.data[cell.pool].rows if cell.pool in spec.data else ()
            empty = [at for at, row in enumerate(rows) if cell.empty(row)]
            if empty:
                more = f" (so in {len(empty):,} of {len(rows):,} rows)" if len(empty) > 1 else ""
                where = _place(spec, cell.pool, empty[0], places)
                yield f"{where}: {_columns([cell])}{more}: {path}.text has a gap there"


def _cells(text: str) -> list[_Cell]:
    return [_Cell(m[1] or m[3], m[4] or m[6] or "") for m in _CELL.finditer(text)]


def _columns(cells: Sequence[_Cell]) -> str:
    names = sorted({repr(cell.column) for cell in cells if cell.column})
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} empty" if names else "the text is empty"


def _place(spec: ScenarioSpec, name: str, at: int, places: Places) -> str:
    known = places.get(name, ())
    return known[at] if len(known) == len(spec.data[name].rows) else f"data.{name}: row {at + 1}"


def _texts(steps: Sequence[Step], path: str) -> Iterator[tuple[str, str]]:
    for number, step in enumerate(steps):
        where = f"{path}[{number}]"
        if isinstance(step, Say):
            yield where, step.text
        elif isinstance(step, Repeat):
            yield from _texts(step.steps, f"{where}.steps")

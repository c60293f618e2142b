"""Finds rows for which a scenario's messages cannot be rendered, before the run. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from jinja2 import TemplateError, meta, nodes

from scenarios.definition.limits import STEP_COST, WORK
from scenarios.definition.spec import ScenarioError, ScenarioSpec, say_steps
from scenarios.render.program import Program, SayOp
from scenarios.template.compiler import Getter, Scope
from scenarios.template.sandbox import ENV

TRIAL_WORK: Final = 2 * WORK
"""What trying all rows may cost, in characters made: about a second. Rows beyond are not tried."""
_COSTLY: Final = re.compile(r"\{%|[|(\[+~]")
"""Of templates that are more than plain names: a row costs as much as ten others."""

_CELL: Final = re.compile(
    r"\{\{-?\s*data(?:\.([A-Za-z_]\w*)|\[(['\"])((?:(?!\2).)+)\2\])(?:\.([A-Za-z_]\w*)|\[(['\"])((?:(?!\5).)+)\5\])?\s*-?\}\}"
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
    """Raises ScenarioError that names the first row without a column that a message uses and other rows have."""
    for path, text in _texts(spec):
        for cell in _cells(text):
            rows = spec.data[cell.pool].rows if cell.pool in spec.data else ()
            if not cell.column or "{%" in text:
                continue  # it may be inside a condition: `check_rows` finds out
            if not any(isinstance(row, Mapping) and cell.column in row for row in rows):
                continue
            at = next(
                (at for at, row in enumerate(rows) if not isinstance(row, Mapping) or cell.column not in row), None
            )
            if at is not None:
                raise ScenarioError(
                    f"{_place(spec, cell.pool, at, places)}: has no {cell.column!r}, which {path}.text says"
                )


def check_cells(spec: ScenarioSpec, places: Places) -> None:
    """Raises ScenarioError that names the first row for which a message that consists only of cells would be empty.
    `places`: where the rows of a pool are (file and line); without it a row is named by its number, from 1."""
    for path, text in _texts(spec):
        cells = _cells(text)
        pools = {cell.pool for cell in cells}
        if not cells or _CELL.sub("", text).strip() or not pools <= spec.data.keys() or len(pools) > 1:
            continue  # with several pools, only the run decides which rows meet
        [name] = pools
        at = next((at for at, row in enumerate(spec.data[name].rows) if all(cell.empty(row) for cell in cells)), None)
        if at is not None:
            raise ScenarioError(
                f"{_place(spec, name, at, places)}: {_columns(cells)}, and {path}.text says nothing else"
            )


def check_rows(spec: ScenarioSpec, program: Program, places: Places) -> None:
    """Raises ScenarioError that names the first row for which a text that depends on a single pool fails."""
    first = {name: pool.rows[0] for name, pool in spec.data.items()}
    work, rng = TRIAL_WORK, random.Random(0)
    for path, source, render in _rendered(spec, program):
        name, cost = only_pool(source), STEP_COST * (10 if _COSTLY.search(source) else 1)
        for at, row in enumerate(spec.data[name].rows if name in spec.data else ()):
            scope = Scope(rng, {"id": "", "number": at, "user": 0}, {})
            scope.data = {**first, str(name): row}
            try:
                render(scope)
            except ScenarioError as exc:
                raise ScenarioError(f"{_place(spec, str(name), at, places)}: {path}: {exc}") from exc
            work -= cost + WORK - scope.work
            if work < 0:
                return


def _rendered(spec: ScenarioSpec, program: Program) -> Iterator[tuple[str, str, Getter]]:
    """(path, template, renderer) of texts that vary."""
    for name, get in program.computed:
        if isinstance(source := spec.variables[name], str):
            yield f"variables.{name}", source, get
    if spec.system is not None and program.system is not None and program.system.constant is None:
        yield "system", spec.system, program.system.of
    sources = dict(_texts(spec))
    for op in program.ops:
        if isinstance(op, SayOp) and op.constant is None:
            yield f"{op.path}.text", sources[op.path], op.text.of
        if isinstance(op, SayOp) and op.attached is not None and op.attached.source:
            yield op.path, op.attached.source, op.attached.of


def only_pool(text: str) -> str | None:
    """The pool whose rows are all that `text` depends on; None if there is none, or more."""
    if "data" not in text:
        return None
    try:
        tree = ENV.parse(text)
    except TemplateError:
        return None
    if meta.find_undeclared_variables(tree) - {"range"} != {"data"}:
        return None
    looked_up: list[tuple[nodes.Node, Any]] = [(node.node, node.attr) for node in tree.find_all(nodes.Getattr)]
    looked_up += [(node.node, getattr(node.arg, "value", None)) for node in tree.find_all(nodes.Getitem)]
    pools = {key for node, key in looked_up if isinstance(node, nodes.Name) and node.name == "data"}
    return pools.pop() if len(pools) == 1 else None


def gaps(spec: ScenarioSpec, places: Places) -> Iterator[str]:
    """A line for each cell within a message that is empty in some rows."""
    for path, text in _texts(spec):
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


def _texts(spec: ScenarioSpec) -> Iterator[tuple[str, str]]:
    return ((path, step.text) for path, step in say_steps(spec.steps))

"""Data pools from files (tables, lines, lists), and the scenarios that use them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from scenarios.definition.data import MAX_BYTES, MAX_ROWS, DataPool, Use, json_size
from scenarios.definition.spec import ScenarioError, ScenarioSpec
from scenarios.importers.reading import Source, lines, open_source, records
from scenarios.importers.sampling import Drawn, Sample, most_bytes
from scenarios.importers.tables import TABLES, table
from scenarios.render.walk import check_scenario

NAMES_SHOWN: Final = 8
NAME_CHARS: Final = 40
_NO_FIELD: Final = re.compile(
    r"(?:`data\.(?P<pool>[^`]+)` )?has (?:no )?'(?P<none>[^']+)'|'(?P<empty>[^']+)' (?:is|and '.+' are) empty"
)


def load_pool(path: Path, use: Use = "in_turn", sample: Sample | None = None) -> DataPool:
    """`read_pool` of a file by its path."""
    with open_source(path) as source:
        return read_pool(source, use, sample)


def read_pool(source: Source, use: Use = "in_turn", sample: Sample | None = None) -> DataPool:
    """A file's rows. Raises ScenarioError that names the line of what is wrong.

    - `.csv`, `.tsv`: the first line names the fields; every value is a text.
    - `.jsonl`, or a JSON list: one row each, a text or an object.
    - a JSON object of lists (`{"MED1060": ["...", "..."]}`): a row for each, with `name` and `items`.
    - anything else, such as `.txt`: a row for each line.
    """
    drawn: Drawn[tuple[str, Any]] = Drawn(sample or Sample(), lambda placed: json_size(placed[1]))
    for where, row in _rows(source):
        if not isinstance(row, str | dict) or not row:
            raise ScenarioError(f"{where}: a row must be a text or an object, and not empty")
        if "\x00" in str(row):
            raise ScenarioError(f"{where}: contains the character NUL, which databases cannot store")
        drawn.add((where, row))
        _check_room(where, drawn, sample or Sample())
    found = drawn.items()
    table_name = source.name if source.suffix in TABLES else ""
    return pool_of(source.name, [row for _, row in found], use, [where for where, _ in found], table_name)


def _check_room(where: str, drawn: Drawn[Any], sample: Sample) -> None:
    """Raises ScenarioError as soon as there is more than a pool may hold."""
    if len(drawn) > MAX_ROWS:
        raise ScenarioError(f"{where}: has more than {MAX_ROWS:,} rows: take a sample of them, with --limit")
    if drawn.size > most_bytes(sample):
        raise ScenarioError(
            f"{where}: here the rows have more than {most_bytes(sample) / 1e6:.0f} MB of JSON: at most"
            f" {MAX_BYTES / 1e6:.0f} MB fit; leave out fields that nothing uses, or take a sample, for example"
            f" --limit {max(1, len(drawn) // 8)}"
        )


def pool_of(name: str, rows: Sequence[Any], use: Use, places: Sequence[str] = (), table_name: str = "") -> DataPool:
    """Rows as a pool; `name` is what messages call them, `places` where each stands, and `table_name` the file whose
    first line names their fields. Raises ScenarioError."""
    if not rows:
        raise ScenarioError(f"{name}: contains no rows")
    try:
        pool = DataPool(rows=tuple(rows), use=use).placed(places, table_name)
        pool.json_bytes  # noqa: B018 - raises for what cannot be stored
    except ValidationError as exc:
        raise ScenarioError(f"{name}: {exc.errors()[0]['msg'].removeprefix('Value error, ')}") from exc
    except ValueError as exc:
        raise ScenarioError(f"{name}: {exc}") from exc
    return pool


def _rows(source: Source) -> Iterator[tuple[str, Any]]:
    if source.suffix in TABLES:
        yield from table(source)
    elif source.suffix in (".json", ".jsonl", ".ndjson"):
        for record in records(source):
            if not record.alone:
                yield record.where, record.value
            else:
                yield from _lists(source, record.value)
    else:
        yield from ((f"{source.name}: line {number}", line.strip()) for number, line in lines(source))


def _lists(source: Source, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or not all(isinstance(items, list) for items in value.values()):
        raise ScenarioError(f"{source.name}: must be a list of rows, or an object of lists")
    for name, items in value.items():
        yield f"{source.name}: {name}", {"name": name, "items": items}


def check_attached(data: dict[str, Any], pools: Mapping[str, DataPool]) -> ScenarioSpec:
    """A scenario that is checked, with those of `pools` that it names. Raises ScenarioError."""
    attached, places = attach(data, pools), {name: pool.places for name, pool in pools.items()}
    try:
        return check_scenario(attached, places)
    except ScenarioError as exc:
        hint = of_header(str(exc), {name: pool for name, pool in pools.items() if name in attached.get("data", {})})
        raise ScenarioError(f"{exc}{hint}") from exc


def of_header(problem: str, pools: Mapping[str, DataPool]) -> str:
    """Where a field is missing: that a table's first line names its fields, for it may be a row like the others."""
    missing = _NO_FIELD.search(problem)
    if missing is None:
        return ""
    field = missing["none"] or missing["empty"]
    named = [pools[missing["pool"]]] if missing["pool"] in pools else [*pools.values()]
    tables = [pool for pool in named if pool.table and field not in pool.rows[0]]
    said = (f"the first line of {pool.table} was taken as names: {_quoted(pool.rows[0])}" for pool in tables)
    return "".join(f"; {text}" for text in said)


def _quoted(names: Iterable[str]) -> str:
    shown = [f"{name[:NAME_CHARS]!r}" for name in islice(names, NAMES_SHOWN + 1)]
    return ", ".join(shown[:NAMES_SHOWN]) + (", ..." if len(shown) > NAMES_SHOWN else "")


def attach(data: dict[str, Any], pools: Mapping[str, DataPool]) -> dict[str, Any]:
    """A scenario's data with those of `pools` that it uses, which replace its own of the same name."""
    mine = {name: pool.model_dump(mode="json") for name, pool in pools.items() if _names(data, name)}
    return {**data, "data": {**(data.get("data") or {}), **mine}} if mine else data


def _names(data: Mapping[str, Any], name: str) -> bool:
    if name in (data.get("data") or {}):
        return True
    text = json.dumps({key: value for key, value in data.items() if key != "data"}, ensure_ascii=False)
    quoted = re.escape(name)
    return bool(re.search(rf'\bdata\.{quoted}\b|\bdata\[[\'\\"]+{quoted}\b|"(over|messages)": "{quoted}"', text))

"""Data pools from files: tables, lines and lists; and the scenarios that they are for."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from scenarios.data import MAX_ROWS, DataPool, Use
from scenarios.importers.reading import Drawn, Sample, Source, lines, open_source, records
from scenarios.spec import ScenarioError

_DELIMITERS: Final = ",;\t|"


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
    drawn: Drawn[Any] = Drawn(sample or Sample())
    for where, row in _rows(source):
        if not isinstance(row, str | dict) or not row:
            raise ScenarioError(f"{where}: a row must be a text or an object, and not empty")
        drawn.add(row)
        if drawn.seen > MAX_ROWS and (sample is None or sample.limit is None):
            raise ScenarioError(f"{where}: has more than {MAX_ROWS:,} rows: take a sample of them, with --limit")
    return pool_of(source.name, drawn.items(), use)


def pool_of(name: str, rows: Sequence[Any], use: Use) -> DataPool:
    """Rows as a pool; `name` is what messages call them. Raises ScenarioError."""
    if not rows:
        raise ScenarioError(f"{name}: holds no row")
    try:
        pool = DataPool(rows=tuple(rows), use=use)
        pool.json_bytes  # noqa: B018 - raises for what cannot be stored
    except ValidationError as exc:
        raise ScenarioError(f"{name}: {exc.errors()[0]['msg'].removeprefix('Value error, ')}") from exc
    except ValueError as exc:
        raise ScenarioError(f"{name}: {exc}") from exc
    return pool


def _rows(source: Source) -> Iterator[tuple[str, Any]]:
    if source.suffix in (".csv", ".tsv"):
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


def table(source: Source) -> Iterator[tuple[str, dict[str, str]]]:
    """(where, fields) of each row of a table. Raises ScenarioError."""
    numbered = lines(source, blank=True)  # a quoted value may hold blank lines
    at = 0

    def texts() -> Iterator[str]:
        nonlocal at
        for at, line in numbered:  # noqa: B007 - told when something is wrong
            yield line + "\n"

    first = next(numbered, None)
    if first is None:
        return
    delimiter = max(_DELIMITERS, key=first[1].count) if source.suffix == ".csv" else "\t"
    try:
        fields = next(csv.reader([first[1]], delimiter=delimiter))
        fields = [field.strip() for field in fields]
        if len(set(fields)) < len(fields) or not all(fields):
            raise ScenarioError(f"{source.name}: line 1: each field needs a name of its own")
        for values in csv.reader(texts(), delimiter=delimiter, strict=True):
            if not values:
                continue
            if len(values) != len(fields):
                raise ScenarioError(
                    f"{source.name}: line {at}: has {len(values)} fields, and the first line names {len(fields)}"
                )
            yield f"{source.name}: line {at}", dict(zip(fields, values, strict=True))
    except csv.Error as exc:
        raise ScenarioError(f"{source.name}: line {at or 1}: {exc}") from exc


def attach(data: dict[str, Any], pools: Mapping[str, DataPool]) -> dict[str, Any]:
    """A scenario's data with those of `pools` that it names; they stand instead of its own of the same name."""
    mine = {name: pool.model_dump(mode="json") for name, pool in pools.items() if _names(data, name)}
    return {**data, "data": {**(data.get("data") or {}), **mine}} if mine else data


def _names(data: Mapping[str, Any], name: str) -> bool:
    if name in (data.get("data") or {}):
        return True
    text = json.dumps({key: value for key, value in data.items() if key != "data"}, ensure_ascii=False)
    quoted = re.escape(name)
    return bool(re.search(rf'\bdata\.{quoted}\b|\bdata\[[\'\\"]+{quoted}\b|"(over|messages)": "{quoted}"', text))

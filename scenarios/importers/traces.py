"""The rows of a trace: lengths of request and answer, row i for conversation i."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from scenarios.definition.data import MAX_BYTES, MAX_ROWS, DataPool, json_size
from scenarios.definition.spec import ScenarioError
from scenarios.importers.pools import pool_of
from scenarios.importers.reading import Source, open_source, records
from scenarios.importers.tables import TABLES, table

LENGTHS: Final[Mapping[str, tuple[str, ...]]] = {
    "input_length": (
        "input_length",
        "contexttokens",
        "request tokens",
        "input_tokens",
        "prompt_tokens",
        "num_prefill_tokens",
    ),
    "output_length": (
        *("output_length", "generatedtokens", "response tokens", "output_tokens", "completion_tokens"),
        "num_decode_tokens",
    ),
}
"""Our field and those of the traces of Mooncake, Azure, BurstGPT and others, in small letters."""
_KEPT = (str, int, float)


def trace_pool(path: Path, rows: int | None = None) -> DataPool:
    """The rows of a trace, at most `rows`, used in turn: `input_length` and `output_length` as whole numbers, where it
    has them, and all other values that are texts, numbers or messages. Raises ScenarioError.
    """
    with open_source(path) as source:
        most = MAX_ROWS if rows is None else rows
        found = list(_bounded((where, _row(where, value)) for where, value in islice(_values(source), most)))
    return pool_of(source.name, [row for _, row in found], "in_turn", [where for where, _ in found])


def _bounded(rows: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    size = 0
    for where, row in rows:
        if (size := size + json_size(row)) > MAX_BYTES:
            raise ScenarioError(
                f"{where}: here the rows have more than {MAX_BYTES / 1e6:.0f} MB of JSON, and no more fit; leave out"
                " fields that nothing uses, or give fewer --conversations"
            )
        yield where, row


def _values(source: Source) -> Any:
    if source.suffix in TABLES:
        return table(source)
    return ((record.where, record.value) for record in records(source))


def _row(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScenarioError(f"{where}: has only a time: it contains nothing to send")
    row = {name: item for name, item in value.items() if isinstance(item, _KEPT) or name == "messages"}
    for ours, theirs in LENGTHS.items():
        name = next((name for name in value if name.lower() in theirs), None)
        if name is not None:
            row.pop(name, None)
            row[ours] = _whole(f"{where}: {name}", value[name])
    return row


def _whole(where: str, value: Any) -> int:
    try:
        return max(0, int(float(value)))
    except (TypeError, ValueError, OverflowError):
        raise ScenarioError(f"{where}: {value!r:.40} is not a number of tokens") from None

"""Streams a run's turns as CSV or JSON, with constant memory.

Every turn has the table's columns, its gaps and arrival errors, and the metrics that have one value a turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson

from metrics.columns import Columns
from metrics.csv_cells import escape_csv
from metrics.definitions import METRICS
from metrics.ingest.turns import ROW_FIELDS
from metrics.storage.rows import TEXTS, Fields, read_columns, read_turns, unpacked_list

if TYPE_CHECKING:
    import pandas as pd

PIECE = 5000
POOLED = {"icl_us": "<u4", "arrival_error_ns": "<i8"}
"""Columns with many values a turn, and how their bytes are to be read."""
_MANY_OR_STORED = frozenset({"icl_ms", "arrival_error_ms", "repetition"})
TURN_METRICS = tuple(metric for metric in METRICS if metric.name not in _MANY_OR_STORED)
ADDED = ("tokens_reasoning", "kind", "finish_reason", "tools", "tool_calls", "time_to_tool_call_ms")
"""Columns that were added later. They stand at the end, because files are also read by position: append new ones."""
COLUMNS = (
    *(name for name in ROW_FIELDS if name not in ADDED),
    *(metric.name for metric in TURN_METRICS if metric.name not in ADDED),
    *ADDED,
)
"""The columns of an export, in order."""
_TEXTS = (
    "outcome",
    "code",
    "detail",
    "tokens_source",
    "message",
    "answer",
    "kind",
    "finish_reason",
    "tools",
    "tool_calls",
)


def csv_pieces(run_id: int, texts: bool = True) -> Iterator[str]:
    """CSV with a header line; empty cells where nothing is known, lists separated by spaces.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    header = True
    for frame in frames(run_id, texts):
        for name in POOLED:
            frame[name] = frame[name].map(lambda values: " ".join(map(str, values)))
        frame["handshake"] = frame["handshake"].map(lambda steps: orjson.dumps(steps).decode() if steps else None)
        for name in _TEXTS:
            frame[name] = frame[name].map(escape_csv)
        yield frame.to_csv(index=False, header=header, lineterminator="\r\n")
        header = False
    if header:
        yield ",".join(COLUMNS) + "\r\n"


def json_pieces(run_id: int, texts: bool = True) -> Iterator[bytes]:
    """One JSON array of objects, null for unknown values. One piece per read of the database, because each piece costs
    the sender a thread switch."""
    before = b"[\n"
    for fields in _turns(run_id, texts):
        yield before + b",\n".join(map(orjson.dumps, _records(fields)))
        before = b",\n"
    yield b"\n]\n" if before != b"[\n" else b"[]\n"


def frames(run_id: int, texts: bool = True) -> Iterator[pd.DataFrame]:
    """The turns, PIECE at a time. Whole numbers are Int64 (with gaps), texts and lists objects."""
    import pandas as pd  # half a second and 50 MB, needed only for exports

    for fields in _turns(run_id, texts):
        data: dict[str, Any] = {}
        for name, values in fields.items():
            if name in POOLED:
                data[name] = pd.Series([unpacked_list(v, POOLED[name]) for v in values], dtype=object)
            elif name == "repetition":
                data[name] = pd.Series(values, dtype="Float64")
            elif _is_number(name):
                data[name] = pd.Series(values, dtype="Int64")
            else:
                data[name] = pd.Series(values, dtype=object)
        metrics = {name: pd.Series(values).astype("Float64") for name, values in _metrics(read_columns(fields)).items()}
        yield pd.DataFrame(data | metrics)[list(COLUMNS)]


def _turns(run_id: int, texts: bool) -> Iterator[Fields]:
    """Without the right to read them, the columns of texts are empty."""
    for fields in read_turns(run_id, texts=texts, size=PIECE):
        yield fields if texts else {**fields, **dict.fromkeys(TEXTS, [None] * len(fields["id"]))}


def _is_number(name: str) -> bool:
    counted = {"id", "session_id", "number", "chunks", "bytes_in", "bytes_out"}
    counted |= {"tokens_in", "tokens_out", "tokens_reasoning"}
    return name in counted or name.endswith("_ns")


def _metrics(columns: Columns) -> dict[str, npt.NDArray[np.float64]]:
    """Each metric's value for every turn, NaN where it has none."""
    found = {}
    for metric in TURN_METRICS:
        pooled = metric.of(columns)
        values = np.full(len(columns), np.nan)
        values[pooled.rows] = pooled.values / metric.scale
        found[metric.name] = values
    return found


def _records(fields: Fields) -> Iterator[dict[str, Any]]:
    """The stored values are suitable for JSON as they are; orjson writes NaN as null."""
    columns: dict[str, Sequence[Any]] = {**fields}
    for name, dtype in POOLED.items():
        columns[name] = [unpacked_list(value, dtype) if value else [] for value in fields[name]]
    for name, values in _metrics(read_columns(fields)).items():
        columns[name] = values.tolist()
    for row in zip(*(columns[name] for name in COLUMNS), strict=True):
        yield dict(zip(COLUMNS, row, strict=True))

"""Reads turns from the database as columns, in pieces, with constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import orjson

from metrics.columns import (
    MISSING,
    OUTCOMES,
    REPETITION_SCALE,
    TOKEN_SOURCES,
    Columns,
    Ints,
    Pooled,
    code_column,
    handshake_columns,
    int_column,
    word_column,
)
from metrics.earlier_names import present_code
from metrics.ingest.turns import ROW_FIELDS
from metrics.models import SessionMetric
from metrics.storage.chunks import in_chunks

Fields = Mapping[str, Sequence[Any]]
"""Values by the name of their column (`metrics.ingest.turns.ROW_FIELDS`), all of one length."""
GROUP = "session__group"
TEXTS = frozenset({"detail", "message", "answer", "tool_calls"})


def read_turns(run_id: int, *, texts: bool = False, grouped: bool = False, size: int = 20_000) -> Iterator[Fields]:
    """The run's turns in the order of their ids, at most `size` at a time; with the long texts, and with their
    session's group (GROUP), only on request. Error codes have their present names."""
    names = [name for name in ROW_FIELDS if texts or name not in TEXTS] + [GROUP] * grouped
    rows = in_chunks(SessionMetric.objects.filter(run=run_id).order_by("pk").values_list(*names), size)
    while piece := list(islice(rows, size)):
        fields: dict[str, Sequence[Any]] = dict(zip(names, zip(*piece, strict=True), strict=True))
        yield fields | {"code": [present_code(code) for code in fields["code"]]}


def read_columns(fields: Fields) -> Columns:
    """What every metric is computed from."""
    return Columns(
        outcome=code_column(fields["outcome"], OUTCOMES),
        planned=int_column(fields["planned_ns"]),
        sent=int_column(fields["sent_ns"]),
        first_byte=int_column(fields["first_byte_ns"]),
        first_chunk=int_column(fields["first_chunk_ns"]),
        first_content=int_column(fields["first_content_ns"]),
        last_content=int_column(fields["last_content_ns"]),
        done=int_column(fields["done_ns"]),
        chunks=int_column(fields["chunks"]),
        bytes_in=int_column(fields["bytes_in"]),
        bytes_out=int_column(fields["bytes_out"]),
        tokens_in=int_column(fields["tokens_in"]),
        tokens_out=int_column(fields["tokens_out"]),
        tokens_source=code_column(fields["tokens_source"], TOKEN_SOURCES),
        tokens_reasoning=int_column(fields["tokens_reasoning"]),
        repetition=np.array(
            [MISSING if r is None else round(r * REPETITION_SCALE) for r in fields["repetition"]], dtype=np.int64
        ),
        gaps_us=_pooled(fields["icl_us"], "<u4"),
        arrival_error_ns=_pooled(fields["arrival_error_ns"], "<i8"),
        handshake=handshake_columns(fields["handshake"]),
        group=int_column(fields[GROUP]) if GROUP in fields else None,
        kind=word_column(fields["kind"]),
        finish_reason=word_column(fields["finish_reason"]),
        tools=word_column([None if called is None else orjson.loads(called) for called in fields["tools"]]),
    )


def _pooled(values: Iterable[Any], dtype: str) -> Pooled:
    """From the bytes (memoryviews on PostgreSQL) that `metrics.ingest.turns` packed."""
    return Pooled.of_arrays([_unpacked(value, dtype) for value in values])


def unpacked_list(value: Any, dtype: str) -> list[int]:
    """One turn's packed values."""
    numbers: list[int] = _unpacked(value, dtype).tolist()
    return numbers


def _unpacked(value: Any, dtype: str) -> Ints:
    return np.frombuffer(value or b"", dtype=dtype).astype(np.int64)

"""A batch of turns: values of the database rows, and the columns for metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import orjson

from metrics.columns import (
    ARRIVAL_ERROR_LIMIT_NS,
    INT32,
    INT64,
    MISSING,
    OUTCOMES,
    REPETITION_SCALE,
    TOKEN_SOURCES,
    UINT32,
    Columns,
    Ints,
    Pooled,
    code_column,
    handshake_columns,
    int_column,
    word_column,
)
from metrics.earlier_names import present_code
from metrics.ingest.repetition import repetitions

ROW_FIELDS = (
    "id", "session_id", "number", "outcome", "code", "detail", "planned_ns", "sent_ns", "first_byte_ns",
    "first_chunk_ns", "first_content_ns", "last_content_ns", "done_ns", "handshake", "chunks", "bytes_in",
    "bytes_out", "tokens_in", "tokens_out", "tokens_source", "icl_us", "arrival_error_ns", "message", "answer",
    "tokens_reasoning", "repetition", "kind", "finish_reason", "tools", "tool_calls",
)  # fmt: skip
"""The columns of the table in the order of `Turns.rows`; run_id and shard_id, the same for all, are left out."""
_KEYS = (
    "id", "s", "n", "out", "code", "detail", "planned", "sent", "fb", "fc", "ft", "lc", "done", "hs", "chunks",
    "in", "outb", "ti", "to", "ts", "icl", "err", "msg", "ans",
)  # fmt: skip
_OPTIONAL = ("tr", "kind", "fin", "tools", "calls")
_get = itemgetter(*_KEYS)
_INT = frozenset({int})
_INT_OR_NONE = frozenset({int, type(None)})
_TEXT_OR_NONE = frozenset({str, type(None)})
_LIST_OR_NONE = frozenset({list, type(None)})
_DICT_OR_NONE = frozenset({dict, type(None)})
_TYPES = {
    **dict.fromkeys(("id", "s", "n", "planned", "chunks", "in", "outb"), _INT),
    **dict.fromkeys(("sent", "fb", "fc", "ft", "lc", "done", "ti", "to", "tr"), _INT_OR_NONE),
    **dict.fromkeys(("code", "detail", "msg", "ans", "kind", "fin"), _TEXT_OR_NONE),
    **dict.fromkeys(("icl", "err", "calls"), _LIST_OR_NONE),
    **dict.fromkeys(("hs", "tools"), _DICT_OR_NONE),
    "out": frozenset({str}),
    "ts": frozenset({str}),
}
CODE_CHARS = 60
KIND_CHARS = 12
REASON_CHARS = 40
NAME_CHARS = 120
MODEL_CHARS = 200


class Malformed(ValueError):
    """A ledger line that is JSON but invalid for its kind."""


Line = dict[str, Any]


@dataclass(frozen=True)
class Turns:
    """`rows` holds one sequence per entry of ROW_FIELDS; `columns` the same turns for the metrics."""

    rows: tuple[Sequence[Any], ...]
    columns: Columns
    last_answers: dict[int, str]

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return zip(*self.rows, strict=True)

    def row(self, field: str) -> Sequence[Any]:
        return self.rows[ROW_FIELDS.index(field)]


def turns_of(lines: Sequence[Line], previous: Mapping[int, str], groups: int = 1) -> Turns:
    """Turn lines as rows and columns, for a run with that many groups. Raises Malformed if any of them is invalid."""
    try:
        raw: dict[str, Sequence[Any]] = dict.fromkeys(_KEYS, ())
        if lines:
            raw = dict(zip(_KEYS, zip(*map(_get, lines), strict=True), strict=True))
        raw |= {key: [line.get(key) for line in lines] for key in _OPTIONAL}  # an earlier version's lines have none
        for key, allowed in _TYPES.items():
            if not allowed.issuperset(map(type, raw[key])):
                raise Malformed(f"a turn's '{key}' has a wrong type")
        return _build(raw, previous, None if groups == 1 else _groups(lines, groups))
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        raise Malformed(f"not a turn: {exc}") from exc


def _groups(lines: Sequence[Line], groups: int) -> Ints:
    """A line written after an engine's death may have no group: it counts to the first."""
    found = [line.get("g", 0) for line in lines]
    if not _INT.issuperset(map(type, found)) or not all(0 <= number < groups for number in found):
        raise Malformed("a turn's 'g' is not a group of its run")
    return np.array(found, dtype=np.int64)


def _build(raw: Mapping[str, Sequence[Any]], previous: Mapping[int, str], group: Ints | None) -> Turns:
    limits = {"kind": KIND_CHARS, "fin": REASON_CHARS}
    raw = {**raw, **{key: [word and word[:most] for word in raw[key]] for key, most in limits.items()}}
    for key, limit in (("id", INT64), ("s", INT64), ("n", INT32)):
        if max(raw[key], default=0) > limit or min(raw[key], default=0) < 0:
            raise Malformed(f"a turn's '{key}' is out of range")
    outcome = code_column(raw["out"], OUTCOMES)
    usable: list[bool] = (outcome == OUTCOMES.index("ok")).tolist()
    repetition, last_answers = repetitions(raw["s"], usable, raw["ans"], previous)
    tokens_in, tokens_out = (_count_column(raw[key]) for key in ("ti", "to"))
    columns = Columns(
        outcome=outcome,
        planned=int_column(raw["planned"]),
        sent=int_column(raw["sent"]),
        first_byte=int_column(raw["fb"]),
        first_chunk=int_column(raw["fc"]),
        first_content=int_column(raw["ft"]),
        last_content=int_column(raw["lc"]),
        done=int_column(raw["done"]),
        chunks=_count_column(raw["chunks"]),
        bytes_in=int_column(raw["in"]),
        bytes_out=int_column(raw["outb"]),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        tokens_source=code_column(raw["ts"], TOKEN_SOURCES),
        tokens_reasoning=_count_column(raw["tr"]),
        repetition=repetition,
        gaps_us=_pooled(raw["icl"], 0, UINT32),
        arrival_error_ns=_pooled(raw["err"], -ARRIVAL_ERROR_LIMIT_NS, ARRIVAL_ERROR_LIMIT_NS),
        handshake=_handshake(raw["hs"]),
        group=group,
        kind=word_column(raw["kind"]),
        finish_reason=word_column(raw["fin"]),
        tools=word_column(_checked_tools(raw["tools"])),
    )
    return Turns(_rows(raw, columns), columns, last_answers)


def _rows(raw: Mapping[str, Sequence[Any]], columns: Columns) -> tuple[Sequence[Any], ...]:
    size = len(columns)
    return (
        *(raw[key] for key in ("id", "s", "n", "out")),
        [None if code is None else present_code(code[:CODE_CHARS]) for code in raw["code"]],
        *(raw[key] for key in ("detail", "planned", "sent", "fb", "fc", "ft", "lc", "done")),
        [orjson.dumps(steps).decode() if steps else None for steps in raw["hs"]],
        columns.chunks.tolist(),
        raw["in"],
        raw["outb"],
        optional(columns.tokens_in),
        optional(columns.tokens_out),
        raw["ts"],
        _packed(columns.gaps_us, "<u4", size),
        _packed(columns.arrival_error_ns, "<i8", size),
        raw["msg"],
        raw["ans"],
        optional(columns.tokens_reasoning),
        [None if r is None else r / REPETITION_SCALE for r in optional(columns.repetition)],
        raw["kind"],
        raw["fin"],
        [orjson.dumps(tools).decode() if tools else None for tools in raw["tools"]],
        [None if calls is None else orjson.dumps(calls).decode() for calls in raw["calls"]],
    )


def optional(column: Ints) -> list[int | None]:
    """The column as Python values, None where MISSING."""
    values: list[int | None] = column.tolist()
    for row in np.flatnonzero(column == MISSING).tolist():
        values[row] = None
    return values


def _count_column(values: Sequence[int | None]) -> Ints:
    """A target's own counts, which may be any number, clipped to a database's integer."""
    column = int_column(values)
    return np.where(column == MISSING, MISSING, np.clip(column, 0, INT32))


def _checked_tools(counts: Sequence[dict[str, int] | None]) -> Sequence[dict[str, int] | None]:
    """How often each tool was called."""
    for called in filter(None, counts):
        numbers = called.values()
        if not _INT.issuperset(map(type, numbers)) or not all(0 < number <= INT32 for number in numbers):
            raise Malformed("how often a tool was called is not a whole number")
    return counts


def _pooled(lists: Sequence[list[int] | None], low: int, high: int) -> Pooled:
    lengths = np.array([len(v) if v else 0 for v in lists], dtype=np.int64)
    flat = list(chain.from_iterable(v for v in lists if v))
    if not _INT.issuperset(map(type, flat)):
        raise Malformed("a list of times holds something else")
    values = np.clip(np.array(flat, dtype=np.int64), low, high)
    return Pooled(np.repeat(np.arange(len(lists)), lengths), values)


def _packed(pooled: Pooled, dtype: str, size: int) -> list[bytes | None]:
    """Each turn's values as bytes; None for a turn without any."""
    data = pooled.values.astype(dtype).tobytes()
    width = np.dtype(dtype).itemsize
    ends = np.cumsum(np.bincount(pooled.rows, minlength=size)) * width
    packed: list[bytes | None] = []
    start = 0
    for end in ends.tolist():
        packed.append(data[start:end] if end > start else None)
        start = end
    return packed


def _handshake(steps: Sequence[dict[str, int] | None]) -> dict[str, Pooled]:
    for turn in steps:
        if turn and not _INT.issuperset(map(type, turn.values())):
            raise Malformed("a handshake step's time is not a whole number")
    return handshake_columns(steps)

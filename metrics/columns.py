"""The turns of a batch as columns, from which all metrics are computed, whether read from a ledger or from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from metrics.report_schema import Outcome

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Words = NDArray[np.object_]
"""A text, an object of counts or None per turn."""
OPTIONAL = ("group", "kind", "finish_reason", "tools")
"""Columns that a run may not have."""

MISSING = -(2**62)
"""Marks unknown values in an integer column. No time and no count is this small."""
OUTCOMES: Final[tuple[Outcome, ...]] = ("ok", "error", "timeout", "aborted", "unknown")
LEFT = "user_left"
"""The code of an aborted turn whose user gave up: nobody who asks again, so that the message failed."""
TOKEN_SIDES = {
    "usage": ("usage", "usage"),
    "estimate": ("estimate", "estimate"),
    "none": ("none", "none"),
    "mixed": ("estimate", "usage"),  # only the output was reported
    "mixed_in": ("usage", "estimate"),  # only the input was reported
    "doubted": ("estimate", "estimate"),  # the reported counts are implausible
    "doubt_in": ("estimate", "usage"),
    "doubt_to": ("usage", "estimate"),
    "split": ("usage", "usage"),  # reasoning was streamed and not counted: its share of the output is by characters
    "split_in": ("estimate", "usage"),
    "asked": ("estimate", "none"),  # an answer without text, such as a tool call, without reported output
    "asked_in": ("usage", "none"),
}
"""Sources of a turn's input and output tokens, by the word in its record: append new words only."""
TOKEN_SOURCES = tuple(TOKEN_SIDES)
DOUBTED_SOURCES = ("doubted", "doubt_in", "doubt_to")
SPLIT_SOURCES = ("split", "split_in")
REPETITION_SCALE = 10_000
ARRIVAL_ERROR_LIMIT_NS = 3_600_000_000_000
"""Limit for stamps, which come from the target: a wrong one must not overflow a sum of 64 bits."""
INT32 = 2**31 - 1
INT64 = 2**63 - 1
UINT32 = 2**32 - 1


@dataclass(frozen=True)
class Pooled:
    """Any number of values per turn, end to end: `rows[i]` is the turn (its index) that `values[i]` belongs to."""

    rows: Ints
    values: Ints

    @classmethod
    def of_arrays(cls, arrays: Sequence[Ints]) -> Pooled:
        """From one array per turn."""
        lengths = np.fromiter(map(len, arrays), dtype=np.int64, count=len(arrays))
        values = np.concatenate(arrays) if len(arrays) else np.zeros(0, dtype=np.int64)
        return cls(np.repeat(np.arange(len(arrays)), lengths), values)

    def of_rows(self, chosen: Bools) -> Pooled:
        """The values of the chosen turns, which are then numbered anew."""
        kept = chosen[self.rows]
        return Pooled((np.cumsum(chosen) - 1)[self.rows[kept]], self.values[kept])

    @classmethod
    def empty(cls) -> Pooled:
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class Columns:
    """One entry per turn in every array. Times are ns since the shard's start, MISSING where not known."""

    outcome: NDArray[np.int8]  # index into OUTCOMES
    planned: Ints
    sent: Ints
    first_byte: Ints
    first_chunk: Ints
    first_content: Ints
    last_content: Ints
    done: Ints
    chunks: Ints
    bytes_in: Ints
    bytes_out: Ints
    tokens_in: Ints
    tokens_out: Ints
    tokens_source: NDArray[np.int8]  # index into TOKEN_SOURCES
    tokens_reasoning: Ints  # part of tokens_out; MISSING if not reported and none was streamed
    repetition: Ints  # in 1 / REPETITION_SCALE, MISSING without an answer before
    gaps_us: Pooled  # between content chunks
    arrival_error_ns: Pooled
    handshake: Mapping[str, Pooled] = field(default_factory=dict)  # ns per step
    group: Ints | None = None  # its number; None in a run with one group
    kind: Words | None = None  # of the answer, None for text and where nothing is known; None: of no turn
    finish_reason: Words | None = None
    tools: Words | None = None  # how often each tool was called, by its name; None: none was

    def __len__(self) -> int:
        return len(self.outcome)

    def of_rows(self, chosen: Bools) -> Columns:
        """The chosen turns only."""
        pooled = {name: getattr(self, name).of_rows(chosen) for name in ("gaps_us", "arrival_error_ns")}
        steps = {step: found.of_rows(chosen) for step, found in self.handshake.items()}
        plain = {
            item.name: getattr(self, item.name)[chosen]
            for item in fields(self)
            if item.name not in {*pooled, "handshake", *OPTIONAL}
        }
        optional: dict[str, Any] = {
            name: None if (column := getattr(self, name)) is None else column[chosen] for name in OPTIONAL
        }
        return Columns(
            **plain,
            **pooled,
            handshake={step: found for step, found in steps.items() if len(found.values)},
            **optional,
        )

    @property
    def ok(self) -> Bools:
        ok: Bools = self.outcome == OUTCOMES.index("ok")
        return ok

    @property
    def ended(self) -> Ints:
        """When each turn ended: done, otherwise (unknown turns) the last known time, otherwise 0."""
        ended = self.done
        for earlier in (self.sent, self.planned):
            ended = np.where(ended == MISSING, earlier, ended)
        return np.maximum(ended, 0)

    @property
    def begun(self) -> Ints:
        """When each turn began: sent, else (never sent) planned, else its end."""
        begun = np.where(self.sent == MISSING, self.planned, self.sent)
        return np.maximum(np.where(begun == MISSING, self.ended, begun), 0)


def int_column(values: Sequence[int | None]) -> Ints:
    """A column from whole numbers and None. Raises ValueError, TypeError or OverflowError for anything else."""
    return np.array([MISSING if v is None else v for v in values], dtype=np.int64)


def word_column(values: Sequence[str | Mapping[str, int] | None]) -> Words | None:
    """None if no turn has any."""
    return np.array(values, dtype=object) if any(values) else None


def code_column(values: Sequence[str], words: Sequence[str]) -> NDArray[np.int8]:
    """Each value's index in `words`. Raises KeyError for a value that is not among them."""
    index = {word: i for i, word in enumerate(words)}
    return np.array([index[v] for v in values], dtype=np.int8)


def handshake_columns(steps: Sequence[Mapping[str, int] | None]) -> dict[str, Pooled]:
    """ns per handshake step, for the turns that made one (most reuse a connection and made none)."""
    found: dict[str, tuple[list[int], list[int]]] = {}
    for row, turn in enumerate(steps):
        if turn:
            for name, value in turn.items():
                rows, values = found.setdefault(name, ([], []))
                rows.append(row)
                values.append(value)
    return {
        name: Pooled(np.array(rows, dtype=np.int64), np.array(values, dtype=np.int64))
        for name, (rows, values) in sorted(found.items())
    }

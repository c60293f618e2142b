"""Parses bytes of a ledger into a Batch: rows and windows, ready to store. No I/O, no Django.

Whole lines only: the bytes of an unfinished last line are left for the next call. A line that cannot be read is
quarantined (counted, kept as text) and never stops the ingest of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from metrics.histogram import Histogram
from metrics.ingest.lines import (
    GENERATOR_KEYS,
    WAITING_KEYS,
    SessionClose,
    SessionOpen,
    by_kind,
    generator,
    head_of,
    read_each,
    session_close,
    session_open,
    tail_of,
    turn_unsolicited,
    unsolicited,
)
from metrics.ingest.turns import Line, Malformed, Turns, turns_of
from metrics.ingest.windows import (
    Opened,
    Span,
    Windows,
    add_bad_lines,
    add_farewells,
    add_sessions,
    add_turns,
    add_unsolicited,
    is_counted,
    second_of,
    window,
)

STALL_US = 100_000
"""A loop that wakes up later than this was not just busy: its process was suspended."""


@dataclass(frozen=True)
class Batch:
    """The content of one piece of a shard's ledger: `consumed` bytes from `base_offset` on."""

    run_id: int
    shard_id: int
    base_offset: int
    consumed: int
    turns: Turns
    opens: Sequence[SessionOpen]
    closes: Sequence[SessionClose]
    windows: Mapping[int, dict[str, Any]]
    gens: Sequence[Line]
    head: Line | None = None
    tail: Line | None = None
    quarantined: Sequence[str] = field(default_factory=tuple)

    @property
    def end_offset(self) -> int:
        """The shard's ledger offset once this batch is stored."""
        return self.base_offset + self.consumed

    @property
    def last_answers(self) -> Mapping[int, str]:
        """For the next call's `previous`: the last answer of each session that is still open."""
        return self.turns.last_answers


def parse(
    data: bytes,
    run_id: int,
    shard_id: int,
    base_offset: int = 0,
    previous: Mapping[int, str] | None = None,
    counted: Span = (0, None),
    groups: int = 1,
) -> Batch:
    """Read the whole lines in `data`, which begins at the ledger's byte `base_offset`.

    `previous` is the last batch's `last_answers`, or after a restart `metrics.storage.store.last_answers(shard_id)`:
    with it a turn's repetition does not depend on where the ledger was cut into batches. Turns outside of `counted`
    become rows, and in the windows a number. With several `groups` the windows tell them apart.
    """
    consumed = data.rfind(b"\n") + 1
    bad: list[str] = []
    lines = by_kind(data[:consumed], bad)
    turns = _turns(lines["turn"], previous or {}, groups, bad)
    opens = read_each(partial(session_open, groups=groups), lines["open"], bad)
    closes = read_each(partial(session_close, groups=groups), lines["close"], bad)
    for close in closes:
        turns.last_answers.pop(close.id, None)
    windows: Windows = {}
    add_turns(windows, shard_id, turns.columns, turns.row("code"), counted)
    begun = [(o.started_ns, o.group) for o in opens if is_counted(o.started_ns, counted)]
    _add_sessions(windows, shard_id, begun, [c for c in closes if is_counted(c.began_ns, counted)], groups)
    found = [turn_unsolicited(line) for line in lines["turn"] if "uns" in line]
    add_unsolicited(windows, shard_id, [*found, *read_each(unsolicited, lines["uns"], bad)])
    gens = read_each(generator, lines["gen"], bad)
    _add_generator(windows, shard_id, gens)
    heads, tails = read_each(head_of, lines["head"], bad), read_each(tail_of, lines["tail"], bad)
    _add_ends(windows, shard_id, heads, tails)
    add_bad_lines(windows, shard_id, bad)
    first, last = heads[0] if heads else None, tails[-1] if tails else None
    return Batch(
        run_id, shard_id, base_offset, consumed, turns, opens, closes, windows, gens, first, last, tuple(bad)
    )  # fmt: skip


def _add_sessions(
    windows: Windows, shard_id: int, begun: Sequence[Opened], closes: Sequence[SessionClose], groups: int
) -> None:
    ended = ((c.ended_ns, c.outcome, c.code, c.group) for c in closes)
    add_sessions(windows, shard_id, begun, ended, grouped=groups > 1)
    parted = ((c.ended_ns, c.farewell, c.farewell_code, c.group) for c in closes if c.farewell is not None)
    add_farewells(windows, shard_id, parted, grouped=groups > 1)


def _turns(lines: list[Line], previous: Mapping[int, str], groups: int, bad: list[str]) -> Turns:
    def checked(line: Line) -> Line:
        turns_of([line], {}, groups)
        return line

    try:
        return turns_of(lines, previous, groups)
    except Malformed:
        return turns_of(read_each(checked, lines, bad), previous, groups)


def _add_ends(windows: Windows, shard_id: int, heads: Sequence[Line], tails: Sequence[Line]) -> None:
    for head in heads:
        window(windows, shard_id, 0)["head"] = head
    for tail in tails:
        window(windows, shard_id, second_of(tail["at"]))["tail"] = tail


def _add_generator(windows: Windows, shard_id: int, gens: Sequence[Line]) -> None:
    lags: dict[int, list[int]] = {}
    for line in gens:
        second = second_of(line["at"])
        row = [line[key] for key in GENERATOR_KEYS] + [line.get(key, 0) for key in WAITING_KEYS]
        data = window(windows, shard_id, second)
        data.setdefault("gen", []).append(row)
        data["waits"] = line.get("waits", [])
        lags.setdefault(second, []).extend(line["lag"])
    for second, values in lags.items():
        if not windows[second]["waits"]:
            del windows[second]["waits"]
        if values:
            windows[second]["lag"] = Histogram.of([value * 1000 for value in values]).to_json()
        if stalls := [value * 1000 for value in values if value > STALL_US]:
            windows[second]["stall"] = [sum(stalls), max(stalls)]

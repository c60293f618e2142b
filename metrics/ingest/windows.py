"""Windows: additive counters and histograms of one shard for one second, as JSON data.

    v 1, shard, second, out [per OUTCOMES], sent, codes {code: n}, chunks, bytes_in, bytes_out, tokens_in, tokens_out,
    tokens_out_ok, wasted [tokens in, tokens out of turns with a code of WASTED], sources [per TOKEN_SOURCES, cut
    after the last one that counts], tr (reasoning tokens, where they are known),
    first and last (ns: begin of the first turn, end of the last one),
    kind {kind: n} and fin {finish reason: n}: answers that are not plain text, and what targets said why they ended,
    tools {name: n}: how often each tool was called,
    m {metric: histogram}, given_up (histogram, ns: lower bounds of e2e_planned_ms),
    opened, closed {outcome: n}, closed_codes {code: n},
    bye {metric: histogram} and bye_codes {code: n}: requests at the end of sessions, and those that failed,
    gen [[at, cpu_ns, rss, active, inflight, dropped, overdue, hung]] (an earlier version's have no overdue and hung),
    waits [[group, ms, turns]]: turns in flight at the last of these that have failed if the target ends the run then,
    and for how long they wait at least,
    lag (histogram, ns),
    stall [ns that the engine stood still, the longest of them], head {..}, tail {..},
    bad {n, text [the first few]}, uncounted (turns of the warm-up or cool-down, which are in nothing else but)
    uncounted_spent {group: [ok, failed, tokens_in, tokens_out]}: what a budget counts of them,
    waited (turns of the warm-up that were unanswered when the load ended: whose users were missing from it),
    uns (messages that belong to no question, by the end of the turn or the time that they were counted with),
    groups {number: {out .. m, opened .. closed_codes of that group}} in a run of several groups

A key is left out where there is nothing to say. The second is that of a turn's end (unknown turns: of the last
time known of them), of a session's start or end, of a generator line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from metrics.columns import LEFT, MISSING, OUTCOMES, TOKEN_SOURCES, Bools, Columns, Ints, Pooled
from metrics.definitions import Metric, farewell_metric, given_up, measured
from metrics.histogram import packed

SECOND_NS = 1_000_000_000
GROUPS = 1 << 20
"""More groups than any run has, to combine a second and a group into one number."""
FAILED = (OUTCOMES.index("error"), OUTCOMES.index("timeout"))
"""Outcomes that count as failures of the target. A turn with the code LEFT failed as well."""
WASTED = {LEFT: "abandoned", "user_resent": "resent", "user_hedged": "hedged"}
"""Codes of turns whose user did not wait for the answer, and the report's key for each."""
UNANSWERED = "unanswered"
BAD_TEXTS = 3
BAD_CHARS = 200

Data = dict[str, Any]
Windows = dict[int, Data]


def window(windows: Windows, shard_id: int, second: int) -> Data:
    """The window of that second, made if need be."""
    return windows.setdefault(second, {"v": 1, "shard": shard_id, "second": second})


def second_of(ns: int) -> int:
    return max(ns, 0) // SECOND_NS


Span = tuple[int, int | None]
"""From when until when turns count, by the time they were planned for: ns since the start; None: to the end."""


def is_counted(began_ns: int, counted: Span) -> bool:
    """Whether a conversation that began then counts: not in the warm-up or the cool-down."""
    from_ns, to_ns = counted
    return began_ns >= from_ns and (to_ns is None or began_ns < to_ns)


def add_turns(
    windows: Windows, shard_id: int, columns: Columns, codes: Sequence[str | None], counted: Span = (0, None)
) -> None:
    """Add counters and histograms of these turns, also per group if `columns.group` is set. `codes` has one entry per
    turn."""
    if counted != (0, None):
        columns, codes = _add_uncounted(windows, shard_id, columns, codes, counted)
    if not len(columns):
        return
    seconds = columns.ended // SECOND_NS
    counters, found = _counters(columns), list(measured(columns))
    for second, part in _parts(seconds, columns, counters, found, codes):
        window(windows, shard_id, second).update(part)
    if columns.group is not None:
        keys = seconds * GROUPS + columns.group
        for key, part in _parts(keys, columns, counters, found, codes):
            second, number = divmod(key, GROUPS)
            group(windows[second], number).update(part)


def group(data: Data, number: int) -> Data:
    """That group's part of a window, made if need be."""
    part: Data = data.setdefault("groups", {}).setdefault(str(number), {})
    return part


def _parts(
    keys: Ints,
    columns: Columns,
    counters: Mapping[str, Ints],
    found: Sequence[tuple[Metric, Pooled]],
    codes: Sequence[str | None],
) -> Iterator[tuple[int, Data]]:
    """The data of the turns of each key; `keys` has one entry per turn."""
    order = np.argsort(keys, kind="stable")
    numbers, starts = np.unique(keys[order], return_index=True)
    sums = {name: np.add.reduceat(column[order], starts).tolist() for name, column in counters.items()}
    firsts = np.minimum.reduceat(columns.begun[order], starts).tolist()
    lasts = np.maximum.reduceat(columns.ended[order], starts).tolist()
    parts: dict[int, Data] = {}
    for i, key in enumerate(numbers.tolist()):
        part = parts[key] = {name: values[i] for name, values in sums.items() if "." not in name}
        part["out"] = [sums[f"out.{word}"][i] for word in OUTCOMES]
        part["sources"] = _cut([sums[f"sources.{word}"][i] for word in TOKEN_SOURCES])
        part["first"], part["last"] = firsts[i], lasts[i]
    for row in np.flatnonzero(columns.tokens_reasoning != MISSING).tolist():
        part = parts[int(keys[row])]
        part["tr"] = part.get("tr", 0) + int(columns.tokens_reasoning[row])
    _add_codes(parts, keys, columns, codes)
    for name, words in (("kind", columns.kind), ("fin", columns.finish_reason)):
        if words is not None:
            for row in np.flatnonzero(words).tolist():
                _count(parts[int(keys[row])], name, words[row])
    if columns.tools is not None:
        for row in np.flatnonzero(columns.tools).tolist():
            for name, number in columns.tools[row].items():
                _count(parts[int(keys[row])], "tools", name, number)
    for metric, pooled in found:
        for key, histogram in packed(keys[pooled.rows], pooled.values):
            parts[key].setdefault("m", {})[metric.name] = histogram
    waits = given_up(columns, codes)
    for key, histogram in packed(keys[waits.rows], waits.values):
        parts[key]["given_up"] = histogram
    yield from parts.items()


def _add_codes(parts: Mapping[int, Data], keys: Ints, columns: Columns, codes: Sequence[str | None]) -> None:
    """Count every turn that is not ok under its code, and without one under its outcome."""
    for row in np.flatnonzero(~columns.ok).tolist():
        part = parts[int(keys[row])]
        code = codes[row] or OUTCOMES[columns.outcome[row]]
        _count(part, "codes", code)
        if code in WASTED:
            wasted = part.setdefault("wasted", [0, 0])
            wasted[0] += int(max(columns.tokens_in[row], 0))
            wasted[1] += int(max(columns.tokens_out[row], 0))


def _cut(counts: list[int]) -> list[int]:
    """Without the zeros at its end; the first three words were always there."""
    size = len(counts)
    while size > 3 and not counts[size - 1]:
        size -= 1
    return counts[:size]


def _add_uncounted(
    windows: Windows, shard_id: int, columns: Columns, codes: Sequence[str | None], counted: Span
) -> tuple[Columns, Sequence[str | None]]:
    """Count the turns outside of `counted`; return the others."""
    from_ns, to_ns = counted
    inside = columns.planned >= from_ns
    if to_ns is not None:
        inside &= columns.planned < to_ns
    outside = columns.of_rows(~inside)
    groups = np.zeros(len(outside), dtype=np.int64) if outside.group is None else outside.group
    keys, places, numbers = np.unique(
        outside.ended // SECOND_NS * GROUPS + groups, return_inverse=True, return_counts=True
    )
    left = [codes[row] == LEFT for row in np.flatnonzero(~inside).tolist()]
    used_by = _spent(outside, np.array(left, dtype=np.bool_))
    spent = [np.bincount(places, counts, len(keys)).astype(np.int64).tolist() for counts in used_by]
    for key, number, *used in zip(keys.tolist(), numbers.tolist(), *spent, strict=True):
        second, group_number = divmod(key, GROUPS)
        data = window(windows, shard_id, second)
        data["uncounted"] = data.get("uncounted", 0) + number
        data.setdefault("uncounted_spent", {})[str(group_number)] = used
    for row in np.flatnonzero(columns.planned < from_ns).tolist():
        if codes[row] == UNANSWERED:
            data = window(windows, shard_id, second_of(int(columns.ended[row])))
            data["waited"] = data.get("waited", 0) + 1
    return columns.of_rows(inside), [codes[row] for row in np.flatnonzero(inside).tolist()]


def _spent(columns: Columns, left: Bools) -> tuple[Ints, ...]:
    """The amounts that a budget counts per turn: ok, failed, tokens in and out. `left`: its user gave up."""
    ok, failed = columns.ok.astype(np.int64), (np.isin(columns.outcome, FAILED) | left).astype(np.int64)
    return ok, failed, np.maximum(columns.tokens_in, 0), np.maximum(columns.tokens_out, 0)


def _counters(columns: Columns) -> dict[str, Ints]:
    tokens_in, tokens_out = np.maximum(columns.tokens_in, 0), np.maximum(columns.tokens_out, 0)
    counters = {
        "sent": (columns.sent != MISSING).astype(np.int64),
        "chunks": columns.chunks,
        "bytes_in": columns.bytes_in,
        "bytes_out": columns.bytes_out,
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "tokens_out_ok": np.where(columns.ok, tokens_out, 0),
    }
    for i, word in enumerate(OUTCOMES):
        counters[f"out.{word}"] = (columns.outcome == i).astype(np.int64)
    for i, source in enumerate(TOKEN_SOURCES):
        counters[f"sources.{source}"] = (columns.tokens_source == i).astype(np.int64)
    return counters


def _count(data: Data, key: str, word: str, number: int = 1) -> None:
    counts = data.setdefault(key, {})
    counts[word] = counts.get(word, 0) + number


Opened = tuple[int, int]
"""When a session began, and its group."""
Closed = tuple[int, str, str | None, int]
"""When a session ended, how, with which code, and its group."""
Parted = tuple[int, Mapping[str, int], str | None, int]
"""When a session ended, what its last requests took (ns), the code of one that failed, and its group."""


def add_sessions(
    windows: Windows, shard_id: int, opened: Iterable[Opened], closed: Iterable[Closed], *, grouped: bool = False
) -> None:
    """Sessions that began and that ended; `grouped`: of each group too."""
    for at_ns, number in opened:
        data = window(windows, shard_id, second_of(at_ns))
        for part in (data, group(data, number)) if grouped else (data,):
            part["opened"] = part.get("opened", 0) + 1
    for at_ns, outcome, code, number in closed:
        data = window(windows, shard_id, second_of(at_ns))
        for part in (data, group(data, number)) if grouped else (data,):
            _count(part, "closed", outcome)
            if code:
                _count(part, "closed_codes", code)


def add_farewells(windows: Windows, shard_id: int, parted: Iterable[Parted], *, grouped: bool = False) -> None:
    """The requests at the end of sessions; `grouped`: of each group too."""
    times: dict[str, list[tuple[int, int]]] = {}
    for at_ns, took, code, number in parted:
        second = second_of(at_ns)
        for name, ns in took.items():
            times.setdefault(name, []).append((second * GROUPS + number, ns))
        if code:
            data = window(windows, shard_id, second)
            for part in (data, group(data, number)) if grouped else (data,):
                _count(part, "bye_codes", code)
    for name, found in times.items():
        keys, values = (np.array(column, dtype=np.int64) for column in zip(*found, strict=True))
        metric = farewell_metric(name).name
        for key, histogram in packed(keys // GROUPS, values):
            window(windows, shard_id, key).setdefault("bye", {})[metric] = histogram
        for key, histogram in packed(keys, values) if grouped else ():
            second, number = divmod(key, GROUPS)
            group(window(windows, shard_id, second), number).setdefault("bye", {})[metric] = histogram


def add_unsolicited(windows: Windows, shard_id: int, found: Iterable[tuple[int, int]]) -> None:
    """Messages that belong to no question: when they were counted (ns), and how many."""
    for at_ns, count in found:
        data = window(windows, shard_id, second_of(at_ns))
        data["uns"] = data.get("uns", 0) + count


def add_bad_lines(windows: Windows, shard_id: int, texts: Sequence[str]) -> None:
    """Lines that could not be read, with the first few of their texts: counted, never lost silently."""
    if texts:
        shown = [text[:BAD_CHARS] for text in texts[:BAD_TEXTS]]
        window(windows, shard_id, max(windows, default=0))["bad"] = {"n": len(texts), "text": shown}

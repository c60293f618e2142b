"""Windows: counters and histograms of one shard for one second, as JSON data that only ever adds up.

    v 1, shard, second, out [per OUTCOMES], sent, codes {code: n}, chunks, bytes_in, bytes_out, tokens_in, tokens_out,
    tokens_out_ok, sources [per TOKEN_SOURCES], first and last (ns: begin of the first turn, end of the last one),
    m {metric: histogram}, opened, closed {outcome: n}, closed_codes {code: n},
    gen [[at, cpu_ns, rss, active, inflight, dropped]], lag (histogram, ns), head {..}, tail {..},
    bad {n, text [the first few]}, uncounted (turns of the warm-up or cool-down, which are in nothing else)

A key is left out where there is nothing to say. The second is that of a turn's end (unknown turns: of the last
time known of them), of a session's start or end, of a generator line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from metrics.columns import MISSING, OUTCOMES, TOKEN_SOURCES, Columns, Ints, Pooled
from metrics.definitions import measured
from metrics.histogram import Histogram, bucket_indices

SECOND_NS = 1_000_000_000
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


def add_turns(
    windows: Windows, shard_id: int, columns: Columns, codes: Sequence[str | None], counted: Span = (0, None)
) -> None:
    """Counters and histograms of these turns. `codes` has one entry per turn."""
    if counted != (0, None):
        columns, codes = _add_uncounted(windows, shard_id, columns, codes, counted)
    if not len(columns):
        return
    seconds = columns.ended // SECOND_NS
    order = np.argsort(seconds, kind="stable")
    keys, starts = np.unique(seconds[order], return_index=True)
    columns_by_name = _counters(columns)
    sums = {name: np.add.reduceat(column[order], starts).tolist() for name, column in columns_by_name.items()}
    firsts = np.minimum.reduceat(columns.begun[order], starts).tolist()
    lasts = np.maximum.reduceat(columns.ended[order], starts).tolist()
    for i, second in enumerate(keys.tolist()):
        data = window(windows, shard_id, second)
        data.update({name: values[i] for name, values in sums.items() if "." not in name})
        data["out"] = [sums[f"out.{word}"][i] for word in OUTCOMES]
        data["sources"] = [sums[f"sources.{word}"][i] for word in TOKEN_SOURCES]
        data["first"], data["last"] = firsts[i], lasts[i]
    _add_codes(windows, seconds, columns, codes)
    for metric, found in measured(columns):
        for second, histogram in _histograms(seconds, found):
            windows[second].setdefault("m", {})[metric.name] = histogram.to_json()


def _add_uncounted(
    windows: Windows, shard_id: int, columns: Columns, codes: Sequence[str | None], counted: Span
) -> tuple[Columns, Sequence[str | None]]:
    """Count the turns outside of `counted`; return the others."""
    from_ns, to_ns = counted
    inside = columns.planned >= from_ns
    if to_ns is not None:
        inside &= columns.planned < to_ns
    seconds, numbers = np.unique(columns.ended[~inside] // SECOND_NS, return_counts=True)
    for second, number in zip(seconds.tolist(), numbers.tolist(), strict=True):
        window(windows, shard_id, second)["uncounted"] = number
    return columns.of_rows(inside), [codes[row] for row in np.flatnonzero(inside).tolist()]


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
    for i, word in enumerate(TOKEN_SOURCES):
        counters[f"sources.{word}"] = (columns.tokens_source == i).astype(np.int64)
    return counters


def _add_codes(windows: Windows, seconds: Ints, columns: Columns, codes: Sequence[str | None]) -> None:
    """Every turn that is not ok counts under its code, and without one under its outcome."""
    for row in np.flatnonzero(~columns.ok).tolist():
        code = codes[row] or OUTCOMES[columns.outcome[row]]
        _count(windows[int(seconds[row])], "codes", code)


def _count(data: Data, key: str, word: str) -> None:
    counts = data.setdefault(key, {})
    counts[word] = counts.get(word, 0) + 1


def _histograms(seconds: Ints, found: Pooled) -> Iterator[tuple[int, Histogram]]:
    """One histogram for each second that has values."""
    at = seconds[found.rows]
    order = np.argsort(at, kind="stable")
    values = found.values[order]
    indices = bucket_indices(values)
    keys, starts = np.unique(at[order], return_index=True)
    ends = [*starts.tolist()[1:], len(values)]
    for second, start, end in zip(keys.tolist(), starts.tolist(), ends, strict=True):
        histogram = Histogram()
        histogram.record_indexed(values[start:end], indices[start:end])
        yield second, histogram


def add_sessions(
    windows: Windows, shard_id: int, opened_ns: Iterable[int], closed: Iterable[tuple[int, str, str | None]]
) -> None:
    """Sessions that began (their times) and that ended (time, outcome, code)."""
    for second, count in Counter(map(second_of, opened_ns)).items():
        window(windows, shard_id, second)["opened"] = count
    for at_ns, outcome, code in closed:
        data = window(windows, shard_id, second_of(at_ns))
        _count(data, "closed", outcome)
        if code:
            _count(data, "closed_codes", code)


def add_bad_lines(windows: Windows, shard_id: int, texts: Sequence[str]) -> None:
    """Lines that could not be read, with the first few of their texts: counted, never lost silently."""
    if texts:
        shown = [text[:BAD_CHARS] for text in texts[:BAD_TEXTS]]
        window(windows, shard_id, max(windows, default=0))["bad"] = {"n": len(texts), "text": shown}

"""Every metric once: its name, unit, formula, and how its values come from the columns. docs/metrics.md is made
from this file.

Values are whole numbers inside (ns for times, see `Metric.scale`) so that sums are exact, and are divided by the
scale only where a person reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from metrics.columns import MISSING, OUTCOMES, REPETITION_SCALE, Bools, Columns, Ints, Pooled

MS = 1_000_000  # ns
PER_S = 1000  # thousandths
AFTER_SENDING = "resend"
"""The step that comes after the first sending: it is no part of the time before it."""
HANDSHAKE_PREFIX = "handshake_"
STATS = ("count", "mean", "min", "p50", "p90", "p95", "p99", "p999", "max")
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
SAMPLES_NEEDED = {"p50": 2, "p90": 10, "p95": 20, "p99": 100, "p999": 1000}
"""Below this many values a percentile is just the largest value by another name."""

Population = Literal["ok turns", "sent turns", "all turns"]


@dataclass(frozen=True)
class Metric:
    """`values` gives every value with the row it belongs to, before the population is applied."""

    name: str
    label: str
    unit: Literal["ms", "tokens/s", "ratio"]
    scale: int  # whole numbers inside per unit outside
    formula: str
    help: str
    counts: Population
    values: Callable[[Columns], Pooled]

    def of(self, columns: Columns) -> Pooled:
        """The values of the turns that this metric counts."""
        found = self.values(columns)
        if self.counts == "all turns":
            return found
        wanted = columns.ok if self.counts == "ok turns" else columns.sent != MISSING
        keep = wanted[found.rows]
        return Pooled(found.rows[keep], found.values[keep])


def _where(known: Bools, values: Ints) -> Pooled:
    rows = np.flatnonzero(known)
    return Pooled(rows, values[rows])


def _between(start: str, end: str) -> Callable[[Columns], Pooled]:
    def values(columns: Columns) -> Pooled:
        first: Ints = getattr(columns, start)
        last: Ints = getattr(columns, end)
        return _where((first != MISSING) & (last != MISSING), last - first)

    return values


def _gaps(columns: Columns) -> Pooled:
    return Pooled(columns.gaps_us.rows, columns.gaps_us.values * 1000)


def _time_per_token(columns: Columns) -> Pooled:
    first, last = columns.first_content, columns.last_content
    tokens = columns.tokens_out - np.maximum(columns.tokens_reasoning, 0)  # they came before the first text
    known = (first != MISSING) & (last != MISSING) & (tokens >= 2) & (last > first)
    return _where(known, (last - first) // np.maximum(tokens - 1, 1))


def _turn_tokens_per_s(columns: Columns) -> Pooled:
    took = columns.done - columns.sent
    known = (columns.done != MISSING) & (columns.sent != MISSING) & (columns.tokens_out > 0) & (took > 0)
    rows = np.flatnonzero(known)
    return Pooled(rows, np.rint(columns.tokens_out[rows] * (1e9 * PER_S) / took[rows]).astype(np.int64))


def _send_lag(columns: Columns) -> Pooled:
    spent = np.zeros(len(columns), dtype=np.int64)
    for name, step in columns.handshake.items():
        if name != AFTER_SENDING:
            np.add.at(spent, step.rows, step.values)
    known = (columns.sent != MISSING) & (columns.planned != MISSING)
    return _where(known, np.maximum(columns.sent - columns.planned - spent, 0))


def _repetition(columns: Columns) -> Pooled:
    return _where(columns.repetition != MISSING, columns.repetition)


def _arrival_error(columns: Columns) -> Pooled:
    return columns.arrival_error_ns


def handshake_metric(step: str) -> Metric:
    """The metric of one handshake step. Beyond resolve, connect and tls they are the target's affair."""

    def values(columns: Columns) -> Pooled:
        return columns.handshake.get(step) or Pooled.empty()

    what = {
        "resolve": "Looking up the host name.",
        "connect": "Opening the TCP connection.",
        "tls": "The TLS handshake on the open connection.",
        "run_wait": "Waiting for a step per run (a log-in) that another user was doing.",
        "body_wait": "After the end mark of the answer before: waiting for the end of its body, to use its connection.",
        "descriptors": "Finding a gRPC method: the target was asked by reflection, or its .proto was compiled.",
        "resend": "From the first sending to the second, where a kept connection was closed at the moment of sending.",
    }.get(step, f"The step '{step}' of the target's handshake.")
    return Metric(
        f"{HANDSHAKE_PREFIX}{step}_ms", f"Handshake: {step}", "ms", MS, f"end of {step} - begin of {step}",
        f"{what} One value for each time that it was done; a turn on a connection that stands has none.",
        "ok turns", values,
    )  # fmt: skip


METRICS: tuple[Metric, ...] = (
    Metric(
        "ttfb_ms", "Time to first byte", "ms", MS, "first_byte - sent",
        "Until the first byte of the answer, headers included. Not the time to the first token.",
        "ok turns", _between("sent", "first_byte"),
    ),
    Metric(
        "ttfc_ms", "Time to first chunk", "ms", MS, "first_chunk - sent",
        "Until the first whole event or frame after the headers, even if it carries no text.",
        "ok turns", _between("sent", "first_chunk"),
    ),
    Metric(
        "ttft_ms", "Time to first token", "ms", MS, "first_content - sent",
        "Until the first text that is not empty: what a reader waits for. Without streaming, the whole answer.",
        "ok turns", _between("sent", "first_content"),
    ),
    Metric(
        "e2e_ms", "End to end", "ms", MS, "done - sent",
        "Until the answer was complete, end marker and usage included.",
        "ok turns", _between("sent", "done"),
    ),
    Metric(
        "e2e_planned_ms", "End to end, as felt", "ms", MS, "done - planned",
        "From the time at which the message was due: waiting for a connection or for the generator counts too, "
        "so that a stalled target cannot hide the requests it held up (no coordinated omission). A wait that was given "
        "up without an answer counts as one of at least so long (see below).",
        "ok turns", _between("planned", "done"),
    ),
    Metric(
        "icl_ms", "Inter-chunk latency", "ms", MS, "each gap between content chunks, pooled over turns",
        "How evenly the answer flows. Every gap of every turn is one value; a chunk is not always one token.",
        "ok turns", _gaps,
    ),
    Metric(
        "tpot_ms", "Time per output token", "ms", MS,
        "(last_content - first_content) / (output tokens - reasoning tokens - 1)",
        "One value a turn, for answers of two tokens or more that came in more than one piece. Reasoning is in neither "
        "half: it came before the first text. Where it is streamed and not counted by the target, its share of the "
        "output tokens is that of its characters (note `reasoning_split`).",
        "ok turns", _time_per_token,
    ),
    handshake_metric("resolve"),
    handshake_metric("connect"),
    handshake_metric("tls"),
    Metric(
        "turn_tokens_per_s", "Output tokens per second of a turn", "tokens/s", PER_S, "output tokens / (done - sent)",
        "The speed that one user sees, the wait for the first token included. Reasoning is in both halves.",
        "ok turns", _turn_tokens_per_s,
    ),
    Metric(
        "repetition", "Repetition", "ratio", REPETITION_SCALE, "similarity(answer, answer before in the session)",
        "0: nothing in common, 1: the same text (indel similarity of the first 512 characters).",
        "ok turns", _repetition,
    ),
    Metric(
        "send_lag_ms", "Send lag", "ms", MS, "sent - planned - handshake steps of the turn, at least 0",
        "The generator's own lateness, failed turns included. Handshakes are taken off: that time is the target's.",
        "sent turns", _send_lag,
    ),
    Metric(
        "arrival_error_ms", "Arrival error", "ms", MS, "arrival - send time that the chunk carries",
        "How the tool checks itself, with a target on the same host that stamps its chunks (`--stamp`).",
        "all turns", _arrival_error,
    ),
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}
BOUNDED = "e2e_planned_ms"
"""The metric that holds lower bounds beside its values."""
GIVEN_UP = (OUTCOMES.index("timeout"), OUTCOMES.index("aborted"))
"""Outcomes of turns for whose answer somebody waited in vain."""
ANSWERED_BY_OTHER = "user_doubled"
"""The code of a turn whose message another request got an answer to: nobody waited in vain."""


def given_up(columns: Columns, codes: Sequence[str | None]) -> Pooled:
    """How long turns waited that ended without an answer: lower bounds of BOUNDED, in ns. `codes` has one entry per
    turn."""
    rows = np.flatnonzero(np.isin(columns.outcome, GIVEN_UP) & (columns.done != MISSING) & (columns.planned != MISSING))
    rows = rows[[codes[row] != ANSWERED_BY_OTHER for row in rows.tolist()]] if len(rows) else rows
    return Pooled(rows, np.maximum(columns.done[rows] - columns.planned[rows], 0))


def find(name: str) -> Metric | None:
    """The metric of that name, any `handshake_<step>_ms` included."""
    if name in BY_NAME:
        return BY_NAME[name]
    if name.startswith(HANDSHAKE_PREFIX) and name.endswith("_ms"):
        return handshake_metric(name.removeprefix(HANDSHAKE_PREFIX).removesuffix("_ms"))
    return None


def measured(columns: Columns) -> Iterator[tuple[Metric, Pooled]]:
    """Every metric that has at least one value in these columns, with its values."""
    others = [handshake_metric(s) for s in columns.handshake if f"{HANDSHAKE_PREFIX}{s}_ms" not in BY_NAME]
    for metric in (*METRICS, *others):
        found = metric.of(columns)
        if len(found.values):
            yield metric, found

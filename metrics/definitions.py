"""Defines each metric: name, unit, formula, and how to compute its values from columns. Source of docs/metrics.md.

Values are integers (ns for times, see `Metric.scale`), so that sums are exact. They are divided by the scale only for
display.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from metrics.columns import MISSING, OUTCOMES, REPETITION_SCALE, Bools, Columns, Ints, Pooled
from metrics.report_schema import Quantile, Stat

MS = 1_000_000  # ns
PER_S = 1000  # thousandths
AFTER_SENDING = "resend"
"""A step after the first attempt to send; it is not part of the time before sending."""
THEN_STEP = "then."
"""How the steps begin that are requests of one turn, after its message was sent. Their metrics begin with `then_`."""
TOOL_STEP = "tool."
"""How the times of a turn begin that calls tools: of its first call, and of each round in which results were sent back.
Their metrics begin with `tool_`."""
FIRST_CALL = f"{TOOL_STEP}call"
"""From the sending of a turn to its first tool call."""
FIRST_ROUND = f"{TOOL_STEP}round_1"
"""Only turns of several rounds have it."""
HANDSHAKE_PREFIX = "handshake_"
FAREWELL_PREFIX = "goodbye_"
THEN_PREFIX = "then_"
TOOL_PREFIX = "tool_"
_ROUND: Final = re.compile(rf"{TOOL_PREFIX}(round_[1-9]\d?)_ms")
STATS: Final[tuple[Stat, ...]] = ("count", "mean", "min", "p50", "p90", "p95", "p99", "p999", "max")
QUANTILES: Final[Mapping[Quantile, float]] = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
SAMPLES_NEEDED: Final[Mapping[str, int]] = {"p50": 2, "p90": 10, "p95": 20, "p99": 100, "p999": 1000}
"""With fewer values, a percentile is effectively the maximum."""

Population = Literal["ok turns", "sent turns", "all turns", "conversations"]


@dataclass(frozen=True)
class Metric:
    """`values` returns every value with its row, before restriction to the population `counts`."""

    name: str
    label: str
    unit: Literal["ms", "tokens/s", "ratio"]
    scale: int  # internal integer units per displayed unit
    formula: str
    help: str
    counts: Population
    values: Callable[[Columns], Pooled]

    def of(self, columns: Columns) -> Pooled:
        """Values of the turns that this metric counts."""
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
    tokens = columns.tokens_out - np.maximum(columns.tokens_reasoning, 0)  # they arrived before the first text
    known = (first != MISSING) & (last != MISSING) & (tokens >= 2) & (last > first)
    if (rounds := columns.handshake.get(FIRST_ROUND)) is not None:
        known[rounds.rows] = False
    return _where(known, (last - first) // np.maximum(tokens - 1, 1))


def _turn_tokens_per_s(columns: Columns) -> Pooled:
    took = columns.done - columns.sent
    known = (columns.done != MISSING) & (columns.sent != MISSING) & (columns.tokens_out > 0) & (took > 0)
    rows = np.flatnonzero(known)
    return Pooled(rows, np.rint(columns.tokens_out[rows] * (1e9 * PER_S) / took[rows]).astype(np.int64))


def _send_lag(columns: Columns) -> Pooled:
    spent = np.zeros(len(columns), dtype=np.int64)
    for name, step in columns.handshake.items():
        if name != AFTER_SENDING and not name.startswith((THEN_STEP, TOOL_STEP)):
            np.add.at(spent, step.rows, step.values)
    known = (columns.sent != MISSING) & (columns.planned != MISSING)
    return _where(known, np.maximum(columns.sent - columns.planned - spent, 0))


def _repetition(columns: Columns) -> Pooled:
    return _where(columns.repetition != MISSING, columns.repetition)


def _arrival_error(columns: Columns) -> Pooled:
    return columns.arrival_error_ns


def step_metric(step: str) -> Metric:
    """The metric of a step of a ledger."""
    if step == FIRST_CALL:
        return TIME_TO_TOOL_CALL
    if step.startswith(TOOL_STEP):
        return _round_metric(step)
    if not step.startswith(THEN_STEP):
        return handshake_metric(step)
    part = step.removeprefix(THEN_STEP)
    what = (
        "The turn's own request." if part == "request" else f"The request '{part}' of the target's `then`, with waits."
    )
    return Metric(
        f"{THEN_PREFIX}{part}_ms", f"Part of the turn: {part}", "ms", MS, f"end of {part} - begin of {part}",
        f"{what} The parts of a turn follow each other from `sent` to `done`.",
        "ok turns", lambda columns: columns.handshake.get(step) or Pooled.empty(),
    )  # fmt: skip


def _round_metric(step: str) -> Metric:
    name = step.removeprefix(TOOL_STEP)
    return Metric(
        f"{TOOL_PREFIX}{name}_ms", f"Tools: {name.replace('_', ' ')}", "ms", MS, "end of its answer - begin of it",
        "One request and its answer in a turn whose tool calls got results. The first begins with the turn's message; "
        "only turns of several rounds have it.",
        "ok turns", lambda columns: columns.handshake.get(step) or Pooled.empty(),
    )  # fmt: skip


def handshake_metric(step: str) -> Metric:
    """The metric of a handshake step. Steps other than resolve, connect and tls are defined by the target."""

    def values(columns: Columns) -> Pooled:
        return columns.handshake.get(step) or Pooled.empty()

    what = {
        "resolve": "DNS lookup of the host name.",
        "connect": "Opening the TCP connection.",
        "tls": "TLS handshake on the open connection.",
        "run_wait": "Waiting for a step per run (a login) that another user was executing.",
        "body_wait": "Waiting for the end of the previous answer's body after its end mark, to reuse the connection.",
        "descriptors": "Finding a gRPC method by reflection or by compiling its .proto.",
        "settings": "Waiting for the target's settings on a new HTTP/2 connection.",
        "stream_wait": "Waiting for a shared HTTP/2 connection to be made, or for a stream that the target allows.",
        "resend": "From the first to the last attempt to send, when the connection was closed, or the stream refused.",
    }.get(step, f"The step '{step}' of the target's handshake.")
    return Metric(
        f"{HANDSHAKE_PREFIX}{step}_ms", f"Handshake: {step}", "ms", MS, f"end of {step} - begin of {step}",
        f"{what} One value per execution; a turn on an open connection has none.",
        "ok turns", values,
    )  # fmt: skip


def farewell_metric(name: str) -> Metric:
    """The metric of a request at the end of conversations, which belongs to no turn."""
    return Metric(
        f"{FAREWELL_PREFIX}{name}_ms", f"Goodbye: {name}", "ms", MS, f"end of {name} - begin of {name}",
        f"The request '{name}' of the target's `handshake.goodbye`, with connecting again. One value per conversation.",
        "conversations", lambda columns: Pooled.empty(),
    )  # fmt: skip


TIME_TO_TOOL_CALL = Metric(
    "time_to_tool_call_ms", "Time to tool call", "ms", MS, "first tool call - sent",
    "Until the first call of a tool began to come. Without streaming: until the whole answer.",
    "ok turns", lambda columns: columns.handshake.get(FIRST_CALL) or Pooled.empty(),
)  # fmt: skip
METRICS: tuple[Metric, ...] = (
    Metric(
        "ttfb_ms", "Time to first byte", "ms", MS, "first_byte - sent",
        "Until the first byte of the answer, including headers. This is not the time to the first token.",
        "ok turns", _between("sent", "first_byte"),
    ),
    Metric(
        "ttfc_ms", "Time to first chunk", "ms", MS, "first_chunk - sent",
        "Until the first whole event or frame after the headers, even if it carries no text.",
        "ok turns", _between("sent", "first_chunk"),
    ),
    Metric(
        "ttft_ms", "Time to first token", "ms", MS, "first_content - sent",
        "Until the first non-empty text; white space counts, as in other tools. Without streaming: until the whole "
        "answer.",
        "ok turns", _between("sent", "first_content"),
    ),
    TIME_TO_TOOL_CALL,
    Metric(
        "e2e_ms", "End to end", "ms", MS, "done - sent",
        "Until the answer was complete, including end mark and usage.",
        "ok turns", _between("sent", "done"),
    ),
    Metric(
        "e2e_planned_ms", "End to end, from planned time", "ms", MS, "done - planned",
        "From the time at which the message was due. Includes waiting for a connection or for the generator, so a "
        "stalled target cannot hide the requests that it delayed (no coordinated omission). A wait that was given up "
        "counts with its length as a lower bound (see below).",
        "ok turns", _between("planned", "done"),
    ),
    Metric(
        "icl_ms", "Inter-chunk latency", "ms", MS, "each gap between content chunks, pooled over turns",
        "How evenly the answer flows. Each gap of each turn is one value. A chunk is not always one token.",
        "ok turns", _gaps,
    ),
    Metric(
        "tpot_ms", "Time per output token", "ms", MS,
        "(last_content - first_content) / (output tokens - reasoning tokens - 1)",
        "One value per turn, for answers of at least two tokens in more than one piece. Excludes reasoning, which "
        "comes before the first text. If the target streams reasoning but does not count its tokens, they are "
        "estimated from its share of the characters (note `reasoning_split`). Turns whose tool calls got results have "
        "none: their tokens are those of several answers.",
        "ok turns", _time_per_token,
    ),
    handshake_metric("resolve"),
    handshake_metric("connect"),
    handshake_metric("tls"),
    Metric(
        "turn_tokens_per_s", "Output tokens per second of a turn", "tokens/s", PER_S, "output tokens / (done - sent)",
        "The speed that one user sees, including the wait for the first token. Includes reasoning.",
        "ok turns", _turn_tokens_per_s,
    ),
    Metric(
        "repetition", "Repetition", "ratio", REPETITION_SCALE, "similarity(answer, previous answer of the session)",
        "0: nothing in common, 1: the same text (indel similarity of the first 512 characters).",
        "ok turns", _repetition,
    ),
    Metric(
        "send_lag_ms", "Send lag", "ms", MS, "sent - planned - handshake steps of the turn, at least 0",
        "Delay caused by the generator, including failed turns. Excludes handshake time, which is the target's.",
        "sent turns", _send_lag,
    ),
    Metric(
        "arrival_error_ms", "Arrival error", "ms", MS, "arrival - send time in the chunk",
        "Self-check of the tool against a target on the same host that stamps its chunks (`--stamp`).",
        "all turns", _arrival_error,
    ),
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}
BOUNDED = "e2e_planned_ms"
"""The metric that also contains lower bounds."""
GIVEN_UP = (OUTCOMES.index("timeout"), OUTCOMES.index("aborted"))
"""Outcomes of turns whose wait ended without an answer."""
ANSWERED_BY_OTHER = "user_hedged"
"""Code of a turn whose message was answered by another request, so its wait is not a lower bound."""


def given_up(columns: Columns, codes: Sequence[str | None]) -> Pooled:
    """Waits of turns that ended without an answer: lower bounds of BOUNDED, in ns. `codes` has one entry per turn."""
    rows = np.flatnonzero(np.isin(columns.outcome, GIVEN_UP) & (columns.done != MISSING) & (columns.planned != MISSING))
    rows = rows[[codes[row] != ANSWERED_BY_OTHER for row in rows.tolist()]] if len(rows) else rows
    return Pooled(rows, np.maximum(columns.done[rows] - columns.planned[rows], 0))


def find(name: str) -> Metric | None:
    """The metric with this name, including any `handshake_<step>_ms`, `goodbye_<request>_ms`, `then_<part>_ms` and
    `tool_round_<n>_ms`; None if there is none."""
    if name in BY_NAME:
        return BY_NAME[name]
    if name.startswith(HANDSHAKE_PREFIX) and name.endswith("_ms"):
        return handshake_metric(name.removeprefix(HANDSHAKE_PREFIX).removesuffix("_ms"))
    if name.startswith(FAREWELL_PREFIX) and name.endswith("_ms"):
        return farewell_metric(name.removeprefix(FAREWELL_PREFIX).removesuffix("_ms"))
    if name.startswith(THEN_PREFIX) and name.endswith("_ms"):
        return step_metric(f"{THEN_STEP}{name.removeprefix(THEN_PREFIX).removesuffix('_ms')}")
    if (found := _ROUND.fullmatch(name)) is not None:
        return step_metric(f"{TOOL_STEP}{found[1]}")
    return None


def measured(columns: Columns) -> Iterator[tuple[Metric, Pooled]]:
    """Yields each metric that has at least one value in these columns, with its values."""
    others = [step_metric(step) for step in columns.handshake]
    for metric in (*METRICS, *(other for other in others if other.name not in BY_NAME)):
        found = metric.of(columns)
        if len(found.values):
            yield metric, found

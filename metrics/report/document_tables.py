"""Texts of docs/metrics.md about times, outcomes and the keys of the report."""

from __future__ import annotations

from metrics.columns import LEFT, OUTCOMES
from metrics.definitions import BOUNDED

TIMES = (
    ("planned", "The message was due: the time of the arrival, or the end of the wait before the message."),
    ("sent", "The first byte of the request was written."),
    ("first_byte", "The first byte of the answer arrived, including headers."),
    ("first_chunk", "The first whole event or frame after the headers arrived."),
    ("first_content", "The first non-empty text arrived; white space counts."),
    ("last_content", "The last text arrived."),
    ("done", "The answer was complete."),
)
MEANINGS = {
    "ok": "A complete answer that meets the expectations of mapping and scenario.",
    "error": "The turn failed; the code says how.",
    "timeout": "A deadline of the target passed.",
    "aborted": "In flight when the run ended or was stopped, or when its user lost patience (see the code). Only turns "
    f"whose user gave up (`{LEFT}`) count as failed.",
    "unknown": "In flight when an engine died: nobody knows whether it was answered.",
}
REPORT = (
    (
        "run",
        "id, status, end_code (how it ended, see below; empty while it runs), reason (text for people), target, "
        "scenario, load, started_at; load_s: length of the load without warm-up and "
        "cool-down, to which all rates refer; duration_s: from the start of the first counted turn to the end of the "
        "last",
    ),
    ("load_changes", "changes of the load during the run: at_s since the common start, level, by; empty: none"),
    (
        "sessions",
        "started, completed, failed, lost (their engine died), truncated (ended by the end of the run; "
        "until 1.0 also cut, the earlier name)",
    ),
    (
        "turns",
        f"sent (to the target); by outcome: {', '.join(OUTCOMES)}; failed: error, timeout, or the user gave up",
    ),
    (
        "excluded_turns",
        "turns of the warm-up and cool-down. They and sessions that began then count in no other figure. "
        "Until 1.0 also uncounted_turns, the earlier name",
    ),
    ("dropped_arrivals", "arrivals that could not start, because too many sessions were open or the load ended"),
    (
        "unsolicited",
        "messages with text or an error that belong to no question: a greeting, a second answer, a late one",
    ),
    ("errors", "number of turns that are not ok, by code, most frequent first"),
    (
        "session_errors",
        "number of sessions that failed, were lost or were truncated with a code, by code, most frequent first: most "
        "have the code of their last turn, and `scenario_invalid` is a template that could not be rendered",
    ),
    (
        "goodbye_errors",
        "conversations in which a request at the end (`handshake.goodbye`) failed, by the code of the first that did: "
        "no failures of turns",
    ),
    (
        "answers",
        "kinds: answers that are not plain text, by kind (see targets.md); finish_reasons: as reported by the target; "
        "tools: how often each tool was called, by its name",
    ),
    (
        "rates",
        "turns_per_s (ok), completed_sessions_per_min, ended_sessions_per_min (however they ended), "
        "output_tokens_per_s (of ok turns), tokens_per_s (input and output of all turns), error_rate. Rates are per "
        "second of run.load_s, even if the last answer came later, and null if that is less than 0.05 s. Until 1.0 "
        "also sessions_per_min and conversations_per_min, the earlier names",
    ),
    (
        "tokens",
        "input and output of all turns, output_ok (output of ok turns), total, reasoning (part of output); source: "
        "usage (reported by the target), estimate, mixed or none; input_source and output_source: of each side; "
        "null: unknown for all turns",
    ),
    ("traffic", "chunks, bytes_in, bytes_out; bytes_in_per_s, bytes_out_per_s, over the time of the run, all turns"),
    (
        "metrics",
        "for each metric above: count, mean, min, p50, p90, p95, p99, p999, max; null: not measured. "
        f"{BOUNDED} also has censored and high",
    ),
    ("drift", "by metric: first_ms and last_ms, the medians of the first and last third of the run, and rise; or null"),
    (
        "groups",
        "in a run of several scenarios or models: scenario, model, tags, sessions, turns, error_rate, rates, tokens "
        "and metrics of each combination",
    ),
    ("models", "for each model: sessions, turns, error_rate, rates (over the time of the run), tokens, metrics"),
    (
        "thresholds",
        "expr, value, passed; a value that was not measured misses its threshold; high: the upper bound if value is a "
        "lower bound (null: none); unanswered: turns without an answer, which value does not cover",
    ),
    ("witness", "figures of the witness, which are in no other figure; null without one"),
    (
        "generator",
        "the tool itself: processes, CPU, memory, timestamps, send lag and loop lag; start_error_ms: maximum deviation "
        "of an engine from the common start; connections: number by address",
    ),
    (
        "shards",
        "each engine's share: index, region, host, version, status, reason, turns (its own count), end and at_s "
        "(reason and time of its end), end_code (see below), stored (whether this report covers its whole ledger)",
    ),
    (
        "budget",
        "null without limits; ended_by: the limit that ended the run, or null; for each limit: ceiling, used, over, "
        "and for tokens and cost estimated. Covers all turns",
    ),
    (
        "patience",
        "null unless users lose patience; turns without a waiting user: abandoned, resent, hedged; wasted_tokens",
    ),
    (
        "cost",
        "null without prices; total, by_model [model, input, output, cost], estimated (some tokens are estimates)",
    ),
    ("verdict", "trusted; reasons why not, and notes on how to read the figures, each as `code: text`"),
    ("series", "the run over time, `point_s` seconds per point: the data of the charts"),
    ("load_curve", "each measured level of a search or sweep (see capacity.md); otherwise null"),
    (
        "capacity",
        "result of a search or sweep: level, unit, found, low, high, limited_by, conditions, knee, note; or null",
    ),
)

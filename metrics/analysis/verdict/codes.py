"""Codes of reasons and notes, their meaning, and their limits."""

from __future__ import annotations

from typing import NamedTuple

from metrics.analysis.silence import SILENT_S, SILENT_SHARE

SEND_LAG_MS = 20.0
SEND_LAG_SHARE = 0.05
"""Lateness below this share of a typical turn changes no conclusion, whatever its milliseconds."""
LOOP_LAG_MS = {"kernel": 100.0, "user": 10.0}
"""With kernel time stamps, a busy loop only delays sending; without, it also delays the arrival times."""
STALL_MS = 1000.0
"""An engine that is suspended this long leaves a whole second without load, a gap in the series whatever the run's
length."""
STALLED_SHARE = 0.05
"""Share of an engine's time: the throughput of a closed load is too low by the share for which its engine was
suspended."""
CPU_SHARE = 0.9
DROPPED_SHARE = 0.001
"""Of all arrivals: fewer are those that were a moment late when the load ended."""
CHARS_OF_A_TOKEN = 32
"""The same value as in `connectors.content.usage`, which engines use."""
WITNESS_SHARE = 0.1
WITNESS_MS = 5.0
MISMATCHES = 2
"""Number of answers that repeat another message: a bot may quote an earlier message once."""
SURVIVORS_SHARE = 0.05
START_MS = 50.0
SILENT_FAILURES = 5
"""Fewer may fail one after the other by chance."""
RISE_SHARE = 0.2
RISE_MS = 20.0
MAIN_METRIC = "e2e_ms"
CAUSES_NAMED = 3
TYPES_NAMED = 3
REASONS = {
    "no_ok_turns": "No turn is ok.",
    "few_samples": f"p99 of {MAIN_METRIC}, or a percentile in a threshold, has too few values.",
    "send_lag": f"send_lag_ms p99 is above {SEND_LAG_MS:.0f} ms and above {SEND_LAG_SHARE:.0%} of {MAIN_METRIC} p50.",
    "loop_lag": f"The event loop lag at p99 is above {LOOP_LAG_MS['kernel']:.0f} ms "
    f"({LOOP_LAG_MS['user']:.0f} ms without kernel timestamps).",
    "engine_stalled": f"An engine was suspended (its process or the whole machine) for {STALL_MS / 1000:.0f} s or more "
    f"at once, or for more than {STALLED_SHARE:.0%} of its time.",
    "cpu_saturated": f"An engine used more than {CPU_SHARE:.0%} of its core for at least half of the time.",
    "arrivals_dropped": f"More than {DROPPED_SHARE:.1%} of the arrivals were due but could not start.",
    "turns_unknown": "Turns were in flight when an engine died.",
    "engine_died": "An engine died or left no end mark.",
    "load_missing": "Part of the load is missing: an engine's share started late or was cut off by something other "
    "than the end of the load (its time or conversations are over, a budget, a missed threshold, a target that refuses "
    "everything, a person); or its ledger was removed during the run; or users of a closed loop have waited since the "
    "warm-up for an answer that never came.",
    "ledger_incomplete": "The engines recorded a different number of turns than are stored.",
    "ledger_damaged": "Some lines of a ledger could not be read.",
    "stopped_answering": f"In the last {SILENT_SHARE:.0%} of the load (at least {SILENT_S:.0f} s) no turn was ok, and "
    f"turns are unanswered or at least {SILENT_FAILURES} failed. The run counts as failed.",
    "hang_not_judged": f"The end of the run cut off more than {SURVIVORS_SHARE:.0%} of the turns too early to tell "
    "slow answers from missing ones; or it cut off turns while none was ok in the last part of the load; or it cut off "
    "a long answer, with too few complete ones for comparison.",
    "answers_may_be_shifted": "The target sent text that no question had requested, and no id assigns answers to "
    "questions; or the witness got answers that repeat a message other than their own.",
    "witness_disagrees": f"The witness's median differs by more than {WITNESS_SHARE:.0%} and {WITNESS_MS:.0f} ms.",
}
NOTES = {
    "user_timestamps": "Arrival times were taken after the read, not by the kernel.",
    "witness_missing": "The witness failed, so nothing else checked the figures.",
    "tokens_estimated": "Some or all token counts, or those of one side, are estimates.",
    "usage_not_believed": "The target reported an impossible usage: no tokens for a text, fewer than one per "
    f"{CHARS_OF_A_TOKEN} characters, too many, or not a number. Estimates are used instead.",
    "reasoning_split": "The target streams reasoning but does not count its tokens. tpot_ms excludes its share of the "
    "output, estimated by characters.",
    "content_type_wrong": "Streamed answers came with the content type of whole ones, or whole answers with that of a "
    "stream. They were read as what they contain.",
    "through_proxy": "Connections went through a proxy: the figures include its time, limits and failures.",
    "start_apart": f"An engine may have started more than {START_MS:.0f} ms before or after the common start.",
    "slower_later": f"{MAIN_METRIC} p50 rose by more than {RISE_SHARE:.0%} and {RISE_MS:.0f} ms from the first to the "
    "last third of the run under a constant load.",
    "few_cut_off": f"The end of the run cut off at most {SURVIVORS_SHARE:.0%} of the turns, which might have been "
    "answered later.",
    "answers_paused": f"In the middle of the load no turn was ok for {SILENT_SHARE:.0%} of it or longer (at least "
    f"{SILENT_S:.0f} s) while turns waited for answers: far longer than answers usually took.",
    "few_dropped": f"At most {DROPPED_SHARE:.1%} of the arrivals were due but could not start.",
    "versions_differ": "An engine has another version of Token-Burn than the one that planned the run.",
    "survivors_only": f"More than {SURVIVORS_SHARE:.0%} of the turns failed: all latencies except e2e_planned_ms cover "
    "only the others.",
}


class Remark(NamedTuple):
    code: str
    text: str

"""`python -m metrics.document` writes docs/metrics.md from the definitions; a test holds the two together."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from metrics import thresholds, verdict
from metrics.columns import LEFT, OUTCOMES
from metrics.definitions import ANSWERED_BY_OTHER, BOUNDED, METRICS, SAMPLES_NEEDED
from metrics.histogram import GAMMA, RELATIVE_ERROR
from metrics.repetition import COMPARED_CHARS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"

TIMES = (
    ("planned", "When the message was due: the arrival's time, or the end of the wait before it."),
    ("sent", "The first byte of the request was written."),
    ("first_byte", "The first byte of the answer arrived, headers included."),
    ("first_chunk", "The first whole event or frame after the headers."),
    ("first_content", "The first text that is not empty."),
    ("last_content", "The last text."),
    ("done", "The answer was complete."),
)
MEANINGS = {
    "ok": "A whole answer, as the mapping and the scenario ask for.",
    "error": "It failed; the code says how.",
    "timeout": "One of the target's deadlines passed.",
    "aborted": "In flight when the run ended or was stopped, or when its user lost patience (the code says which). Of "
    f"these only those whose user gave up (`{LEFT}`) count as failed.",
    "unknown": "In flight when an engine died: nobody knows whether it was answered.",
}
REPORT = (
    (
        "run",
        "id, status, reason, target, scenario, load, started_at; load_s: how long the load lasted, less warm-up and "
        "cool-down: the time that all rates are of; duration_s: from the first turn's begin to the last one's end, of "
        "those that count",
    ),
    ("load_changes", "levels that were set while it ran: at_s since the common start, level, by; empty: none"),
    ("sessions", "started, completed, failed, lost (their engine died), cut (ended by the run's end)"),
    (
        "turns",
        f"sent (to the target), by outcome: {', '.join(OUTCOMES)}; failed: error, timeout, or the user gave up",
    ),
    (
        "uncounted_turns",
        "turns of the warm-up and the cool-down: in no other figure; nor are conversations that began then",
    ),
    ("dropped_arrivals", "arrivals that were due and not started: too many sessions were open, or the end came"),
    (
        "unsolicited",
        "messages with text or an error that belong to no question: a greeting, a second answer, a late one",
    ),
    ("errors", "turns that are not ok by code, the most frequent first"),
    (
        "answers",
        "kinds: answers that are not plain text (docs/targets.md), by kind; finish_reasons: why answers ended, as the "
        "target said it",
    ),
    (
        "rates",
        "turns_per_s (ok), sessions_per_min (completed), conversations_per_min (all that ended), output_tokens_per_s "
        "(of ok turns), tokens_per_s (in and out, of all turns), error_rate; per second of run.load_s, however much "
        "later the last answer came",
    ),
    (
        "tokens",
        "input and output of all turns, total, reasoning (part of output); source: usage (the target's own), estimate, "
        "mixed or none; input_source and output_source: of each side; null: known of no turn",
    ),
    ("traffic", "chunks, bytes_in, bytes_out; bytes_in_per_s, bytes_out_per_s: of the run's time, all turns"),
    (
        "metrics",
        "for each metric above: count, mean, min, p50, p90, p95, p99, p999, max; null: not measured; of "
        f"{BOUNDED} also censored and high",
    ),
    ("drift", "by metric: first_ms and last_ms, the medians of the run's first and last third, and the rise; or null"),
    (
        "groups",
        "in a run of several scenarios or models: for each of them and its tags turns, error_rate, rates, metrics",
    ),
    ("models", "for each model that answered: sessions, turns, error_rate, rates (of the run's time), tokens, metrics"),
    (
        "thresholds",
        "expr, value, passed; a value that was not measured is a threshold missed; high: value is a lower bound, and "
        "this the upper one (null: none); unanswered: turns that value says nothing about, as they have no answer",
    ),
    ("witness", "what an independent session on stock libraries measured, in no other figure; null without one"),
    (
        "generator",
        "processes, CPU, memory, time stamps, send lag and loop lag: how the tool itself did; start_error_ms: "
        "the most by which an engine may have begun beside the time that all agreed on; connections: how many, by the "
        "address that they went to",
    ),
    (
        "shards",
        "each engine's share: index, region, host, version, status, reason, turns (its own count), end and at_s (its "
        "engine's last word and when), stored (whether all that its ledger holds is in this report)",
    ),
    (
        "budget",
        "null without ceilings; ended_by (what ended the run, or null); each: ceiling, used, over, of tokens and money "
        "estimated; all turns count",
    ),
    (
        "patience",
        "null unless users lose it; turns whose answer nobody waited for: abandoned, resent, doubled; wasted_tokens",
    ),
    (
        "cost",
        "null without prices; total, by_model [model, input, output, money], estimated (not all tokens are usage)",
    ),
    ("verdict", "trusted; reasons why not and notes how to read it, each `code: text`"),
    ("series", "the run over time, `point_s` seconds a point: what the charts draw"),
    ("load_curve", "of a run that searches or sweeps: each measured level (docs/capacity.md); null for others"),
    ("capacity", "of the same: level, unit, found, low, high, limited_by, conditions, knee, note; null for others"),
)


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Metrics"
    yield ""
    yield "<!-- Made by `python -m metrics.document` from the definitions in metrics/. Do not edit it here. -->"
    yield ""
    yield "All times of a turn come from one monotonic clock, in ns. Figures are in ms."
    yield ""
    yield from _table(("time", "what happened"), [(f"`{name}`", text) for name, text in TIMES])
    yield ""
    yield "## Outcomes"
    yield ""
    yield "Every turn has exactly one. Failed turns count as failures and in no latency, but for waits that were given"
    yield "up ([below](#waits-that-were-given-up))."
    yield ""
    yield from _table(("outcome", "meaning"), [(f"`{name}`", MEANINGS[name]) for name in OUTCOMES])
    yield ""
    yield "## Formulas"
    yield ""
    rows = [(f"`{m.name}`", m.label, m.unit, m.formula, m.counts, m.help) for m in METRICS]
    yield from _table(("metric", "name", "unit", "formula", "counts", "what it says"), rows)
    yield ""
    yield "A target with more handshake steps has one `handshake_<step>_ms` for each."
    yield ""
    yield from _accuracy()
    yield ""
    yield from _given_up()
    yield ""
    yield from _thresholds()
    yield ""
    yield from _verdict()
    yield ""
    yield "## The report"
    yield ""
    yield from _table(("key", "holds"), [(f"`{name}`", text) for name, text in REPORT])


def _accuracy() -> Iterator[str]:
    yield "## How exact the statistics are"
    yield ""
    yield "- Count, mean, min and max are exact: they come from whole-number sums, not from buckets."
    yield f"- Percentiles are nearest-rank, from buckets whose bounds grow by {GAMMA - 1:.0%}: at most"
    yield f"  {RELATIVE_ERROR:.1%} away from the exact value. They are taken after merging all engines, never averaged."
    needed = ", ".join(f"{stat} {count:,}" for stat, count in SAMPLES_NEEDED.items())
    yield f"- A percentile needs values to mean anything: {needed}. p999 is null below that."
    yield "- What the per-second windows add up to equals what the turns' rows give, exactly."
    yield f"- Repetition compares the first {COMPARED_CHARS} characters of an answer with those of the one before."
    yield "- A target that reports no usage gets an estimate, 4 characters a token, labelled as such everywhere. So"
    yield "  does one whose usage cannot be true: no tokens for a text, fewer than one for 32 characters, or more than"
    yield "  2,147,483,647."
    yield "  Where only half of the usage is reported, the other half is estimated."


def _given_up() -> Iterator[str]:
    yield "## Waits that were given up"
    yield ""
    yield f"A turn with the outcome `timeout` or `aborted` (but `{ANSWERED_BY_OTHER}`, whose message was answered)"
    yield f"waited at least until it was given up. `{BOUNDED}` counts it with that time, a lower bound:"
    yield ""
    yield "- `count` has all values, `censored` those that are lower bounds."
    yield "- `mean`, `p50`, ... are lower bounds: as if each of these turns had been answered when it was given up."
    yield "- `high` has the upper bounds: as if none of them had ever been answered; null: there is none."
    yield ""
    yield "The true figure lies between both, and they are the same where no turn was given up. A threshold is kept"
    yield "only if it holds for both, and missed if it holds for none; else nobody knows, which is not kept either"
    yield "(`passed` is false). The result of such a threshold has `high` beside `value`."
    yield ""
    yield "A threshold on another time is of answered turns only. Where turns timed out or users gave up, its result"
    yield "has their number (`unanswered`), and every report says it on its line. `e2e_planned_ms` bounds them too."


def _thresholds() -> Iterator[str]:
    yield "## Thresholds"
    yield ""
    yield f"`metric.statistic`, an operator (`<` `<=` `>` `>=` `==`) and a number: `{thresholds.EXAMPLE}`. Or one of"
    yield "these, without a statistic:"
    yield ""
    yield from _table(("name", "meaning"), [(f"`{name}`", text) for name, text in thresholds.RATES.items()])
    yield ""
    yield "Braces behind the name choose conversations: by `scenario`, by `model`, or by a tag of their scenario."
    yield "Several must all hold; a value with spaces, commas, braces or = stands in quotes. Rates are per second of"
    yield "the whole run."
    yield ""
    yield f"- `{thresholds.CHOICE_EXAMPLE}`"
    yield "- `error_rate{model=gpt-4o, tier=gold}<1%`"
    yield '- `turns_ok{scenario="Where is my order?"}>=100`'
    yield ""
    yield "`and` joins several in one text, and all of them must hold: `ttft_ms.p95<800 and error_rate<1%`. What a run"
    yield "does not have (a scenario, a model, a tag) is refused before it begins."
    yield ""
    yield "Sets stand for several, wherever a threshold can stand:"
    yield ""
    rows = [(f"`@{name}`", ", ".join(f"`{text}`" for text in texts)) for name, texts in thresholds.SETS.items()]
    yield from _table(("set", "thresholds"), rows)


def _verdict() -> Iterator[str]:
    yield "## The verdict"
    yield ""
    yield "A run is trusted unless one of these holds:"
    yield ""
    rows = [(f"`{code}`", text) for code, text in verdict.REASONS.items()]
    yield from _table(("reason", "when"), rows)
    yield ""
    yield "Notes do not take the trust away:"
    yield ""
    yield from _table(("note", "when"), [(f"`{code}`", text) for code, text in verdict.NOTES.items()])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")

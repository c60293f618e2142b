"""Reasons about missing data: values for a percentile, an engine's share of the load, lines of a ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from metrics.analysis.coverage import missing
from metrics.analysis.figures import stats_of
from metrics.analysis.thresholds import Threshold
from metrics.analysis.totals import Aggregate
from metrics.analysis.verdict.codes import CAUSES_NAMED, MAIN_METRIC, Remark
from metrics.definitions import SAMPLES_NEEDED
from metrics.groups import Group, choice_text, chosen
from metrics.number_format import counted


def few_samples(aggregate: Aggregate, thresholds: Sequence[Threshold], groups: Sequence[Group]) -> Iterator[Remark]:
    if not aggregate.outcomes["ok"]:
        yield Remark("no_ok_turns", "No turn succeeded, so there is no latency to report.")
        return
    asked = {(t.name, t.where, t.stat) for t in thresholds if t.stat in SAMPLES_NEEDED} | {(MAIN_METRIC, (), "p99")}
    for name, where, stat in sorted(asked, key=str):
        counts = aggregate.of_groups(chosen(groups, where)) if where and len(groups) > 1 else aggregate
        count = stats_of(counts, name)["count"]
        needed = SAMPLES_NEEDED[stat or ""]
        if count < needed:
            what = f"{name}{choice_text(where)}.{stat}"
            yield Remark(
                "few_samples", f"{what} rests on {counted(count, 'value')}; it needs {needed:,} to be meaningful."
            )


def missing_load(
    aggregate: Aggregate, shards: Sequence[Mapping[str, Any]], load: Mapping[str, Any]
) -> Iterator[Remark]:
    """One remark for each code; the first few causes are named."""
    found = missing(aggregate, shards, load)
    if aggregate.waited and load.get("kind") == "closed":
        waited = counted(aggregate.waited, "message of the warm-up waits", "messages of the warm-up wait")
        yield Remark("load_missing", f"{waited} for an answer until the end: the counted load lacks their users.")
    for code, died in (("engine_died", True), ("load_missing", False)):
        texts = [cut.text for cut in found if cut.died is died]
        if texts:
            more = f", and {len(texts) - CAUSES_NAMED} more" if len(texts) > CAUSES_NAMED else ""
            named = "; ".join(texts[:CAUSES_NAMED])
            yield Remark(code, f"{named}{more}. Its load is missing from then on.")


def incomplete_records(aggregate: Aggregate) -> Iterator[Remark]:
    if aggregate.outcomes["unknown"]:
        count = aggregate.outcomes["unknown"]
        yield Remark(
            "turns_unknown",
            f"{counted(count, 'turn was', 'turns were')} in flight when an engine died: the outcome is unknown.",
        )
    tails = [engine.tail for engine in aggregate.engines.values()]
    recorded = sum(tail["turns"] for tail in tails if tail)
    if all(tails) and recorded != aggregate.turns + aggregate.uncounted:
        yield Remark(
            "ledger_incomplete",
            f"The engines recorded {counted(recorded, 'turn')} and {aggregate.turns + aggregate.uncounted:,} are "
            "stored. `manage.py ingest` stores the rest of the ledgers.",
        )
    if aggregate.bad_lines:
        yield Remark("ledger_damaged", f"{counted(aggregate.bad_lines, 'line')} of the ledger could not be read.")

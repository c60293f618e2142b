"""Computes figures from counts: statistics of a metric, and everything that a threshold may refer to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from metrics.analysis.counts import Counts
from metrics.analysis.totals import Aggregate
from metrics.definitions import BOUNDED, BY_NAME, METRICS, MS, QUANTILES, SAMPLES_NEEDED, STATS, Metric, find
from metrics.earlier_names import TRUNCATED
from metrics.groups import Group, Where, chosen
from metrics.histogram import Histogram
from metrics.report_schema import (
    Figures,
    GroupPart,
    GroupRates,
    ModelPart,
    PartFigures,
    Rates,
    Stat,
    Stats,
    Tokens,
    TokenSource,
)

DIGITS = 6  # of a ms: to the ns


def figures(counts: Counts, seconds: float | None = None, dropped: int = 0) -> Figures:
    """`metrics`, `turns`, `sessions`, `rates` and `dropped_arrivals`, as in a report; rates are per second of `seconds`
    (default: from the first turn's begin to the last one's end). Earlier names stand beside the present ones."""
    outcomes, ended = counts.outcomes, counts.sessions_ended
    return {
        "sessions": {
            "started": counts.sessions_started,
            "completed": ended["completed"],
            "failed": ended["failed"],
            "lost": ended["lost"],
            "truncated": ended[TRUNCATED],
            "cut": ended[TRUNCATED],
        },
        "turns": {
            "sent": counts.sums["sent"],
            "ok": outcomes["ok"],
            "error": outcomes["error"],
            "timeout": outcomes["timeout"],
            "aborted": outcomes["aborted"],
            "unknown": outcomes["unknown"],
            "failed": counts.failed,
        },
        "dropped_arrivals": dropped,
        "rates": rounded_rates(counts.rates(seconds)),
        "metrics": {name: stats_of(counts, name) for name in metric_names(counts)},
    }


def rounded_rates(rates: Mapping[str, float | None]) -> Rates:
    """Those of `Counts.rates`, as in a report."""
    return {**_without_errors(rates), "error_rate": rounded(rates["error_rate"])}


def _without_errors(rates: Mapping[str, float | None]) -> GroupRates:
    completed, ended = rounded(rates["completed_sessions_per_min"]), rounded(rates["ended_sessions_per_min"])
    return {
        "turns_per_s": rounded(rates["turns_per_s"]),
        "completed_sessions_per_min": completed,
        "ended_sessions_per_min": ended,
        "sessions_per_min": completed,
        "conversations_per_min": ended,
        "output_tokens_per_s": rounded(rates["output_tokens_per_s"]),
        "tokens_per_s": rounded(rates["tokens_per_s"]),
    }


def with_waiting(found: Figures, turns: int) -> Figures:
    """The same figures with additional failed turns: those that wait for an answer that is no longer expected."""
    if not turns:
        return found
    failed = found["turns"]["failed"] + turns
    rate = rounded(failed / (found["turns"]["ok"] + failed))
    return {**found, "turns": {**found["turns"], "failed": failed}, "rates": {**found["rates"], "error_rate": rate}}


def waits_in_flight(rows: Iterable[Sequence[int]]) -> dict[int, Histogram]:
    """By group: how long turns have waited by now, ns, from windows' rows `[group, ms, turns]`."""
    found: dict[int, list[int]] = {}
    for group, wait_ms, turns in rows:
        found.setdefault(group, []).extend([wait_ms * int(MS)] * turns)
    return {group: Histogram.of(waits) for group, waits in found.items()}


def with_waits(found: Figures, counts: Counts, waits: Iterable[Histogram]) -> Figures:
    """The same figures with turns that still wait among the lower bounds of BOUNDED."""
    beyond = Histogram.merged((counts.given_up, *waits))
    if beyond.count == counts.given_up.count:
        return found
    metric = BY_NAME[BOUNDED]
    stats = bounded_stats(metric, counts.histograms.get(BOUNDED, Histogram()), beyond)
    return {**found, "metrics": {**found["metrics"], BOUNDED: stats}}


def of_choice(
    aggregate: Aggregate, groups: Sequence[Group], seconds: float | None = None
) -> Callable[[Where], Figures]:
    """The figures of those groups of a run for which something holds; rates are per second of the run, or `seconds`."""

    def found(where: Where) -> Figures:
        numbers = chosen(groups, where)
        counts = aggregate if groups and len(numbers) == len(groups) else aggregate.of_groups(numbers)
        return figures(counts, aggregate.duration_s if seconds is None else seconds)

    return found


def metric_names(counts: Counts) -> list[str]:
    """Every defined metric, measured or not; the target's own handshake steps follow the common ones."""
    names = [metric.name for metric in METRICS]
    after = names.index("handshake_tls_ms") + 1
    return names[:after] + sorted(counts.histograms.keys() - BY_NAME.keys()) + names[after:]


def stats_of(counts: Counts, name: str) -> Stats:
    metric = find(name)
    if metric is None:  # windows only hold metrics that `definitions` computed
        raise KeyError(name)
    found = counts.histograms.get(name, Histogram())
    return bounded_stats(metric, found, counts.given_up) if name == BOUNDED else stats(metric, found)


def bounded_stats(metric: Metric, known: Histogram, given_up: Histogram) -> Stats:
    """The statistics of the known values and of others of which lower bounds are known, as `stats`: at least so much.
    `censored` of them are lower bounds; `high` has the upper bounds of the statistics, None where there is none."""
    low = stats(metric, Histogram.merged((known, given_up)))
    beyond = given_up.count
    found: dict[Stat, float | None] = {"mean": known.mean(), "min": known.minimum, "max": known.maximum}
    found |= dict(zip(QUANTILES, known.quantiles(list(QUANTILES.values()), beyond), strict=True))
    if beyond:
        found |= {"mean": None, "max": None}
    high: dict[str, float | None] = {
        name: None if value is None or (least := low[name]) is None else max(least, round(value / metric.scale, DIGITS))
        for name, value in found.items()
    }
    return {**low, "censored": beyond, "high": high}


def stats(metric: Metric, histogram: Histogram) -> Stats:
    """Count and statistics in the metric's unit; None where not measured, p999 also below 1000 values."""
    found: dict[Stat, float | None] = dict.fromkeys(STATS)
    if histogram.count and histogram.minimum is not None and histogram.maximum is not None:
        found |= dict(zip(QUANTILES, histogram.quantiles(list(QUANTILES.values())), strict=True))
        if histogram.count < SAMPLES_NEEDED["p999"]:
            found["p999"] = None
        found |= {"mean": histogram.mean(), "min": float(histogram.minimum), "max": float(histogram.maximum)}
    scaled = {name: None if value is None else round(value / metric.scale, DIGITS) for name, value in found.items()}
    return {
        "count": histogram.count,
        "mean": scaled["mean"],
        "min": scaled["min"],
        "p50": scaled["p50"],
        "p90": scaled["p90"],
        "p95": scaled["p95"],
        "p99": scaled["p99"],
        "p999": scaled["p999"],
        "max": scaled["max"],
    }


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def tokens_of(counts: Counts) -> Tokens:
    """`tokens`, as in a report: {input, output, output_ok, total, reasoning, source, input_source, output_source};
    None where it is known of no turn."""
    given, made = counts.token_sides()
    known = [
        None if set(side) <= {"none"} and not total else total
        for side, total in ((given, counts.sums["tokens_in"]), (made, counts.sums["tokens_out"]))
    ]
    return {
        "input": known[0],
        "output": known[1],
        "output_ok": None if known[1] is None else counts.sums["tokens_out_ok"],
        "total": None if known == [None, None] else sum(value or 0 for value in known),
        "reasoning": counts.tokens_reasoning,
        "source": token_source(counts),
        "input_source": _side(given),
        "output_source": _side(made),
    }


def token_source(counts: Counts) -> TokenSource:
    """usage, estimate, mixed, or none: the source of the token counts of both sides."""
    given, made = counts.token_sides()
    return _side(given + made)


def _side(turns: Counter[str]) -> TokenSource:
    """The source of one side, from the number of turns by source."""
    if turns["usage"] and turns["estimate"]:
        return "mixed"
    return "usage" if turns["usage"] else "estimate" if turns["estimate"] else "none"


def of_parts(aggregate: Aggregate, groups: Sequence[Group], seconds: float) -> list[GroupPart]:
    """A report's `groups`: one entry per group with data; empty in a run with one group."""
    if len(groups) < 2:
        return []
    named = [(number, group) for number, group in enumerate(groups) if number in aggregate.groups]
    return [
        {
            "scenario": group.scenario,
            "model": group.model,
            "tags": dict(group.tags),
            **_part(aggregate.groups[number], seconds),
        }
        for number, group in named
    ]


def of_models(aggregate: Aggregate, groups: Sequence[Group], seconds: float) -> list[ModelPart]:
    """A report's `models`: one entry for each that answered; empty if the target names none."""
    found: list[ModelPart] = []
    for model in dict.fromkeys(group.model for group in groups if group.model):
        numbers = chosen(groups, (("model", model),))
        counts = aggregate if len(numbers) == len(groups) else aggregate.of_groups(numbers)
        if counts.turns:
            found.append({"model": model, **_part(counts, seconds)})
    return found


def _part(counts: Counts, seconds: float) -> PartFigures:
    own = figures(counts, seconds)
    return {
        "sessions": own["sessions"],
        "turns": own["turns"],
        "error_rate": own["rates"]["error_rate"],
        "rates": _without_errors(counts.rates(seconds)),
        "tokens": tokens_of(counts),
        "metrics": {name: values for name, values in own["metrics"].items() if values["count"]},
    }

"""Computes figures from counts: statistics of a metric, and everything that a threshold may refer to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from metrics.analysis.counts import Counts
from metrics.analysis.totals import Aggregate
from metrics.definitions import BOUNDED, BY_NAME, METRICS, MS, QUANTILES, SAMPLES_NEEDED, STATS, Metric, find
from metrics.earlier_names import RATES, TRUNCATED
from metrics.groups import Group, Where, chosen
from metrics.histogram import Histogram

Figures = dict[str, Any]
DIGITS = 6  # of a ms: to the ns
SESSION_ENDS = ("completed", "failed", "lost", TRUNCATED)


def figures(counts: Counts, seconds: float | None = None, dropped: int = 0) -> Figures:
    """`metrics`, `turns`, `sessions`, `rates` and `dropped_arrivals`, as in a report; rates are per second of `seconds`
    (default: from the first turn's begin to the last one's end). Earlier names stand beside the present ones."""
    rates = {name: rounded(value) for name, value in counts.rates(seconds).items()}
    return {
        "sessions": {
            "started": counts.sessions_started,
            **{word: counts.sessions_ended[word] for word in SESSION_ENDS},
            "cut": counts.sessions_ended[TRUNCATED],
        },
        "turns": {"sent": counts.sums["sent"], **counts.outcomes, "failed": counts.failed},
        "dropped_arrivals": dropped,
        "rates": rates | {earlier: rates[name] for earlier, name in RATES.items()},
        "metrics": {name: stats_of(counts, name) for name in metric_names(counts)},
    }


def with_waiting(found: Figures, turns: int) -> Figures:
    """The same figures with additional failed turns: those that wait for an answer that is no longer expected."""
    if not turns:
        return found
    failed = found["turns"]["failed"] + turns
    rate = rounded(failed / (found["turns"]["ok"] + failed))
    return {**found, "turns": found["turns"] | {"failed": failed}, "rates": found["rates"] | {"error_rate": rate}}


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
    return {**found, "metrics": found["metrics"] | {BOUNDED: stats}}


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


def stats_of(counts: Counts, name: str) -> Figures:
    metric = find(name)
    assert metric is not None, name  # noqa: S101 - windows only hold metrics that `definitions` computed
    found = counts.histograms.get(name, Histogram())
    return bounded_stats(metric, found, counts.given_up) if name == BOUNDED else stats(metric, found)


def bounded_stats(metric: Metric, known: Histogram, given_up: Histogram) -> Figures:
    """The statistics of the known values and of others of which lower bounds are known, as `stats`: at least so much.
    `censored` of them are lower bounds; `high` has the upper bounds of the statistics, None where there is none."""
    low = stats(metric, Histogram.merged((known, given_up)))
    beyond = given_up.count
    quantiles = dict(zip(QUANTILES, known.quantiles(list(QUANTILES.values()), beyond), strict=True))
    found: dict[str, float | None] = {"mean": known.mean(), "min": known.minimum, **quantiles, "max": known.maximum}
    if beyond:
        found |= {"mean": None, "max": None}
    high = {
        name: None if value is None or low[name] is None else max(low[name], round(value / metric.scale, DIGITS))
        for name, value in found.items()
    }
    return {**low, "censored": beyond, "high": high}


def stats(metric: Metric, histogram: Histogram) -> dict[str, Any]:
    """Count and statistics in the metric's unit; None where not measured, p999 also below 1000 values."""
    values: dict[str, Any] = {"count": histogram.count, **dict.fromkeys(STATS[1:])}
    if histogram.count and histogram.minimum is not None and histogram.maximum is not None:
        found: dict[str, float | None] = dict(
            zip(QUANTILES, histogram.quantiles(list(QUANTILES.values())), strict=True)
        )
        if histogram.count < SAMPLES_NEEDED["p999"]:
            found["p999"] = None
        found |= {"mean": histogram.mean(), "min": float(histogram.minimum), "max": float(histogram.maximum)}
        values |= {name: None if v is None else round(v / metric.scale, DIGITS) for name, v in found.items()}
    return values


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def tokens_of(counts: Counts) -> Figures:
    """`tokens`, as in a report: {input, output, total, reasoning, source, input_source, output_source}; None where it
    is known of no turn."""
    given, made = counts.token_sides()
    known = [
        None if set(side) <= {"none"} and not total else total
        for side, total in ((given, counts.sums["tokens_in"]), (made, counts.sums["tokens_out"]))
    ]
    return {
        "input": known[0],
        "output": known[1],
        "total": None if known == [None, None] else sum(value or 0 for value in known),
        "reasoning": counts.tokens_reasoning,
        "source": token_source(counts),
        "input_source": _side(given),
        "output_source": _side(made),
    }


def token_source(counts: Counts) -> str:
    """usage, estimate, mixed, or none: the source of the token counts of both sides."""
    given, made = counts.token_sides()
    return _side(given + made)


def _side(turns: Counter[str]) -> str:
    """The source of one side, from the number of turns by source."""
    counted = [word for word in ("usage", "estimate") if turns[word]]
    return "mixed" if len(counted) == 2 else (counted[0] if counted else "none")


def of_parts(aggregate: Aggregate, groups: Sequence[Group], seconds: float) -> list[dict[str, Any]]:
    """A report's `groups`: one entry per group with data; empty in a run with one group."""
    if len(groups) < 2:
        return []
    named = [(number, group) for number, group in enumerate(groups) if number in aggregate.groups]
    return [
        {"scenario": group.scenario, "model": group.model, "tags": dict(group.tags)}
        | _part(aggregate.groups[number], seconds)
        for number, group in named
    ]


def of_models(aggregate: Aggregate, groups: Sequence[Group], seconds: float) -> list[dict[str, Any]]:
    """A report's `models`: one entry for each that answered; empty if the target names none."""
    found = []
    for model in dict.fromkeys(group.model for group in groups if group.model):
        numbers = chosen(groups, (("model", model),))
        counts = aggregate if len(numbers) == len(groups) else aggregate.of_groups(numbers)
        if counts.turns:
            found.append({"model": model} | _part(counts, seconds))
    return found


def _part(counts: Counts, seconds: float) -> dict[str, Any]:
    own = figures(counts, seconds)
    rates = own["rates"]
    return {
        "sessions": own["sessions"],
        "turns": own["turns"],
        "error_rate": rates.pop("error_rate"),
        "rates": rates,
        "tokens": tokens_of(counts),
        "metrics": {name: values for name, values in own["metrics"].items() if values["count"]},
    }

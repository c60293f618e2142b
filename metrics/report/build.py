"""The report of a run: one JSON object, the same for `burn --json`, the report page, the API and the exports."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metrics.analysis.counts import per_second
from metrics.analysis.drift import drift_of, is_steady
from metrics.analysis.figures import DIGITS, figures, of_choice, of_models, of_parts, stats, stats_of, tokens_of
from metrics.analysis.load_time import load_s
from metrics.analysis.patience import patience_of
from metrics.analysis.spending import budget_of, cost_of
from metrics.analysis.threshold_values import evaluate
from metrics.analysis.thresholds import parse_all
from metrics.analysis.totals import Aggregate
from metrics.analysis.verdict.answers import NO_OTHERS, OthersAnswers
from metrics.analysis.verdict.codes import Remark
from metrics.analysis.verdict.comparison import Witness
from metrics.analysis.verdict.generator import start_error_ns, timestamps
from metrics.analysis.verdict.judge import judge
from metrics.definitions import BY_NAME, find
from metrics.groups import Group
from metrics.histogram import Histogram
from metrics.report.series import series
from metrics.report_schema import (
    Answers,
    CapacityPart,
    DriftPart,
    GeneratorPart,
    LevelRow,
    LoadChange,
    RunPart,
    RunReport,
    ShardPart,
    Traffic,
    VerdictPart,
    WitnessPart,
)

NS_PER_S = 1e9
WITNESS_METRICS = ("ttft_ms", "e2e_ms")
WITNESS_TURNS = 10
"""Minimum number of good turns of a witness."""


@dataclass(frozen=True)
class RunFacts:
    """Data of a report that do not follow from its turns. `started_at` is ISO 8601. `id` is None if nothing was
    recorded, because the run could not begin."""

    id: int | None
    status: str
    target: str
    scenario: str
    load: Mapping[str, Any]
    started_at: str | None
    reason: str = ""
    end_code: str = ""
    """How it ended (`metrics.end_codes`); empty: it is not over."""
    finished: bool = True
    proxy: str = ""
    """The address of the proxy, if any."""
    load_changes: Sequence[LoadChange] = ()
    """Levels that were set while it ran: at_s, level, by."""
    groups: Sequence[Group] = ()
    """By number; empty: one, of which nothing is known."""
    shards: Sequence[ShardPart] = ()
    """Of each engine's share: index, region, host, version, status, reason, stored, turns, end, end_code, at_s."""
    version: str = ""
    """Version of Token-Burn that planned the run."""
    lacks_witness: bool = False
    """A witness was to go along, and left nothing."""
    load_curve: Sequence[LevelRow] | None = None
    """What was measured at each level (see `metrics.analysis.curve.level_row`) of a run that searches or sweeps."""
    capacity: CapacityPart | None = None


def build_report(
    run: RunFacts, aggregate: Aggregate, thresholds: Sequence[str] = (), witness: WitnessPart | None = None
) -> RunReport:
    """See `docs/metrics.md` for every key; `witness` is the result of `witness_of`. Raises ThresholdError for an
    invalid threshold."""
    sums, drift = aggregate.sums, drift_of(aggregate)
    seconds = load_s(aggregate, run.load)
    whole = figures(aggregate, seconds, aggregate.dropped)
    return {
        "run": _run(run, aggregate, seconds),
        "load_changes": list(run.load_changes),
        "sessions": whole["sessions"],
        "turns": whole["turns"],
        "excluded_turns": aggregate.uncounted,
        "uncounted_turns": aggregate.uncounted,
        "dropped_arrivals": whole["dropped_arrivals"],
        "unsolicited": aggregate.unsolicited,
        "errors": dict(aggregate.codes.most_common()),
        "session_errors": dict(aggregate.session_codes.most_common()),
        "goodbye_errors": dict(aggregate.farewell_codes.most_common()),
        "answers": _answers(aggregate),
        "rates": whole["rates"],
        "tokens": tokens_of(aggregate),
        "traffic": _traffic(sums, seconds),
        "metrics": whole["metrics"],
        "drift": drift,
        "groups": of_parts(aggregate, run.groups, seconds),
        "models": of_models(aggregate, run.groups, seconds),
        "generator": _generator(aggregate),
        "shards": list(run.shards),
        "witness": witness or None,
        "budget": budget_of(run.load, aggregate, run.groups, run.end_code),
        "patience": patience_of(run.load, aggregate),
        "cost": cost_of(run.load, aggregate, run.groups),
        "verdict": _verdict(run, aggregate, thresholds, witness, drift),
        "series": series(aggregate),
        "load_curve": None if run.load_curve is None else list(run.load_curve),
        "capacity": run.capacity,
        "thresholds": evaluate(thresholds, {**whole, "drift": drift}, of_choice(aggregate, run.groups, seconds)),
    }


def _run(run: RunFacts, aggregate: Aggregate, seconds: float) -> RunPart:
    return {
        "id": run.id,
        "status": run.status,
        "end_code": run.end_code,
        "reason": run.reason,
        "target": run.target,
        "scenario": run.scenario,
        "load": dict(run.load),
        "started_at": run.started_at,
        "duration_s": round(aggregate.duration_s, 3),
        "load_s": round(seconds, 3),
    }


def _verdict(
    run: RunFacts,
    aggregate: Aggregate,
    thresholds: Sequence[str],
    witness: WitnessPart | None,
    drift: Mapping[str, DriftPart] | None,
) -> VerdictPart:
    steady = run.finished and is_steady(run.load, bool(run.load_changes))
    verdict = judge(
        aggregate,
        parse_all(thresholds),
        _witness_to_compare(aggregate, witness),
        groups=run.groups,
        drift=drift if steady else None,
        finished=run.finished,
        shards=run.shards,
        load=run.load,
        others=_others_answers(witness),
        version=run.version,
        proxy=run.proxy,
        lacks_witness=run.lacks_witness,
    )
    reasons, notes = _remarks(verdict.reasons), _remarks(verdict.notes)
    return {"trusted": verdict.trusted, "reasons": reasons, "notes": notes}


def _answers(aggregate: Aggregate) -> Answers:
    kinds, reasons = aggregate.kinds.most_common(), aggregate.finish_reasons.most_common()
    return {"kinds": dict(kinds), "finish_reasons": dict(reasons), "tools": dict(aggregate.tools.most_common())}


def _traffic(sums: Mapping[str, int], seconds: float) -> Traffic:
    return {
        "chunks": sums["chunks"],
        "bytes_in": sums["bytes_in"],
        "bytes_out": sums["bytes_out"],
        "bytes_in_per_s": _rounded_rate(sums["bytes_in"], seconds),
        "bytes_out_per_s": _rounded_rate(sums["bytes_out"], seconds),
    }


def _rounded_rate(count: int, seconds: float) -> float | None:
    return None if (rate := per_second(count, seconds)) is None else round(rate, 1)


def _others_answers(witness: WitnessPart | None) -> OthersAnswers:
    """A run of an earlier version has neither."""
    if not witness:
        return NO_OTHERS
    return OthersAnswers(witness.get("unsolicited", 0), witness.get("mismatched", 0))


def witness_of(aggregate: Aggregate, mismatched: int = 0) -> WitnessPart:
    """What an independent session measured, for a run to keep: its turns, for each of `WITNESS_METRICS` the statistics
    and the bounds of its median, messages that belong to no question, and answers (`mismatched`) that repeat another
    turn's message and not their own."""
    outcomes = aggregate.outcomes
    return {
        "unsolicited": aggregate.unsolicited,
        "mismatched": mismatched,
        "turns": {
            "sent": aggregate.sums["sent"],
            "ok": outcomes["ok"],
            "error": outcomes["error"],
            "timeout": outcomes["timeout"],
            "aborted": outcomes["aborted"],
            "unknown": outcomes["unknown"],
        },
        "excluded_turns": aggregate.uncounted,
        "uncounted_turns": aggregate.uncounted,
        "tokens": {"output": aggregate.sums["tokens_out"]},
        "errors": dict(aggregate.codes.most_common()),
        "metrics": {name: stats_of(aggregate, name) for name in WITNESS_METRICS},
        "median_bounds": {name: _median_bounds(aggregate, name) for name in WITNESS_METRICS},
    }


def _median_bounds(aggregate: Aggregate, name: str) -> list[float] | None:
    """Order statistics between which the true median lies with 99 % (normal approximation of the binomial)."""
    histogram, metric = aggregate.histograms.get(name), find(name)
    if metric is None or histogram is None or histogram.count < WITNESS_TURNS:
        return None
    half = 1.29 / math.sqrt(histogram.count)
    found = histogram.quantiles([max(0.0, 0.5 - half), min(1.0, 0.5 + half)])
    return [round(value / metric.scale, DIGITS) for value in found if value is not None]


def _witness_to_compare(aggregate: Aggregate, witness: WitnessPart | None) -> Witness | None:
    """The witness's figure to compare with: of the first content where answers stream, else of the whole turn."""
    if witness is None:
        return None
    ours = {name: stats_of(aggregate, name)["p50"] for name in WITNESS_METRICS}
    ttft, e2e = ours["ttft_ms"], ours["e2e_ms"]
    name = "ttft_ms" if ttft is not None and e2e is not None and ttft < e2e else "e2e_ms"
    bounds, median, own = witness["median_bounds"].get(name), witness["metrics"][name]["p50"], ours[name]
    if bounds is None or median is None or own is None:
        return None
    return Witness(name, median, own, *bounds)


def _generator(aggregate: Aggregate) -> GeneratorPart:
    engines = aggregate.engines.values()
    cpu_ns = sum(engine.cpu_ns for engine in engines)
    turns, chunks = aggregate.turns, aggregate.sums["chunks"]
    send_lag = stats(BY_NAME["send_lag_ms"], aggregate.histograms.get("send_lag_ms", Histogram()))
    loop_lag = stats(BY_NAME["send_lag_ms"], aggregate.loop_lag)
    shares = [share for engine in engines for share in engine.cpu_shares()]
    return {
        "processes": len(engines),
        "cpu_s": round(cpu_ns / NS_PER_S, 3),
        "cpu_us_per_turn": round(cpu_ns / 1000 / turns, 1) if turns else None,
        "cpu_us_per_chunk": round(cpu_ns / 1000 / chunks, 1) if chunks else None,
        "cpu_share_max": round(max(shares), 3) if shares else None,
        "timestamps": timestamps(aggregate),
        "send_lag_ms": {"p50": send_lag["p50"], "p99": send_lag["p99"], "max": send_lag["max"]},
        "loop_lag_ms": {"p99": loop_lag["p99"], "max": loop_lag["max"]},
        "connections": _connections(aggregate),
        "rss_mb": round(sum(engine.rss for engine in engines) / 1e6, 1),
        "start_error_ms": None if (error := start_error_ns(aggregate)) is None else round(error / 1e6, 3),
    }


def _connections(aggregate: Aggregate) -> dict[str, int]:
    """Number of connections by address, highest first; empty if no engine reported any."""
    found: Counter[str] = Counter()
    for engine in aggregate.engines.values():
        found.update(engine.tail.get("conns", {}))
    return dict(found.most_common())


def _remarks(remarks: Sequence[Remark]) -> list[str]:
    """`code: text`, so that a person can read it and a program can split it at the first colon."""
    return [f"{remark.code}: {remark.text}" for remark in remarks]

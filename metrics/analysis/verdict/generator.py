"""Reasons about the generator: lateness, CPU, pauses, arrivals that did not start."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from metrics.analysis.engines import Engine
from metrics.analysis.totals import Aggregate
from metrics.analysis.verdict.codes import (
    CPU_SHARE,
    DROPPED_SHARE,
    LOOP_LAG_MS,
    MAIN_METRIC,
    SEND_LAG_MS,
    SEND_LAG_SHARE,
    STALL_MS,
    STALLED_SHARE,
    Remark,
)
from metrics.definitions import MS, QUANTILES
from metrics.histogram import Histogram
from metrics.number_format import counted
from metrics.report_schema import Quantile


def timestamps(aggregate: Aggregate) -> str | None:
    """ "kernel" if every engine had the kernel's time stamps, "user" if any had not, None if no engine began."""
    kinds = {engine.head["timestamps"] for engine in aggregate.engines.values() if engine.head}
    if not kinds:
        return None
    return "kernel" if kinds == {"kernel"} else "user"


def start_error_ns(aggregate: Aggregate) -> int | None:
    """The maximum deviation of an engine's start from the agreed time: its own delay, plus the error of its host's
    estimate of the database's clock. None if no engine reports it."""
    heads = [engine.head for engine in aggregate.engines.values() if "late_ns" in engine.head]
    return max((head["late_ns"] + head.get("clock_error_ns", 0) for head in heads), default=None)


def _quantile_ms(histogram: Histogram | None, stat: Quantile) -> float:
    value = histogram.quantile(QUANTILES[stat]) if histogram else None
    return (value or 0.0) / MS


def of_generator(aggregate: Aggregate) -> Iterator[Remark]:
    lag = _quantile_ms(aggregate.histograms.get("send_lag_ms"), "p99")
    allowed = max(SEND_LAG_MS, SEND_LAG_SHARE * _quantile_ms(aggregate.histograms.get(MAIN_METRIC), "p50"))
    if lag > allowed:
        yield Remark(
            "send_lag",
            f"1 % of the messages left {lag:.1f} ms or more after they were due (allowed: {allowed:.0f} ms): "
            "the load was not the one requested. Use more processes or fewer users.",
        )
    kind = timestamps(aggregate) or "kernel"
    loop_lag = _quantile_ms(aggregate.loop_lag, "p99")
    if loop_lag > LOOP_LAG_MS[kind]:
        yield Remark(
            "loop_lag",
            f"The engine's event loop was {loop_lag:.1f} ms late at p99 (allowed: {LOOP_LAG_MS[kind]:.0f} ms with "
            f"{kind} timestamps). Use more processes, or a machine with less other work.",
        )
    yield from _stalls(aggregate)
    shares = [median(found) for engine in aggregate.engines.values() if (found := engine.cpu_shares())]
    if shares and max(shares) > CPU_SHARE:
        yield Remark(
            "cpu_saturated",
            f"An engine used {max(shares):.0%} of its core for half of the time or more: the throughput may be "
            "the generator's limit, not the target's. Use more processes.",
        )
    if many_dropped(aggregate):
        yield Remark(
            "arrivals_dropped",
            f"{counted(aggregate.dropped, 'arrival was', 'arrivals were')} due and not started (too many sessions were "
            f"open, or the engine was late when the load ended): the target saw less load than was asked "
            f"for.{_of_a_hang(aggregate)}",
        )


def _of_a_hang(aggregate: Aggregate) -> str:
    if not aggregate.codes["unanswered"]:
        return ""
    return " Other turns got no answer: the figures lack the users who would have come and would have waited too."


def many_dropped(aggregate: Aggregate) -> bool:
    return aggregate.dropped > DROPPED_SHARE * (aggregate.sessions_started + aggregate.dropped)


def _stalls(aggregate: Aggregate) -> Iterator[Remark]:
    """Kernel time stamps stay correct while an engine is suspended, but it sends nothing: the throughput of a closed
    load is then too low, and no send lag shows it."""
    worst = max(aggregate.engines.values(), key=_stalled_share, default=None)
    longest_ms = max((engine.stall_ns for engine in aggregate.engines.values()), default=0) / MS
    if worst is None or (longest_ms < STALL_MS and _stalled_share(worst) <= STALLED_SHARE):
        return
    yield Remark(
        "engine_stalled",
        f"An engine was suspended for up to {longest_ms / 1000:.1f} s at once, and one for {_stalled_share(worst):.1%} "
        "of its time: the target saw less load than requested. Its process or the machine was paused or "
        "overloaded.",
    )


def _stalled_share(engine: Engine) -> float:
    return engine.stalled_ns / engine.lasted_ns if engine.lasted_ns else 0.0

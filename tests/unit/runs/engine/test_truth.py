"""Must hold for any target: who got no answer is reported, and the true percentiles lie between the reported bounds.

The truth is counted at the simulated target, never read from the engine.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metrics.analysis.totals import merge
from metrics.definitions import QUANTILES
from metrics.histogram import RELATIVE_ERROR, rank_of
from metrics.ingest.batch import parse
from metrics.report.build import RunFacts, build_report
from metrics.report_schema import RunReport, Stat
from runs.engine.core.waiting import ENOUGH_ANSWERS
from tests.support.engines import Share
from tests.support.virtual import NEVER, Asked, Rule, hold

LEAST_S = 1.0
"""No shorter wait is a hang, and twice the longest answer (see docs/engine.md)."""
EARLY_MS = 5.0
"""By so much an arrival may reach the target before it was due: what is due is begun a little early."""


def hang(draw: st.DrawFn, duration_s: float) -> Callable[[int, float], float]:
    """How long a request that comes then must wait before the target begins to answer it."""
    from_s = draw(st.floats(0, duration_s))
    until_s = draw(st.sampled_from([NEVER, from_s + 0.5, from_s + 3.0, from_s + 40.0]))
    every = draw(st.sampled_from([1, 2, 5]))
    if draw(st.booleans()):
        return lambda number, at_s: max(0.0, until_s - at_s) if number % every == 0 and at_s >= from_s else 0.0
    return lambda number, _at_s: NEVER if number % 7 == every else 0.0


@st.composite
def rules(draw: st.DrawFn, duration_s: float) -> Rule:
    seed, slow = draw(st.integers(0, 1000)), draw(st.sampled_from([0.05, 0.4, 2.5]))
    waits = hang(draw, duration_s) if draw(st.booleans()) else (lambda _number, _at_s: 0.0)

    def takes(number: int, at_s: float) -> float:
        return waits(number, at_s) + slow * (0.5 + Random(f"{seed}:{number}").random())

    drips_s = draw(st.sampled_from([None, None, 0.1, 0.9]))
    return Rule(takes, times_out_s=NEVER if drips_s else draw(st.sampled_from([NEVER, NEVER, 6.0])), drips_s=drips_s)


@st.composite
def loads(draw: st.DrawFn) -> dict[str, Any]:
    load = {"duration_s": draw(st.sampled_from([4, 12])), "grace_s": draw(st.sampled_from([0.5, 10.0, 30.0]))}
    if draw(st.booleans()):
        return load | {"kind": "open", "rate_per_s": draw(st.sampled_from([2, 9]))}
    people: dict[str, Any] = {"think": {"pause_s": {"mean": draw(st.sampled_from([0, 0.7]))}}}
    if draw(st.booleans()):
        people["patience"] = {"within_s": {"mean": draw(st.sampled_from([0.3, 2.0, 20.0]))}, "until": "done"}
    return load | {"kind": "closed", "users": draw(st.integers(1, 8)), "user_profile": people}


@st.composite
def runs(draw: st.DrawFn) -> tuple[Rule, dict[str, Any], int]:
    load = draw(loads())
    return draw(rules(load["duration_s"])), load, draw(st.integers(1, 3))


CLOSED = {"kind": "closed", "users": 5, "duration_s": 12}
OPEN = {"kind": "open", "rate_per_s": 9, "duration_s": 9}
IMPATIENT = {"patience": {"within_s": {"mean": 2.0}, "until": "done"}}


@settings(max_examples=30, deadline=None)
@given(runs())
@example((Rule(lambda _number, at_s: NEVER if at_s > 1 else 0.1), CLOSED, 1))
@example((Rule(lambda _number, at_s: NEVER if at_s > 7 else 2.5), {**CLOSED, "grace_s": 10.0}, 3))
@example((Rule(lambda _number, at_s: NEVER if at_s > 8 else 0.1), OPEN, 2))
@example((Rule(lambda _number, at_s: NEVER if at_s > 6 else 0.4, drips_s=0.1), CLOSED, 2))
@example((Rule(lambda number, _at_s: (0.07, NEVER)[number % 2], drips_s=0.1), {**OPEN, "duration_s": 4}, 1))
@example((Rule(lambda number, _at_s: 0.2 + number % 5), {**CLOSED, "user_profile": IMPATIENT}, 2))
def test_failures_and_bounds_are_those_of_the_target(run: tuple[Rule, dict[str, Any], int]) -> None:
    rule, load, turns = run
    rule.asked.clear()  # of an explicit example that is tried again
    with tempfile.TemporaryDirectory() as folder:
        share = hold(rule, load, Path(folder), steps=[{"do": "say", "text": "hi"}] * turns)
    report = report_of(share, load)
    assert report["turns"]["sent"] == len(rule.asked)
    who_got_no_answer(report, rule, load)
    percentiles(report, rule.asked)


def who_got_no_answer(report: RunReport, rule: Rule, load: dict[str, Any]) -> None:
    """Each is a failure, but for those that the end cut off while the run's own answers explained their wait, or were
    too few to judge a stream by that still came: these are named."""
    asked = rule.asked
    unanswered = sum(not one.is_answered for one in asked)
    longest_s = max((one.answer_at_s - one.at_s for one in asked if one.is_answered), default=0.0)
    explained_s = max(LEAST_S, 2 * longest_s)
    cut_off, failed = report["errors"].get("stopped", 0), report["turns"]["failed"]
    assert failed + cut_off == unanswered
    judged = rule.drips_s is None or len(asked) - unanswered >= ENOUGH_ANSWERS
    if load.get("grace_s", 30.0) > explained_s + 0.1 and judged:
        assert cut_off == 0
        rate = report["rates"]["error_rate"]
        assert rate == (None if not asked else round(unanswered / len(asked), 6))
    if cut_off:
        said = [*report["verdict"]["reasons"], *report["verdict"]["notes"]]
        assert any(text.startswith(("hang_not_judged", "few_cut_off")) for text in said)


def percentiles(report: RunReport, asked: list[Asked]) -> None:
    """The true waits are those without users who give up."""
    stats = report["metrics"]["e2e_planned_ms"]
    assert stats["count"] == len(asked)
    assert stats["censored"] == sum(not one.is_answered for one in asked)
    waits_ms = sorted((one.answer_at_s - one.at_s) * 1000 for one in asked)
    truth: dict[Stat, float] = (
        {stat: waits_ms[rank_of(q, len(asked)) - 1] for stat, q in QUANTILES.items()} if asked else {}
    )
    truth |= {"min": waits_ms[0], "max": waits_ms[-1]} if asked else {}
    for stat, true_ms in truth.items():
        low_ms, high_ms = stats[stat], stats["high"][stat]
        if low_ms is None:
            assert stat == "p999"
            continue
        assert low_ms <= true_ms * (1 + RELATIVE_ERROR) + EARLY_MS, stat
        assert (math.inf if high_ms is None else high_ms) >= true_ms * (1 - RELATIVE_ERROR) - EARLY_MS, stat
        if not stats["censored"]:
            assert low_ms == high_ms, stat


def report_of(share: Share, load: dict[str, Any]) -> RunReport:
    ledger = b"".join(orjson.dumps(line) + b"\n" for line in share.lines)
    facts = RunFacts(1, "completed", "t", "s", load, None)
    return build_report(facts, merge(parse(ledger, 1, 1).windows.values()))

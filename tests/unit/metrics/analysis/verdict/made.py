"""Runs to judge."""

from __future__ import annotations

from typing import Any

from metrics.analysis.verdict.judge import Verdict, judge
from tests.unit.metrics.made import MS, aggregate, generator, head, tail, turn

GOOD = [turn(number, planned=109 * MS) for number in range(100)]
QUICK = [generator(0, 0, lag=[100] * 200)]
CALM = [generator(second, second * 200) for second in range(1, 6)]


def verdict(*lines: dict[str, Any], turns: int = 100, **options: Any) -> Verdict:
    return judge(aggregate(head(), *CALM, *lines, tail(turns)), **options)


def codes(found: Verdict) -> list[str]:
    return [reason.code for reason in found.reasons]

"""Targets that hang for a while, and what a run against them says in its ledger."""

from __future__ import annotations

from typing import Any

import orjson

from metrics.analysis.totals import merge
from metrics.ingest.batch import parse
from metrics.report.build import RunFacts, build_report
from metrics.report_schema import RunReport
from runs.load.profile import parse_load
from tests.support.engines import Share
from tests.support.virtual import NEVER, Rule

USERS = 5
CLOSED: dict[str, Any] = {"kind": "closed", "users": USERS, "duration_s": 60}
OPEN: dict[str, Any] = {"kind": "open", "rate_per_s": 4, "duration_s": 30}
S = 10**9


def hangs(from_s: float, until_s: float = NEVER, usual_s: float = 0.1) -> Rule:
    return Rule(lambda _number, at_s: usual_s + (until_s - at_s if from_s <= at_s < until_s else 0.0))


def beats(share: Share) -> list[tuple[float, int, int]]:
    """Time, overdue and hung."""
    return [(line["at"] / S, line["overdue"], line["hung"]) for line in share.lines if line["k"] == "gen"]


def windows(share: Share, load: dict[str, Any] = CLOSED) -> list[dict[str, Any]]:
    data = b"".join(orjson.dumps(line) + b"\n" for line in share.lines)
    return [found for _, found in sorted(parse(data, 1, 1, counted=parse_load(load).counted_ns).windows.items())]


def report_of(stored: list[dict[str, Any]], load: dict[str, Any], thresholds: list[str]) -> RunReport:
    return build_report(RunFacts(1, "completed", "t", "s", load, None), merge(stored), thresholds)

"""What a test plan's fields must hold: asked by the admin and the API, answered by the engine's own parsers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.spec import SpecError
from metrics.thresholds import ThresholdError, parse_all
from runs.engine.search import conditions_of
from runs.engine.spec import parse_load
from runs.planner import check_shares
from runs.regions import regions_problem


def plan_problems(
    load: Any, thresholds: Any, processes: int | None, regions: Any = (), *, abort_on_fail: bool = False
) -> dict[str, str]:
    """What is wrong, by field; empty: nothing."""
    problems = {
        "load": load_problem(load, processes),
        "thresholds": thresholds_problem(thresholds),
        "regions": regions_problem(regions, processes),
    }
    if abort_on_fail and not thresholds:
        problems["abort_on_fail"] = 'there is nothing to miss: give a threshold, for example ["error_rate<1%"]'
    return {field: text for field, text in problems.items() if text}


def load_problem(load: Any, processes: int | None) -> str:
    if not isinstance(load, Mapping):
        return 'give a JSON object, for example {"kind": "closed", "users": 50, "duration_s": 30}'
    try:
        profile = parse_load(load)
        if processes is not None:
            check_shares(profile, processes)
        parse_all(conditions_of(profile))
    except (SpecError, ThresholdError) as exc:
        return str(exc)
    return ""


def thresholds_problem(thresholds: Any) -> str:
    if not isinstance(thresholds, list) or not all(isinstance(text, str) for text in thresholds):
        return 'give a list of texts, for example ["ttft_ms.p95<500"]'
    try:
        parse_all(thresholds)
    except ThresholdError as exc:
        return str(exc)
    return ""

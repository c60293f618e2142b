"""The keys of `--json`, a contract with scripts: a selection of the report's keys. The API returns the whole report.
Document additions in docs/burn.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Shape = Mapping[str, "Shape"] | None
"""The keys to keep, each with the shape below it; None keeps everything."""


def _keys(names: str) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), None)


CONTRACT: dict[str, Shape] = {
    "run": _keys("id status end_code reason target scenario load started_at duration_s load_s"),
    "sessions": _keys("started completed failed lost"),
    "turns": _keys("sent ok error timeout aborted unknown failed"),
    "load_changes": None,
    "dropped_arrivals": None,
    "unsolicited": None,
    "errors": None,
    "session_errors": None,
    "answers": _keys("kinds finish_reasons tools"),
    "rates": _keys("turns_per_s completed_sessions_per_min sessions_per_min output_tokens_per_s"),
    "tokens": _keys("input output reasoning source input_source output_source"),
    "metrics": None,
    "groups": None,
    "models": None,
    "thresholds": None,
    "generator": {
        **_keys("processes cpu_s cpu_us_per_turn timestamps connections"),
        "send_lag_ms": _keys("p50 p99 max"),
        "loop_lag_ms": _keys("p99 max"),
        "rss_mb": None,
    },
    "shards": None,
    "witness": None,
    "verdict": _keys("trusted reasons notes"),
    "budget": None,
    "cost": None,
    "patience": None,
    "load_curve": None,
    "capacity": None,
    "drift": None,
}


def contract(report: Mapping[str, Any], shape: Mapping[str, Shape] = CONTRACT) -> dict[str, Any]:
    """The report with the contract's keys, in the contract's order. Raises KeyError if it lacks one."""
    return {name: report[name] if below is None else contract(report[name], below) for name, below in shape.items()}

"""The part of a report that a search leaves: 40 users are good, 42 are not."""

from __future__ import annotations

from typing import Any, TypedDict

from metrics.report_schema import CapacityPart, LevelRow


class Searched(TypedDict):
    load_curve: list[LevelRow]
    capacity: CapacityPart


def forty_users(**changes: Any) -> Searched:
    """`load_curve` and `capacity`, whose keys may be changed."""
    levels: list[tuple[int, int, bool, list[str]]] = [
        (10, 400, True, []),
        (80, 1600, False, ["e2e_ms.p95<105 (is 200)"]),
        (40, 1600, True, []),
    ]
    levels.append((42, 1600, False, ["e2e_ms.p95<105 (is 109)"]))
    curve: list[LevelRow] = [
        {
            "level": level, "from_s": at * 10, "to_s": at * 10 + 5, "turns": turns, "error_rate": 0.0,
            "turns_per_s": turns / 5, "output_tokens_per_s": turns * 2.0, "active": float(level),
            "ttft_ms": {"p50": 100.1, "p95": 102.2}, "e2e_ms": {"p50": 100.1, "p95": 104.2}, "dropped_arrivals": 0,
            "overdue": 0, "send_lag_p99_ms": 0.2, "good": good, "missed": missed, "notes": [],
        }
        for at, (level, turns, good, missed) in enumerate(levels)
    ]  # fmt: skip
    capacity: Any = {
        "level": 40, "unit": "users", "found": True, "low": 40, "high": 42, "limited_by": ["e2e_ms.p95<105 (is 109)"],
        "conditions": ["e2e_ms.p95<105"], "knee": 40, "note": "",
    }  # fmt: skip
    return {"load_curve": curve, "capacity": capacity | changes}

"""Reports of earlier versions get today's keys, and lose none of their own."""

from __future__ import annotations

from typing import Any

from metrics.report.earlier_reports import present_report

RATES = {"sessions_per_min": 6.0, "conversations_per_min": 7.0, "turns_per_s": 1.0}
SESSIONS = {"started": 3, "cut": 2}
OLD: dict[str, Any] = {
    "run": {"status": "stopped", "reason": "budget: money: the ceiling is reached"},
    "uncounted_turns": 4,
    "sessions": SESSIONS,
    "rates": RATES,
    "groups": [{"scenario": "s", "sessions": SESSIONS, "rates": RATES}],
    "models": [],
    "errors": {"user_doubled": 2, "http_500": 1},
    "patience": {"doubled": 2},
    "budget": {"ended_by": "money", "money": {"ceiling": 1.0, "used": 1.5}},
    "cost": {"total": 1.5, "by_model": [{"model": "m", "money": 1.5}]},
}


def test_an_old_report_gets_new_keys_beside_its_own() -> None:
    found: Any = present_report(OLD)
    assert found["run"] == {**OLD["run"], "end_code": "budget_cost"}
    assert (found["excluded_turns"], found["uncounted_turns"]) == (4, 4)
    rates = {**RATES, "completed_sessions_per_min": 6.0, "ended_sessions_per_min": 7.0}
    sessions = {**SESSIONS, "truncated": 2}
    assert (found["sessions"], found["rates"]) == (sessions, rates)
    assert found["groups"] == [{"scenario": "s", "sessions": sessions, "rates": rates}]
    assert found["errors"] == {"user_hedged": 2, "http_500": 1}
    assert found["patience"] == {"doubled": 2, "hedged": 2}
    ceiling = {"ceiling": 1.0, "used": 1.5}
    assert found["budget"] == {"ended_by": "cost", "money": ceiling, "cost": ceiling}
    assert found["cost"] == {"total": 1.5, "by_model": [{"model": "m", "money": 1.5, "cost": 1.5}]}
    assert found["models"] == []


def test_a_report_of_today_stays_as_it_is() -> None:
    now = present_report(OLD)
    now["run"]["end_code"] = "done"
    now["excluded_turns"] = 9
    assert present_report(now) == now


def test_an_end_that_nothing_names_is_unknown() -> None:
    bare: dict[str, Any] = {
        "run": {"status": "completed", "reason": ""},
        "budget": None,
        "cost": None,
        "patience": None,
    }
    assert present_report(bare) == {**bare, "run": {**bare["run"], "end_code": None}}

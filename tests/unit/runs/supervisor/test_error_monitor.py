"""When the errors of all engines together end a run."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.end_codes import CEILINGS
from runs.load.budget import Budget
from runs.supervisor.error_monitor import FEWEST_FAILURES, ErrorMonitor


def second(at: int, ok: int = 0, error: int = 0, timeout: int = 0, aborted: int = 0, **more: Any) -> dict[str, Any]:
    codes = {"codes": {"http_500": error}} if error else {}
    return {"second": at, "out": [ok, error, timeout, aborted, 0], **codes, **more}


def monitored(*windows: dict[str, Any], **budget: Any) -> ErrorMonitor:
    found = ErrorMonitor(Budget.model_validate({"no_success_timeout_s": None, **budget}))
    for data in windows:
        found.add(data)
    return found


def said(found: ErrorMonitor, now_s: float) -> str:
    why = found.why_abort(now_s)
    return "" if why is None else why.reason


def test_errors_are_summed_over_engines_and_seconds_and_the_warm_up() -> None:
    found = monitored(second(0, ok=5, error=3), second(0, timeout=4, aborted=9), errors=10)
    assert found.why_abort(1) is None
    found.add({"second": 1, "uncounted": 4, "uncounted_spent": {"0": [1, 2, 0, 0], "3": [0, 1, 0, 0]}})
    assert said(found, 2) == "budget: errors: 10 turns failed, the budget allows 10; most often http_500"


def test_a_rate_is_that_of_its_window_only() -> None:
    rate = {"above": 0.1, "window_s": 5, "turns": 10}
    found = monitored(*(second(at, ok=10) for at in range(20)), second(3, error=10), error_rate=rate)
    assert said(found, 4) == (
        "budget: error_rate: 20.0% of 50 turns in 5 s failed, the budget allows 10%; most often http_500"
    )
    assert found.why_abort(20) is None
    found.add(second(17, error=5))
    assert found.why_abort(20) is None  # 5 of 55: 9.1 %
    found.add(second(18, error=1))
    assert said(found, 20).startswith("budget: error_rate: 10.7% of 56 turns in 5 s failed, the budget allows 10%")
    assert found.why_abort(24) is None


def test_a_rate_needs_its_turns_and_only_whole_seconds_that_all_engines_have_stored() -> None:
    rate = {"above": 0.5, "window_s": 5, "turns": 10}
    found = monitored(second(4, error=9), second(5, error=9), error_rate=rate)
    assert found.why_abort(5.9) is None
    assert found.why_abort(6.0) is not None


def test_a_rate_that_is_just_allowed_is_kept() -> None:
    assert monitored(second(0, ok=9, error=1), error_rate={"above": 0.1, "turns": 1}).why_abort(1) is None


def test_nothing_but_errors_ends_a_run() -> None:
    failing = [second(at, error=1) for at in range(40)]
    found = monitored(*failing, second(9, ok=1), no_success_timeout_s=30.0)
    assert found.why_abort(39.9) is None
    assert said(found, 40) == "budget: no_success: no turn was good for 30 s, and 30 failed; most often http_500"
    found.add(second(20, ok=1))  # another engine stores later, and was answered
    assert found.why_abort(40) is None


def test_a_run_without_any_good_turn_says_so() -> None:
    found = monitored(*(second(at, timeout=1) for at in range(30)), no_success_timeout_s=30.0)
    assert said(found, 30) == "budget: no_success: no turn was good since the start, and 30 failed"


def test_silence_is_no_error_and_neither_are_a_few_failures() -> None:
    few = [second(at, error=1) for at in range(FEWEST_FAILURES - 1)]
    assert monitored(*few, no_success_timeout_s=30.0).why_abort(600) is None
    assert monitored(second(0, ok=1), no_success_timeout_s=30.0).why_abort(600) is None


@pytest.mark.parametrize(
    ("ceiling", "budget"),
    [
        ("errors", {"errors": 1}),
        ("error_rate", {"error_rate": {"above": 0.1, "turns": 1}}),
        ("no_success", {"no_success_timeout_s": 1.0}),
    ],
)
def test_each_ceiling_has_its_code(ceiling: str, budget: dict[str, Any]) -> None:
    why = monitored(second(0, error=50), **budget).why_abort(10)
    assert why is not None
    assert why.code == CEILINGS[ceiling]


def test_without_ceilings_nothing_ends() -> None:
    assert monitored(second(0, error=5000)).why_abort(100) is None


def test_users_who_gave_up_are_failures() -> None:
    gone = [second(at, aborted=3, codes={"user_left": 2, "user_resent": 1}) for at in range(5)]
    assert monitored(*gone, errors=11).why_abort(5) is None
    assert said(monitored(*gone, errors=10), 5).startswith("budget: errors: 10 turns failed")

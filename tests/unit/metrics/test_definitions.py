from __future__ import annotations

from typing import Any

import pytest

from metrics.definitions import BY_NAME, METRICS, find, measured
from tests.unit.metrics.made import MS, columns, failed, turn


def values(name: str, *lines: dict[str, Any]) -> list[float]:
    metric = find(name)
    assert metric is not None
    return [value / metric.scale for value in metric.of(columns(*lines)).values.tolist()]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ttfb_ms", [10.0]),
        ("ttfc_ms", [20.0]),
        ("ttft_ms", [40.0]),
        ("e2e_ms", [90.0]),
        ("e2e_planned_ms", [100.0]),
        ("icl_ms", [20.0, 20.0]),
        ("tpot_ms", [10.0]),
        ("send_lag_ms", [10.0]),
        ("turn_tokens_per_s", [pytest.approx(5 / 0.09, rel=1e-4)]),
        ("handshake_connect_ms", []),
        ("arrival_error_ms", []),
        ("repetition", []),
    ],
)
def test_each_formula_on_one_turn(name: str, expected: list[float]) -> None:
    assert values(name, turn()) == expected


@pytest.mark.parametrize("metric", [m.name for m in METRICS if m.counts == "ok turns"])
def test_a_turn_that_failed_late_is_in_no_latency(metric: str) -> None:
    for outcome in ("error", "timeout", "aborted", "unknown"):
        assert values(metric, turn(out=outcome, hs={"connect": 5, "tls": 6})) == [], outcome


def test_send_lag_counts_failed_turns_but_not_unsent_ones() -> None:
    assert values("send_lag_ms", turn(), failed(1), failed(2, sent=None)) == [10.0, 10.0]


def test_a_handshake_is_the_target_s_time_not_the_generator_s() -> None:
    line = turn(hs={"connect": 3 * MS, "tls": 5 * MS})
    assert values("send_lag_ms", line) == [2.0]
    assert values("handshake_connect_ms", line) == [3.0]
    assert values("handshake_tls_ms", line) == [5.0]
    assert values("send_lag_ms", turn(hs={"connect": 50 * MS})) == [0.0]


def test_what_comes_after_the_first_sending_is_not_taken_off_the_send_lag() -> None:
    assert values("send_lag_ms", turn(hs={"resend": 5 * MS, "body_wait": 3 * MS})) == [7.0]


def test_a_target_s_own_handshake_step_becomes_a_metric() -> None:
    names = [metric.name for metric, _ in measured(columns(turn(hs={"login": 2 * MS}), turn(1)))]
    assert "handshake_login_ms" in names
    assert values("handshake_login_ms", turn(hs={"login": 2 * MS}), turn(1)) == [2.0]


def test_a_part_of_a_turn_becomes_a_metric_and_is_no_time_before_its_sending() -> None:
    line = turn(hs={"connect": 3 * MS, "then.request": 4 * MS, "then.fetch": 5 * MS})
    names = [metric.name for metric, _ in measured(columns(line))]
    assert {"handshake_connect_ms", "then_request_ms", "then_fetch_ms"} <= set(names)
    assert values("then_fetch_ms", line) == [5.0]
    assert values("send_lag_ms", line) == [7.0]


def test_the_rounds_of_a_turn_are_metrics_and_leave_its_tokens_to_several_answers() -> None:
    line = turn(hs={"tool.call": 2 * MS, "tool.round_1": 4 * MS, "tool.round_2": 5 * MS})
    names = [metric.name for metric, _ in measured(columns(line))]
    assert {"time_to_tool_call_ms", "tool_round_1_ms", "tool_round_2_ms"} <= set(names)
    assert len(names) == len(set(names)) and "tpot_ms" not in names
    assert values("time_to_tool_call_ms", line, turn(1)) == [2.0]
    assert values("tool_round_2_ms", line) == [5.0]
    assert values("send_lag_ms", line) == [10.0]
    assert values("tpot_ms", turn(hs={"tool.call": 2 * MS})) == [10.0]
    assert [find(f"tool_{name}_ms") for name in ("call", "round_0", "round_", "round_x", "round_123")] == [None] * 5


@pytest.mark.parametrize("changes", [{"to": 1}, {"to": None}, {"lc": 150 * MS}, {"ft": None, "lc": None}])
def test_time_per_token_needs_two_tokens_in_two_pieces(changes: dict[str, Any]) -> None:
    assert values("tpot_ms", turn(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"to": 125, "tr": 120}, [10.0]),
        ({"to": 125, "tr": 0}, [pytest.approx(40 / 124, abs=1e-5)]),
        ({"to": 125, "tr": None}, [pytest.approx(40 / 124, abs=1e-5)]),
        ({"to": 125, "tr": 124}, []),
        ({"to": 125, "tr": 200}, []),
    ],
)
def test_time_per_token_leaves_reasoning_out_of_both_halves(changes: dict[str, Any], expected: list[float]) -> None:
    assert values("tpot_ms", turn(**changes)) == expected


def test_arrival_errors_of_every_turn_count_and_may_be_negative() -> None:
    assert values("arrival_error_ms", turn(err=[2000, -1000]), turn(1, out="aborted", err=[5])) == [0.002, -0.001, 5e-6]


def test_names_are_unique_and_unknown_ones_are_not_found() -> None:
    assert len(BY_NAME) == len(METRICS)
    assert find("nonsense") is None
    assert find("handshake_x_ms") is not None

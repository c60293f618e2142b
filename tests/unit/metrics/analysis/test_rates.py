"""What rates are per, and what the warm-up keeps out of: the load's own time, and everything."""

from __future__ import annotations

from typing import Any

import pytest

from metrics.analysis.totals import merge
from metrics.report.build import RunFacts, build_report
from metrics.report.terminal import report_text
from metrics.report_schema import RunReport
from tests.unit.metrics.made import MS, batch, failed, head, tail, turn

S = 1000 * MS


def at(number: int, begin_s: float, takes_s: float = 0.05, **changes: Any) -> dict[str, Any]:
    begin, end = int(begin_s * S), int((begin_s + takes_s) * S)
    return turn(number, planned=begin, sent=begin, fb=end, fc=end, ft=end, lc=end, done=end, icl=None, **changes)


def report(lines: list[dict[str, Any]], load: dict[str, Any], load_s: float | None, **options: Any) -> RunReport:
    end = tail(sum(line["k"] == "turn" for line in lines)) | {"load": None if load_s is None else int(load_s * S)}
    found = merge(batch(head(), *lines, end, **options).windows.values())
    return build_report(RunFacts(1, "completed", "t", "s", load, None), found)


@pytest.mark.parametrize(
    ("begins", "takes_s", "load", "load_s", "per_s"),
    [
        ([i / 10 for i in range(30)], 0.01, {"conversations": 30}, 3.0, 10.0),
        ([i / 20 for i in range(120)], 2.0, {"duration_s": 6}, 6.003, 20.0),
        ([0.0], 0.01, {"duration_s": 1}, 1.002, 1.0),
        ([0, 3, 6], 0.01, {"duration_s": 9}, 9.0, 1 / 3),
        ([i / 10 for i in range(40)], 0.01, {"duration_s": 60}, 4.0, 10.0),  # stopped after 4 s
        ([2 + i / 10 for i in range(60)], 0.01, {"duration_s": 10, "warm_up_s": 2, "cool_down_s": 2}, 10.0, 10.0),
    ],
)
def test_rates_are_per_second_of_the_load(
    begins: list[float], takes_s: float, load: dict[str, Any], load_s: float, per_s: float
) -> None:
    lines = [at(number, begin_s, takes_s) for number, begin_s in enumerate(begins)]
    found = report(lines, load, load_s)
    assert found["rates"]["turns_per_s"] == pytest.approx(per_s, rel=1e-6)
    assert found["traffic"]["bytes_in_per_s"] == pytest.approx(per_s * 300, abs=0.1)


def test_without_an_end_rates_are_per_second_of_the_turns() -> None:
    assert report([at(0, 1.0), at(1, 1.95)], {"conversations": 2}, None)["rates"]["turns_per_s"] == pytest.approx(2)


def test_conversations_of_the_warm_up_and_cool_down_are_in_no_figure() -> None:
    lines: list[dict[str, Any]] = []
    for number in range(10):  # one a second; the first four fail
        out = "failed" if number < 4 else "completed"
        ended = int((number + 0.5) * S)
        lines += [
            {"k": "open", "id": number, "user": 0, "scenario": "s", "at": number * S},
            at(number, number) if number >= 4 else failed(number, planned=number * S, sent=number * S, done=ended),
            {"k": "close", "id": number, "at": ended, "out": out, "turns": 1, "code": None, "began": number * S},
        ]
    load = {"duration_s": 10, "warm_up_s": 4, "cool_down_s": 2}
    found = report(lines, load, 10.0, counted=(4 * S, 8 * S))
    assert found["sessions"] == {"started": 4, "completed": 4, "failed": 0, "lost": 0, "truncated": 0, "cut": 0}
    assert found["rates"]["completed_sessions_per_min"] == found["rates"]["sessions_per_min"] == pytest.approx(60)
    assert found["rates"]["ended_sessions_per_min"] == found["rates"]["conversations_per_min"] == pytest.approx(60)


def test_one_that_began_in_the_warm_up_does_not_count_when_it_ends_later() -> None:
    opened = {"k": "open", "id": 1, "user": 0, "scenario": "s", "at": 3 * S}
    closed = {"k": "close", "id": 1, "at": 6 * S, "out": "failed", "turns": 1, "code": "http_500", "began": 3 * S}
    found = report([opened, at(1, 5.0), closed], {"duration_s": 8, "warm_up_s": 4}, 8.0, counted=(4 * S, None))
    assert found["sessions"]["started"] == found["sessions"]["failed"] == 0
    assert found["turns"]["ok"] == 1


def test_rates_over_nearly_no_time_are_unknown() -> None:
    lines = [
        {"k": "open", "id": 0, "user": 0, "scenario": "s", "at": 0},
        at(0, 0.0, 0.0003),
        {"k": "close", "id": 0, "at": 300_000, "out": "failed", "turns": 1, "code": "scenario_invalid", "began": 0},
    ]
    found = report(lines, {"duration_s": 2}, 0.00037)
    rates = found["rates"]
    assert rates["error_rate"] == 0
    assert {value for name, value in rates.items() if name != "error_rate"} == {None}
    assert found["traffic"]["bytes_in_per_s"] is None
    assert found["traffic"]["bytes_out_per_s"] is None
    assert "- sessions/min" in report_text(found)

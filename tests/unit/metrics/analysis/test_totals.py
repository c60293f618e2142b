"""What windows add up to."""

from __future__ import annotations

from typing import Any

from metrics.analysis.totals import MAX_POINTS, Point, merge
from metrics.columns import LEFT
from metrics.histogram import Histogram

SUMS = ("sent", "chunks", "bytes_in", "bytes_out", "tokens_in", "tokens_out")


def window(second: int, ok: int = 1, error: int = 0, timeout: int = 0, **more: Any) -> dict[str, Any]:
    """Of turns that ended within one second."""
    sums = dict.fromkeys(SUMS, 0) | {"tokens_out_ok": 10 * ok}
    return {"second": second, "out": [ok, error, timeout, 9, 9], "sources": [], "first": 1, "last": 2, **sums, **more}


def series(found: dict[int, Point]) -> dict[int, tuple[int, int, int]]:
    return {index: (point.ok, point.failed, point.tokens_out_ok) for index, point in found.items()}


def test_a_point_has_what_ended_within_its_second() -> None:
    times = Histogram.of([5, 7]).to_json()
    found = merge(
        [window(3, ok=2, error=3, timeout=4, codes={LEFT: 5}, m={"e2e_ms": times}), window(3), window(4, ok=0, error=1)]
    )
    assert series(found.points) == {3: (3, 12, 30), 4: (0, 1, 0)}
    assert found.points[3].histograms["e2e_ms"] == Histogram.of([5, 7])
    assert found.points[3].histograms["ttft_ms"] == Histogram()
    assert (found.point_s, found.last_answer_s) == (1, 4)


def test_the_first_second_too_many_halves_the_points() -> None:
    seconds = [window(second, ok=second % 2 + 1) for second in range(MAX_POINTS)]
    assert MAX_POINTS == 600
    assert merge(seconds).point_s == 1
    assert len(merge(seconds).points) == 600
    found = merge([*seconds, window(600)])
    assert found.point_s == 2
    assert series(found.points) == {**dict.fromkeys(range(300), (3, 0, 30)), 300: (1, 0, 10)}
    assert found.last_answer_s == 602


def test_a_window_that_says_nothing_adds_nothing() -> None:
    found = merge([{}, window(0)])
    assert (found.unsolicited, found.waited, found.uncounted, found.bad_lines, found.dropped) == (0, 0, 0, 0, 0)
    assert (found.uncounted_spent, found.engines) == ({}, {})
    assert merge([{"uns": 2, "waited": 3}, {"uns": 1}]).unsolicited == 3
    assert merge([]).last_answer_s == 0


def test_what_is_not_counted_is_added_up_by_group() -> None:
    windows: list[dict[str, Any]] = [
        {"uncounted": 2, "uncounted_spent": {"0": [1, 1, 30, 40], "1": [0, 0, 0, 5]}},
        {"uncounted": 3, "uncounted_spent": {0: [2, 0, 7, 8]}},
        {"uncounted": 1},
    ]
    found = merge(windows)
    assert (found.uncounted, found.uncounted_spent) == (6, {0: (3, 1, 37, 48), 1: (0, 0, 0, 5)})

"""Levels out of windows, and the knee of curves that queueing theory draws."""

from __future__ import annotations

import random
from typing import Any

import pytest

from metrics.analysis.curve import Point, knee, knee_of, level_row, measure, turns_needed
from metrics.ingest.windows import Windows, add_turns
from tests.support.data.queueing import Queue, windows
from tests.unit.metrics.made import columns, failed, turn

S = 1000 * 1_000_000


def test_a_level_is_what_ended_in_its_seconds() -> None:
    made: Windows = {}
    lines = [turn(n, planned=n * S // 4, sent=n * S // 4, done=n * S // 4 + S // 10) for n in range(40)]
    lines[20] = failed(20, planned=5 * S, sent=5 * S, done=5 * S + S // 10)
    add_turns(made, 1, columns(*lines), [line["code"] for line in lines])
    made[3]["gen"] = [[3 * S, 0, 0, 6, 5, 2]]
    made[4]["gen"] = [[4 * S, 0, 0, 8, 5, 2]]
    made[5]["gen"] = [[5 * S, 0, 0, 10, 5, 9]]
    level = measure(made.values(), 3, 6)
    found = level.figures
    assert (found["turns"]["ok"], found["turns"]["error"]) == (11, 1)
    assert found["rates"]["turns_per_s"] == pytest.approx(11 / 3)
    assert found["rates"]["error_rate"] == pytest.approx(1 / 12, abs=1e-6)
    assert (found["active"], found["dropped_arrivals"]) == (8, 7)
    row = level_row(20.0, 3, 6, level, good=False)
    assert row["level"] == 20 and row["turns"] == 12 and row["good"] is False
    assert row["e2e_ms"]["p50"] == pytest.approx(100, rel=0.01)
    assert row["ttft_ms"].keys() == {"p50", "p95"}


def test_a_level_of_several_engines_adds_up() -> None:
    queue = Queue(100)
    both = [window for shard in (1, 2) for window in windows(20, 0, 0, 5, lambda n, _: queue.closed(n), shard=shard)]
    found = measure(both, 0, 5).figures
    assert found["rates"]["turns_per_s"] == 400 and found["active"] == 40


def test_nothing_measured_is_none_and_not_zero() -> None:
    found = measure([], 0, 5).figures
    assert found["rates"]["error_rate"] is None and found["metrics"]["e2e_ms"]["p95"] is None
    assert found["rates"]["turns_per_s"] == 0 and found["active"] == 0


@pytest.mark.parametrize(
    ("conditions", "turns"),
    [
        (["e2e_ms.mean<5"], 1),
        (["ttft_ms.p95<800"], 20),
        (["ttft_ms.p95<800", "ttft_ms.p99<900"], 100),
        (["error_rate<1%"], 100),
        (["error_rate<0.00001"], 1000),
        (["error_rate<=0"], 1),
    ],
)
def test_a_condition_needs_so_many_turns(conditions: list[str], turns: int) -> None:
    assert turns_needed(conditions) == turns


@pytest.mark.parametrize("limit", [5, 40, 70])
def test_the_knee_of_a_closed_loop_is_where_the_places_are_all_taken(limit: int) -> None:
    assert knee(Point(n, min(n, limit)) for n in range(5, 101, 5)) == limit


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_of_some_percent_moves_it_by_one_level(seed: int) -> None:
    rng = random.Random(seed)
    points = [Point(n, min(n, 40) * rng.uniform(0.97, 1.03)) for n in range(5, 101, 5)]
    assert knee(points) in {35, 40, 45}


def test_the_knee_of_users_with_think_time_is_near_the_saturation_point() -> None:
    """Asymptotic bounds (Denning and Buzen): saturation at (Z + S) / S users of one server with demand S."""
    think, service, rate, waits = 0.9, 0.1, [], 0.0
    for users in range(1, 41):  # exact mean value analysis of one queue and a think time
        response = service * (1 + waits)
        throughput = users / (think + response)
        waits = throughput * response
        rate.append(Point(users, throughput))
    found = knee(rate)
    assert found is not None and 8 <= found <= 14


def test_arrivals_beyond_the_limit_are_a_knee_at_the_limit() -> None:
    assert knee(Point(rate, min(rate, 32)) for rate in (4, 8, 16, 32, 64, 128)) == 32
    collapsing = [Point(rate, rate if rate <= 32 else 32 - 0.1 * (rate - 32)) for rate in (8, 16, 32, 64, 128)]
    assert knee(collapsing) == 32


@pytest.mark.parametrize("points", [[], [Point(5, 5)], [Point(5, 5), Point(10, 5)], [Point(n, n) for n in range(9)]])
def test_a_straight_line_or_too_few_levels_have_none(points: list[Point]) -> None:
    assert knee(points) is None


@pytest.mark.parametrize(
    ("failed", "found"),
    [
        ([0.0, 0.0, 0.0, 0.0, 0.0], 8),
        ([0.0, 0.02, 0.05, 0.1, 0.0], 8),
        ([0.0, 0.0, 0.0, 1.0, 1.0], None),
        ([0.0, 0.0, 0.0, None, None], None),
        ([0.0, 0.0, 0.0, 0.4, 0.0], 8),
        ([None, None, None, None, None], None),
    ],
)
def test_levels_that_failed_make_no_knee(failed: list[float | None], found: float | None) -> None:
    curve: list[Any] = [
        {"level": level, "turns_per_s": min(level, 8) * (1 - (1 if share is None else share)), "error_rate": share}
        for level, share in zip((2, 4, 8, 16, 32), failed, strict=True)
    ]
    assert knee_of(curve) == found


def test_no_answer_at_all_has_none() -> None:
    assert knee(Point(n, 0) for n in range(1, 9)) is None


def test_levels_that_were_measured_twice_count_with_their_mean() -> None:
    rows = [(10, 10.0), (20, 18.0), (20, 22.0), (40, 21.0), (80, 20.0)]
    curve: list[Any] = [{"level": level, "turns_per_s": rate, "error_rate": 0.0} for level, rate in rows]
    assert knee_of(curve) == 20

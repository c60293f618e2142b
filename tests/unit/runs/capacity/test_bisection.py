"""Which levels a search tries: how many, that it ends, and what it finds when measurements lie."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from runs.capacity.bisection import Bracket, Sample, Scale, bracket, next_level
from runs.load.search import Search

USERS = Scale(start=10, low=1, high=1000, precision=0.02, whole=True)
MOST = 200


def search(scale: Scale, is_good: Callable[[float, int], bool]) -> list[Sample]:
    """Every level tried; `is_good` gets the level and how many were tried before."""
    tried: list[Sample] = []
    while (level := next_level(scale, tried)) is not None:
        assert scale.low <= level <= scale.high
        tried.append(Sample(level, is_good(level, len(tried))))
        assert len(tried) < MOST, "it does not end"
    return tried


def test_it_doubles_then_halves_then_confirms_both_sides() -> None:
    tried = search(USERS._replace(precision=0.1), lambda level, _: level <= 50)
    assert [level for level, _ in tried] == [10, 20, 40, 80, 60, 50, 55, 50, 55]
    assert bracket(tried) == Bracket(50, 55)


def test_a_bad_start_is_repeated_before_it_goes_down() -> None:
    tried = search(USERS._replace(precision=0.1), lambda level, _: level <= 4)
    assert [level for level, _ in tried] == [10, 10, 5, 2, 3, 4, 4, 5]
    assert bracket(tried) == Bracket(4, 5)


def test_a_cold_start_costs_one_more_measurement_or_two() -> None:
    tried = search(USERS, lambda level, before: before > 0 and level <= 50)
    assert [level for level, _ in tried][:4] == [10, 10, 10, 20]
    assert bracket(tried) == Bracket(50, 51)


def test_the_highest_level_being_good_ends_it() -> None:
    tried = search(USERS._replace(high=35), lambda _level, _before: True)
    assert [level for level, _ in tried] == [10, 20, 35]
    assert bracket(tried) == Bracket(35, None)


def test_nothing_being_good_ends_it_at_the_lowest_level() -> None:
    tried = search(USERS._replace(low=3), lambda _level, _before: False)
    assert [level for level, _ in tried] == [10, 10, 5, 3, 3]
    assert bracket(tried) == Bracket(None, 3)


def good_but_once(wrong: int, level: float, before: int) -> bool:
    return level <= 300 and before != wrong


def test_one_wrong_measurement_of_the_limit_is_found_out() -> None:
    """A good level that is once measured bad is not what the search ends with."""
    for wrong in range(1, 9):
        tried = search(USERS, partial(good_but_once, wrong))
        good, _bad = bracket(tried)
        assert good is not None and 294 <= good <= 300, (wrong, tried)


@given(limit=st.integers(1, 999), start=st.integers(1, 1000), precision=st.floats(0.005, 0.3))
def test_users_are_found_within_the_precision(limit: int, start: int, precision: float) -> None:
    scale = USERS._replace(start=float(start), precision=precision)
    tried = search(scale, lambda level, _: level <= limit)
    good, bad = bracket(tried)
    assert good is not None and bad is not None
    assert good <= limit < bad <= max(good + 1, good / (1 - precision) + 1e-9)
    conditions = Search(conditions=("e2e_ms.p95<1",), precision=precision)
    assert len(tried) <= conditions.levels(start, whole=True) + 1


@given(limit=st.floats(0.1, 499), start=st.floats(0.2, 500), precision=st.floats(0.005, 0.3))
def test_rates_are_found_within_the_precision(limit: float, start: float, precision: float) -> None:
    scale = Scale(start=start, low=start / 1000, high=500, precision=precision, whole=False)
    good, bad = bracket(search(scale, lambda level, _: level <= limit))
    if good is None:
        assert limit < scale.low
    else:
        assert bad is not None and good <= limit < bad and bad - good <= precision * bad * 1.001


@given(st.lists(st.booleans(), min_size=MOST, max_size=MOST))
def test_it_ends_whatever_is_measured(noise: list[bool]) -> None:
    tried = search(USERS, lambda _level, before: noise[before])
    good, bad = bracket(tried)
    assert good is None or bad is None or good < bad

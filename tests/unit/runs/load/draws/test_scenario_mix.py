"""Numbers of conversations within their scenario: the same for every engine, each row of data exactly once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.load.draws import scenario_mix
from runs.load.draws.lazy_random import LazyRandom
from runs.load.draws.scenario_mix import Numbers, conversations_with_rows, drawn, session_rng

WEIGHTS = [1.0, 3.0]


def test_drawing_and_counting_choose_the_same_scenario() -> None:
    choices = [LazyRandom(7, number).choices(range(2), WEIGHTS)[0] for number in range(200)]
    assert choices == [drawn(session_rng(7, number), WEIGHTS) for number in range(200)]
    assert 100 < sum(choices) < 190


@settings(max_examples=30, deadline=None)
@given(of=st.integers(1, 4), total=st.integers(1, 80), seed=st.integers(0, 99))
def test_engines_number_the_conversations_of_each_scenario_without_gap_or_double(
    of: int, total: int, seed: int
) -> None:
    which = [drawn(session_rng(seed, number), WEIGHTS) for number in range(total)]
    found: dict[int, list[int]] = {0: [], 1: []}
    for index in range(of):
        numbers = Numbers(seed, WEIGHTS)
        for number in range(index, total, of):
            found[which[number]].append(numbers.of(number, which[number]))
    assert sorted(found[0]) == list(range(which.count(0)))
    assert sorted(found[1]) == list(range(which.count(1)))


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 20), seed=st.integers(0, 99))
def test_a_load_ends_just_before_the_conversation_that_would_find_no_row(rows: int, seed: int) -> None:
    found = conversations_with_rows([rows, None], WEIGHTS, seed, None)
    assert found is not None
    which = [drawn(session_rng(seed, number), WEIGHTS) for number in range(found + 1)]
    assert which[:found].count(0) == rows
    assert which[found] == 0


def test_one_scenario_has_as_many_conversations_as_rows_or_as_are_asked_for() -> None:
    assert conversations_with_rows([5], [1.0], 0, None) == 5
    assert conversations_with_rows([5], [1.0], 0, 3) == 3
    assert conversations_with_rows([None], [1.0], 0, 3) == 3
    assert conversations_with_rows([None, None], WEIGHTS, 0, None) is None
    assert conversations_with_rows([50, None], WEIGHTS, 0, 10) == 10


def test_rows_that_would_last_for_ever_are_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario_mix, "MOST_DRAWS", 500)
    with pytest.raises(ValueError, match="after 500 conversations there are still rows"):
        conversations_with_rows([100, None], [1.0, 99.0], 0, None)

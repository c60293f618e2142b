"""What is counted for each group adds up to the whole, and to every choice of groups."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.analysis.totals import Aggregate, merge
from metrics.groups import Group, chosen, known_keys, known_values
from tests.support.ledgers import LedgerMaker
from tests.unit.metrics.made import MS, batch, failed, turn

GROUPS = [
    Group("rapid", "small", {"tier": "gold"}),
    Group("rapid", "large", {"tier": "gold"}),
    Group("slow", "small", {"tier": "free", "team": "x"}),
    Group("slow", "large", {"tier": "free", "team": "x"}),
]


def of_all(aggregate: Aggregate) -> dict[str, Any]:
    return aggregate.of_groups(aggregate.groups).counted()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 9_000), st.integers(0, 3_000)),
        min_size=1,
        max_size=60,
    )
)
def test_the_groups_of_any_turns_sum_to_the_whole(turns: list[tuple[int, bool, int, int]]) -> None:
    lines = []
    for number, (group, good, planned, took) in enumerate(turns):
        made = turn if good else failed
        times: dict[str, Any] = {"planned": planned * MS, "sent": (planned + 1) * MS, "done": (planned + took + 5) * MS}
        content: dict[str, Any] = {"ft": (planned + 2) * MS, "lc": (planned + 3) * MS} if good else {}
        lines.append(made(number, s=number, g=group, **times, **content))
    total = merge(batch(*lines, groups=4).windows.values())
    assert of_all(total) == total.counted()
    assert {number: counts.turns for number, counts in total.groups.items()} == {
        group: sum(1 for found, *_ in turns if found == group) for group in {found for found, *_ in turns}
    }


def test_sessions_and_failures_are_told_apart_too() -> None:
    total = merge(batch(*_lines(), groups=6).windows.values())
    assert of_all(total) == total.counted()
    assert sorted(total.groups) == [0, 1, 2, 3, 4, 5]
    assert total.codes.keys() >= {"http_500", "idle_timeout"}
    assert all(counts.sessions_ended["completed"] > 0 for counts in total.groups.values())


def test_a_groups_rates_are_of_the_whole_run() -> None:
    total = merge(batch(*_lines(), groups=6).windows.values())
    parts = [counts.rates(total.duration_s)["turns_per_s"] or 0 for counts in total.groups.values()]
    assert sum(parts) == pytest.approx(total.rates()["turns_per_s"])


def test_warm_up_and_cool_down_are_in_no_group() -> None:
    lines = [turn(number, planned=number * 1000 * MS, g=number % 2) for number in range(6)]
    total = merge(batch(*lines, groups=2, counted=(2 * 1000 * MS, 5 * 1000 * MS)).windows.values())
    assert (total.turns, total.uncounted) == (3, 3)
    assert {number: counts.turns for number, counts in total.groups.items()} == {0: 2, 1: 1}


def test_a_run_with_one_group_stores_none() -> None:
    found = batch(turn(), turn(1))
    assert found.turns.columns.group is None
    assert not any("groups" in data for data in found.windows.values())


def test_a_line_that_an_engines_death_left_behind_counts_to_the_first_group() -> None:
    total = merge(batch(turn(1, g=1), failed(2, "unknown", "engine_died"), groups=2).windows.values())
    assert {number: counts.turns for number, counts in total.groups.items()} == {0: 1, 1: 1}


@pytest.mark.parametrize("number", [-1, 2, "1", 1.0, None, True])
def test_a_group_that_the_run_does_not_have_is_a_damaged_line(number: Any) -> None:
    opened = {"k": "open", "id": 1, "user": 0, "scenario": "a", "at": 5, "group": number}
    closed = {"k": "close", "id": 1, "at": 5, "out": "completed", "turns": 1, "code": None, "g": number}
    found = batch(turn(1, g=1), turn(2, g=number), opened, closed, groups=2)
    assert len(found.quarantined) == 3
    assert found.turns.row("id") == (1,)


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ((), [0, 1, 2, 3]),
        ((("scenario", "rapid"),), [0, 1]),
        ((("model", "large"),), [1, 3]),
        ((("tier", "free"),), [2, 3]),
        ((("tier", "free"), ("model", "small")), [2]),
        ((("team", "x"), ("tier", "gold")), []),
        ((("scenario", "nobody"),), []),
    ],
)
def test_a_choice_of_scenario_model_and_tags(where: tuple[tuple[str, str], ...], numbers: list[int]) -> None:
    assert chosen(GROUPS, where) == numbers


def test_what_a_choice_may_ask_for() -> None:
    assert known_keys(GROUPS) == ["scenario", "model", "team", "tier"]
    assert known_values(GROUPS, "tier") == ["gold", "free"]
    assert known_values([Group("a")], "model") == []


def _lines() -> list[dict[str, Any]]:
    maker = LedgerMaker(400, users=20, streamed=0.3, failing=0.2, stamped=True, turns_per_s=200, groups=6)
    return list(maker.lines())

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.workers.placement import lacks, place
from runs.workers.registry import Worker, own_queue, region_queue


def worker(name: str, slots: int, busy: int = 0, region: str = "", **more: Any) -> Worker:
    queues = {"load", region_queue(region), own_queue(name)}
    told: dict[str, Any] = {"host": name, "region": region, "slots": slots, "busy": busy, "queues": (*queues,), **more}
    return Worker(name, **told)


def names(regions: list[str], *workers: Worker) -> list[str | None]:
    return [found.name if found else None for found in place(regions, workers)]


def test_engines_spread_over_hosts_before_they_share_one() -> None:
    assert Counter(names([""] * 4, worker("a", 4), worker("b", 4))) == {"a": 2, "b": 2}
    assert Counter(names([""] * 5, worker("small", 2), worker("large", 8))) == {"large": 4, "small": 1}


def test_what_is_in_use_counts() -> None:
    assert names(["", ""], worker("a", 4, busy=3), worker("b", 4)) == ["b", "b"]
    assert names([""], worker("a", 4, busy=4)) == [None]


def test_a_region_takes_only_its_own_and_anywhere_takes_all() -> None:
    eu, us = worker("e", 2, region="eu"), worker("u", 2, region="us")
    assert names(["eu", "us", "eu", "us"], eu, us) == ["e", "u", "e", "u"]
    assert names(["asia"], eu, us) == [None]
    assert Counter(names([""] * 4, eu, us)) == {"e": 2, "u": 2}


def test_a_worker_without_a_queue_of_its_own_gets_nothing_placed() -> None:
    assert names([""], worker("old", 4, queues=("load",))) == [None]
    assert names([""], worker("control", 4, queues=("control", own_queue("control")))) == [None]


@given(
    st.lists(st.sampled_from(["", "eu", "us"]), max_size=12),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(["", "eu", "us"])), max_size=5),
)
def test_no_worker_gets_more_than_it_has_room_for(regions: list[str], made: list[tuple[int, int, str]]) -> None:
    workers = [worker(f"w{n}", slots, busy, region) for n, (slots, busy, region) in enumerate(made)]
    found = place(regions, workers)
    given_to = Counter(chosen.name for chosen in found if chosen)
    assert all(given_to[each.name] <= each.free for each in workers)
    for region, chosen in zip(regions, found, strict=True):
        if chosen is not None:
            assert region in {"", chosen.region}
        else:
            able = [each for each in workers if each.serves(region)]
            assert all(given_to[each.name] == each.free for each in able)


@pytest.mark.parametrize(
    ("regions", "says"),
    [
        ([""] * 8, "needs 8 slots, 5 exist on 2 hosts: 3 are missing"),
        (["eu"] * 3, "needs 3 slots in region eu, 2 exist on 1 host: 1 is missing"),
        (["asia"], "needs 1 slot in region asia, none exists: 1 is missing"),
    ],
)
def test_a_lack_says_how_many_are_missing(regions: list[str], says: str) -> None:
    (lack,) = lacks(regions, [worker("a", 2, region="eu"), worker("b", 3, busy=3)])
    assert str(lack) == says


def test_enough_is_no_lack_even_if_it_is_in_use() -> None:
    (lack,) = lacks(["", ""], [worker("a", 2, busy=2)])
    assert (lack.missing, lack.busy) == (0, 2)

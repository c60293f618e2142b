from __future__ import annotations

import pytest

from runs.workers.regions import regions_problem, shard_regions


def test_shards_are_shared_evenly_in_turn() -> None:
    assert shard_regions(["eu", "us"], 5) == ["eu", "us", "eu", "us", "eu"]
    assert shard_regions([], 2) == ["", ""]


@pytest.mark.parametrize(
    ("regions", "says"),
    [
        ("eu", "give a list"),
        (["EU"], "is not a region"),
        (["eu west"], "is not a region"),
        ([""], "is not a region"),
        ([3], "is not a region"),
        (["x" * 41], "is not a region"),
        (["eu", "eu"], "named twice"),
        (["eu", "us", "asia"], "need as many processes"),
    ],
)
def test_what_is_no_list_of_regions_is_said(regions: object, says: str) -> None:
    assert says in regions_problem(regions, 2)


@pytest.mark.parametrize("regions", [[], ["eu"], ["eu", "us-east_1"]])
def test_what_is_one_passes(regions: list[str]) -> None:
    assert regions_problem(regions, 2) == ""

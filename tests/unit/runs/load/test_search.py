"""Searches and sweeps as parts of a load: what they make of it, and what may not stand beside them."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.spec import SpecError
from runs.load.profile import ClosedLoad, OpenLoad, Stage, parse_load
from runs.load.search import Span

CONDITIONS = ["e2e_ms.p95<800"]


def users(**more: Any) -> dict[str, Any]:
    return {"kind": "closed", **more}


def test_a_sweep_makes_the_loads_stages_and_beginning() -> None:
    load = parse_load(users(sweep={"levels": [10, 20, 5], "hold_s": 8}))
    assert isinstance(load, ClosedLoad) and load.sweep is not None
    assert (load.users, load.peak, load.duration_s) == (10, 20, 24)
    jumps = [(8, 10), (0, 20), (8, 20), (0, 5), (8, 5)]
    assert load.stages == tuple(Stage(duration_s=length, to=level) for length, level in jumps)
    assert load.sweep.spans() == [Span(10, 0, 2, 8), Span(20, 8, 10, 16), Span(5, 16, 18, 24)]


def test_a_frozen_sweep_is_read_again_as_it_was() -> None:
    for data in (
        users(sweep={"levels": [10, 20], "hold_s": 8}),
        {"kind": "open", "sweep": {"levels": [0.5, 2.5], "hold_s": 8, "settle_s": 3}},
        users(users=4, search={"conditions": CONDITIONS}),
    ):
        load = parse_load(data)
        assert parse_load(load.model_dump(mode="json")) == load


def test_a_sweep_of_rates_begins_at_its_first_one() -> None:
    load = parse_load({"kind": "open", "sweep": {"levels": [0.5, 2.5], "hold_s": 8}})
    assert isinstance(load, OpenLoad) and load.rate_per_s == 0.5


def test_what_settles_is_a_quarter_of_a_level_at_most_five_seconds() -> None:
    for hold_s, settled_s in ((8, 2), (20, 5), (60, 5)):
        load = parse_load(users(sweep={"levels": [10], "hold_s": hold_s}))
        assert load.sweep is not None and load.sweep.settled_s == settled_s


def test_a_search_has_a_longest_duration() -> None:
    load = parse_load(users(users=10, search={"conditions": CONDITIONS, "high": 80, "precision": 0.1}))
    # 10, 20, 40, 80 and 1 of the way down, 3 halvings of 40..80 to within 8, two more to confirm; 18 s each
    assert load.search is not None and load.search.levels(10, whole=True) == 10
    assert load.duration_s == 2 * 10 * 18
    own = parse_load(users(users=10, duration_s=50, search={"conditions": CONDITIONS}))
    assert own.duration_s == 50


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (users(users=10, search={"conditions": []}), "at least 1"),
        (
            users(users=10, search={"conditions": CONDITIONS, "high": 5}),
            "not between load.search.low 1 and",
        ),
        (users(users=10, search={"conditions": CONDITIONS, "low": 1.5}), "whole numbers"),
        (users(users=10, stages=[{"duration_s": 5, "to": 9}], search={"conditions": CONDITIONS}), "has no stages"),
        (users(users=10, warm_up_s=5, search={"conditions": CONDITIONS}), "leave load.warm_up_s out"),
        (users(users=0, search={"conditions": CONDITIONS}), "above zero"),
        (users(sweep={"levels": [10, 2.5], "hold_s": 8}), "whole numbers"),
        (users(sweep={"levels": [0], "hold_s": 8}), "above 0"),
        (users(sweep={"levels": [5], "hold_s": 8, "settle_s": 7}), "leave too little to measure"),
        (
            users(users=3, stages=[{"duration_s": 5, "to": 9}], sweep={"levels": [9], "hold_s": 5}),
            "load.stages out",
        ),
        (users(max_turns_per_s=5, sweep={"levels": [9], "hold_s": 5}), "leave load.max_turns_per_s out"),
        (users(sweep={"levels": [9]}, search={"conditions": CONDITIONS}), "not both"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(data: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says) as caught:
        parse_load(data)
    assert "\n" not in str(caught.value)

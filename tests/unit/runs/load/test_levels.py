"""Loads in stages: every engine's users and arrivals follow from the load alone, and together they are the whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.spec import SpecError
from runs.load.arrivals import arrival_ns, arrivals, jitter_ns, level_for, own_areas
from runs.load.levels import Crossing, Level, level_of
from runs.load.profile import ClosedLoad, OpenLoad, Stage, parse_load

STAGES = st.lists(
    st.builds(Stage, duration_s=st.one_of(st.just(0.0), st.floats(0.1, 20)), to=st.floats(0, 40)),
    min_size=1,
    max_size=6,
).filter(lambda stages: any(stage.duration_s for stage in stages))


def ramp(*stages: tuple[float, float]) -> tuple[Stage, ...]:
    return tuple(Stage(duration_s=seconds, to=to) for seconds, to in stages)


def presence(level: Level, there: int = 0, after_s: float = 0.0) -> dict[int, list[tuple[float, float]]]:
    """By user: from when until when, if users 0 to `there` - 1 are there at `after_s`."""
    spans = {number: [(after_s, level.end_s)] for number in range(there)}
    for at_s, number, comes in level.crossings(there, after_s):
        assert number == there - (not comes)
        if comes:
            spans.setdefault(number, []).append((at_s, level.end_s))
        else:
            spans[number][-1] = (spans[number][-1][0], at_s)
        there = number + comes
    return spans


def there_at(spans: dict[int, list[tuple[float, float]]], at_s: float) -> int:
    return sum(begin <= at_s < end for user in spans.values() for begin, end in user)


@given(STAGES, st.integers(0, 40), st.floats(0, 1))
def test_at_any_time_as_many_users_are_there_as_the_level_says(stages: list[Stage], start: int, part: float) -> None:
    level = level_of(start, stages)
    at_s = level.end_s * part
    assert abs(there_at(presence(level), at_s) - level.at(at_s)) <= 1.0 + 1e-6


@given(STAGES, st.integers(0, 40), st.floats(0, 1), st.floats(0, 1), st.integers(0, 40))
def test_a_later_look_finds_the_same_users(
    stages: list[Stage], start: int, looks: float, part: float, believed: int
) -> None:
    level = level_of(start, stages)
    after_s = level.end_s * looks
    at_s = after_s + (level.end_s - after_s) * part
    there = there_at(presence(level, believed, after_s), at_s)
    assert abs(there - level.at(at_s)) <= 1.0 + 1e-6 or at_s == level.end_s


def test_a_ramp_brings_users_one_by_one_and_takes_the_last_first() -> None:
    level = level_of(0, ramp((4, 4), (2, 4), (4, 0)))
    assert presence(level) == {0: [(0, 10)], 1: [(1, 9)], 2: [(2, 8)], 3: [(3, 7)]}
    assert next(level.crossings()) == Crossing(0, 0, True)


def test_a_spike_is_a_jump_up_and_down() -> None:
    level = level_of(2, ramp((5, 2), (0, 10), (1, 10), (0, 2), (4, 2)))
    assert presence(level)[1] == [(0, 10)]
    assert presence(level)[9] == [(5, 6)]
    assert (level.peak, level.end_s, level.area) == (10, 10, 28)


CHANGES = st.lists(st.tuples(st.floats(0, 60), st.sampled_from([0.0, 1.0, 3.5, 40.0])), max_size=4)


@given(STAGES, st.integers(0, 40), CHANGES, st.floats(0, 1))
def test_a_change_holds_until_the_end_or_the_next_one(
    stages: list[Stage], start: int, changes: list[tuple[float, float]], part: float
) -> None:
    level = level_of(start, stages)
    at_s = level.end_s * part
    changed = level
    for from_s, to in changes:
        changed = changed.changed(from_s, to)
    assert changed.end_s == level.end_s
    assert changed.at(at_s) == pytest.approx(_last_said(level, changes, at_s))
    areas = [(piece.end_s - piece.begin_s) * (piece.begin + piece.end) / 2 for piece in changed.pieces]
    assert changed.area == pytest.approx(sum(areas))


def _last_said(level: Level, changes: list[tuple[float, float]], at_s: float) -> float:
    said = [to for from_s, to in changes if from_s <= at_s < level.end_s]
    return said[-1] if said else level.at(at_s)


@settings(max_examples=60)
@given(STAGES, st.floats(0, 20), st.sampled_from(["constant", "poisson"]), st.integers(0, 99), st.integers(1, 5))
def test_the_union_of_all_shares_is_the_whole_plan(
    stages: list[Stage], rate: float, kind: str, seed: int, of: int
) -> None:
    try:
        load = parse_load({"kind": "open", "rate_per_s": rate, "arrivals": kind, "stages": stages})
    except SpecError:
        return  # never above zero
    assert isinstance(load, OpenLoad)
    whole = list(enumerate(arrivals(load, seed)))
    assert sorted(taken for index in range(of) for taken in share(load, seed, index, of)) == whole
    times = [at for _, at in whole]
    assert times == sorted(times)
    assert all(0 <= at <= level_for(load).end_s * 1e9 for at in times)


def share(load: OpenLoad, seed: int, index: int, of: int) -> list[tuple[int, int]]:
    """What shard `index` takes, as its driver does."""
    taken = []
    for number, area in own_areas(load, seed, index, of):
        at_ns = arrival_ns(level_for(load), area)
        if at_ns is None:
            break
        taken.append((number, at_ns))
    return taken


def test_arrivals_follow_the_area_below_the_rate() -> None:
    load = OpenLoad(rate_per_s=0, stages=ramp((10, 100), (10, 100), (10, 0)))
    times = [at / 1e9 for at in arrivals(load, seed=1)]
    assert len(times) == 1999  # the first one comes when the area has reached 1
    assert sum(at < 10 for at in times) == 499
    assert sum(10 <= at < 20 for at in times) == 1000
    assert times[49] == pytest.approx(10**0.5)  # 5 t^2 = 50


def test_poisson_arrivals_keep_their_number_and_place() -> None:
    load = OpenLoad(rate_per_s=0, arrivals="poisson", stages=ramp((100, 100), (100, 0)))
    times = [at / 1e9 for at in arrivals(load, seed=5)]
    assert len(times) == pytest.approx(10_000, rel=0.04)
    assert sum(at < 100 for at in times) == pytest.approx(5_000, rel=0.05)
    assert sum(at < 50 for at in times) == pytest.approx(1_250, rel=0.1)


@pytest.mark.parametrize(
    ("load", "says"),
    [
        ({"kind": "closed", "users": 0, "duration_s": 3}, "at least one user"),
        ({"kind": "closed", "users": 0, "stages": [{"duration_s": 3, "to": 0}]}, "at least one user"),
        ({"kind": "open", "rate_per_s": 0, "duration_s": 3}, "a rate above zero"),
        (
            {"kind": "open", "rate_per_s": 1, "stages": [{"duration_s": 3, "to": 1}], "duration_s": 4},
            "leave load.duration_s out",
        ),
        ({"kind": "closed", "users": 1, "stages": [{"to": 1}]}, r"load\.stages\[0\]\.duration_s is missing"),
        (
            {"kind": "closed", "users": 1, "stages": [{"duration_s": 1, "target": 5}]},
            r"^load\.stages\[0\]\.to is missing: load\.stages\[0\]\.duration_s needs it; "
            r"load\.stages\[0\]\.target: is not a known field",
        ),
        ({"kind": "closed", "users": 1, "stages": [{"duration_s": 0, "to": 5}]}, "^load.stages: .* longer than 0 s"),
        ({"kind": "closed", "users": 1, "stages": [{"duration_s": 1e9, "to": 5}]}, "^load.stages: .*604800 s$"),
        ({"kind": "closed", "users": 1, "duration_s": 1e9}, "^load.duration_s: .* equal to 604800 s$"),
        ({"kind": "closed", "users": 1, "stages": [{"duration_s": "x", "to": 1}]}, r"load\.stages\[0\]\.duration_s"),
        ({"kind": "closed", "users": 1, "stages": 7}, "stages"),
        ({"kind": "closed", "users": 1}, "no end: give load.duration_s, load.stages or load.conversations"),
        ({"kind": "closed", "users": 1, "duration_s": 1, "max_turns_per_s": 0}, "max_turns_per_s"),
    ],
)
def test_a_load_that_makes_no_sense_says_why(load: dict[str, object], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        parse_load(load)


@pytest.mark.parametrize("beside", [1, float("nan"), "\ud800", 2**70])
def test_a_load_that_is_nested_too_deep_is_refused_whatever_else_it_holds(beside: object) -> None:
    deep: object = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(SpecError, match=r"^load is nested too deeply"):
        parse_load({"kind": "closed", "users": 1, "seed": beside, "user_profile": {"models": deep}})


def test_half_of_a_surrogate_pair_is_refused_in_conditions_too() -> None:
    search = {"conditions": ["e2e_ms{tier=\ud800}.p95<900"], "high": 60}
    with pytest.raises(SpecError, match=r"^load\.search\.conditions\[0\]: is not valid Unicode$"):
        parse_load({"kind": "closed", "users": 1, "search": search})


def test_stages_give_the_duration_and_the_peak() -> None:
    load = parse_load(
        {"kind": "closed", "users": 2, "stages": [{"duration_s": 3, "to": 7.5}, {"duration_s": 2, "to": 1}]}
    )
    assert isinstance(load, ClosedLoad)
    assert (load.duration_s, load.peak) == (5, 8)
    assert parse_load(load.model_dump()) == load


def test_jitter_spreads_starts_by_the_seed() -> None:
    load = ClosedLoad(users=500, duration_s=9, start_jitter_s=2)
    drawn = [jitter_ns(load, 1, user) / 1e9 for user in range(500)]
    assert drawn == [jitter_ns(load, 1, user) / 1e9 for user in range(500)]
    assert 0 <= min(drawn) < 0.05
    assert 1.95 < max(drawn) < 2
    assert jitter_ns(ClosedLoad(users=5, duration_s=9), 1, 3) == 0


def test_a_load_of_nothing_that_never_ends_has_no_area() -> None:
    level = level_of(0.0)
    assert (level.area, level.time_of_area(0.0)) == (0.0, None)


def test_a_change_at_the_end_brings_nobody() -> None:
    level = level_of(2, ramp((10, 4)))
    for at_s in (10.0, 12.0):
        assert presence(level.changed(at_s, 50)) == presence(level)
    assert len(presence(level.changed(9.5, 50))) == 50

from __future__ import annotations

from runs.load.groups import MAX_GROUPS, Group, first_numbers, frozen_groups, groups_of
from runs.load.users import UserProfile
from scenarios.definition.spec import ScenarioSpec, parse_scenario


def scenario(name: str, **tags: str) -> ScenarioSpec:
    return parse_scenario({"name": name, "steps": [{"do": "say", "text": "hi"}], "tags": tags})


def numbered(count: int, tags: int = 0) -> list[ScenarioSpec]:
    return [scenario(f"talk {i}", **({"kind": str(i % tags)} if tags else {})) for i in range(count)]


def test_a_number_is_that_of_the_scenario_times_the_models_plus_the_models() -> None:
    scenarios, people = [scenario("a", tier="gold"), scenario("b")], UserProfile(models=("x", "y", "z"))
    groups = groups_of(scenarios, people)
    assert [(group.scenario, group.model) for group in groups] == [(s, m) for s in "ab" for m in "xyz"]
    assert [groups[first].scenario for first in first_numbers(scenarios, people)] == ["a", "b"]
    assert first_numbers(scenarios, people) == (0, 3)
    assert groups[2].tags == {"tier": "gold"}


def test_without_models_it_is_the_scenarios_number() -> None:
    scenarios = numbered(4)
    assert groups_of(scenarios, UserProfile(), "gpt") == tuple(Group(f"talk {i}", "gpt", {}) for i in range(4))
    assert first_numbers(scenarios, UserProfile()) == (0, 1, 2, 3)


def test_the_engine_and_the_frozen_run_agree() -> None:
    scenarios, people = [scenario("a", tier="gold"), scenario("b")], UserProfile(models=("x", "y"))
    stored = [{"weight": 1.0, "scenario": one.model_dump(mode="json")} for one in scenarios]
    load = {"user_profile": people.model_dump(mode="json")}
    assert frozen_groups(stored, load, {"params": {"model": "m"}}) == groups_of(scenarios, people)
    older = [{"weight": 1.0, "scenario": {"name": "a"}}]
    assert frozen_groups(older, {}, {"params": {"model": "m"}}) == (Group("a", "m"),)


def test_very_many_scenarios_are_told_apart_by_their_tags_and_else_not_at_all() -> None:
    assert len(groups_of(numbered(MAX_GROUPS), UserProfile())) == MAX_GROUPS
    by_tag = groups_of(numbered(MAX_GROUPS + 5, tags=5), UserProfile(models=("x", "y")))
    assert len(by_tag) == 10
    assert by_tag[3] == Group("21 scenarios", "y", {"kind": "1"}, 21)
    assert first_numbers(numbered(MAX_GROUPS + 5, tags=5), UserProfile(models=("x", "y")))[:6] == (0, 2, 4, 6, 8, 0)
    assert groups_of(numbered(MAX_GROUPS + 5), UserProfile(models=("x", "y"))) == (
        Group("105 scenarios", "x", {}, 105),
        Group("105 scenarios", "y", {}, 105),
    )
    assert set(first_numbers(numbered(300, tags=200), UserProfile())) == {0}

from __future__ import annotations

from typing import Any

import pytest

from scenarios.definition.spec import ScenarioError, parse_scenario

SAY = {"do": "say", "text": "x"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "a", "steps": [SAY, {"do": "say"}]}, "steps[1].text: is missing"),
        ({"name": "a", "steps": [{"do": "say", "text": 5}]}, "steps[0].text: must be a text"),
        (
            {"name": "a", "steps": [{"text": "x"}]},
            "steps[0]: needs `do`, one of say, wait, expect, set, repeat, replay",
        ),
        (
            {"name": "a", "steps": [{"do": "ask"}]},
            "steps[0]: `do` must be one of say, wait, expect, set, repeat, replay",
        ),
        ({"name": "a", "steps": ["x"]}, "steps[0]: must be an object"),
        ({"name": "a", "steps": []}, "steps: must hold at least one step"),
        ({"name": "a", "steps": {}}, "steps: must be a list"),
        ({"name": "a"}, "steps: is missing"),
        ({"steps": [SAY]}, "name: is missing"),
        ({"name": "a", "steps": [SAY], "pool": {}}, "pool: is not a known field; did you mean 'pools'?"),
        ({"name": "a", "steps": [SAY], "pools": {"p": []}}, "pools.p is empty: there is nothing to draw"),
        ({"name": "a", "steps": [SAY], "pools": {"p": ["x", 1]}}, "pools.p[1]: must be a text"),
        (
            {"name": "a", "steps": [{"do": "wait", "seconds": 1}]},
            "the scenario has no `say` step: it would send nothing",
        ),
        ({"name": "a", "steps": [{"do": "say", "text": "\ud800"}]}, "steps[0].text: is not valid Unicode"),
        ({"name": "a", "steps": [SAY], "history": "all"}, "history: must be 'live', 'scripted' or 'none'"),
        ([], "the scenario must be an object"),
        (
            {"name": "a", "steps": [SAY, {"do": "repeat", "times": 100_001, "steps": [{"do": "say", "text": ""}]}]},
            "steps[1].times: must be less than or equal to 100000; "
            "steps[1].steps[0].text: must have at least 1 character",
        ),
    ],
)
def test_each_wrong_field_is_named_by_its_path_on_one_line(data: Any, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(data)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"variables": {"n": "\ud800"}}, "variables.n: is not valid Unicode"),
        ({"variables": {"n": [1, {"a": "x\udc80"}]}}, "variables.n[1].a: is not valid Unicode"),
        ({"variables": {"\ud800": 1}}, "variables: a key is not valid Unicode"),
        ({"description": "\ud800"}, "description: is not valid Unicode"),
        ({"tags": {"tier": "\ud800"}}, "tags.tier: is not valid Unicode"),
        ({"pools": {"\ud800": ["x"]}}, "pools: a key is not valid Unicode"),
        ({"data": {"p": {"rows": [{"a": "\ud800"}]}}}, "data.p.rows[0].a: is not valid Unicode"),
        ({"steps": [SAY, {"do": "set", "name": "z", "value": "\ud800"}]}, "steps[1].value: is not valid Unicode"),
        ({"steps": [SAY, {"do": "expect", "matches": "\ud800"}]}, "steps[1].matches: is not valid Unicode"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused_wherever_it_stands(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario({"name": "a", "steps": [SAY], **more})
    assert str(caught.value) == message


def test_a_step_named_like_a_kind_of_step_keeps_its_name_in_the_path() -> None:
    data = {"name": "a", "steps": [SAY], "pools": {"say": "x"}}
    with pytest.raises(ScenarioError, match=r"^pools\.say: must be a list$"):
        parse_scenario(data)


def test_a_spec_survives_its_own_json() -> None:
    data = {"name": "a", "steps": [SAY, {"do": "repeat", "times": 2, "steps": [SAY]}], "pools": {"p": ["x"]}}
    spec = parse_scenario(data)
    assert parse_scenario(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        ({"scenario": "x"}, "tags: a tag cannot be called 'scenario'"),
        ({"a b": "c"}, "tags: 'a b' is not a valid tag name"),
        ({"1a": "c"}, "tags: '1a' is not a valid tag name"),
        ({"a": ""}, "tags: the tag 'a' needs a value"),
        ({"a": "b\nc"}, "tags: the tag 'a' needs a value"),
        ({"a": 5}, "tags.a: must be a text"),
        (["gold"], "tags: must be an object"),
        ({f"t{number}": "x" for number in range(11)}, "tags: there are 11 tags, and at most 10"),
    ],
)
def test_a_wrong_tag_is_named(tags: Any, problem: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario({"name": "a", "steps": [SAY], "tags": tags})
    assert str(caught.value).startswith(problem)


def test_tags_are_a_few_short_texts() -> None:
    tags = {"tier": "gold", "team-x": 'a "b", {c}'}
    assert parse_scenario({"name": "a", "steps": [SAY], "tags": tags}).tags == tags
    assert parse_scenario({"name": "a", "steps": [SAY]}).tags == {}

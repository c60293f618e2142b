"""Rows of data that give a message nothing to say are found before the run."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.definition.spec import ScenarioError
from scenarios.render.walk import check_scenario
from tests.unit.scenarios.walks import say


def scenario(text: str, **pools: list[Any]) -> dict[str, Any]:
    return {"name": "s", "steps": [say(text)], "data": {name: {"rows": rows} for name, rows in pools.items()}}


@pytest.mark.parametrize(
    ("text", "rows", "row"),
    [
        ("{{ data.p.q }}", [{"q": "a"}, {"q": " "}], 2),
        ("{{ data.p.q }} {{ data.p.r }}", [{"q": "a", "r": ""}, {"q": "", "r": "b"}, {"q": "", "r": None}], 3),
        ("{{ data.p }}", ["a", "b", "c", "\n"], 4),
    ],
)
def test_the_first_row_that_says_nothing_is_named(text: str, rows: list[Any], row: int) -> None:
    with pytest.raises(ScenarioError, match=rf"{row}.*steps\[0\].text says nothing else"):
        check_scenario(scenario(text, p=rows))
    places = {"p": [f"file.csv, line {number}" for number in range(10, 10 + len(rows))]}
    with pytest.raises(ScenarioError, match=rf"file.csv, line {9 + row}: "):
        check_scenario(scenario(text, p=rows), places)
    assert check_scenario(scenario(text, p=rows[: row - 1]))


def test_a_message_with_other_words_or_of_several_pools_may_have_empty_cells() -> None:
    assert check_scenario(scenario("Well: {{ data.p.q }}", p=[{"q": ""}]))
    assert check_scenario(scenario("{{ data.p.q }}{{ data.o.q }}", p=[{"q": ""}, {"q": "a"}], o=[{"q": "b"}]))


def test_of_rows_that_are_only_inserted_every_one_is_tried_before_the_run() -> None:
    rows = [{"q": {"r": "a"}}] * 30_000
    with pytest.raises(ScenarioError, match=r"30,?001"):
        check_scenario(scenario("Hi {{ data.p.q.r }}", p=[*rows, {"q": {}}]))
    assert check_scenario(scenario("Hi {{ data.p.q.r }}", p=rows))

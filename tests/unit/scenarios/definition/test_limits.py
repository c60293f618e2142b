from __future__ import annotations

from typing import Any

import pytest

from scenarios.definition.limits import MAX_CHARS, size_of
from scenarios.definition.spec import ScenarioError


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("abc", 3),
        (5, 1),
        (None, 1),
        ([], 0),
        (["ab", "c"], 5),
        ({"ab": ["c"]}, 5),
        (range(7), 7),
        ("x" * MAX_CHARS, MAX_CHARS),
    ],
)
def test_the_size_of_a_value_is_its_characters_and_items(value: Any, size: int) -> None:
    assert size_of(value) == size


def test_a_small_object_that_stands_for_a_huge_tree_is_refused_at_once() -> None:
    tree: Any = "x"
    for _ in range(200):
        tree = [tree, tree]
    for value in (tree, {"k": tree}, "x" * (MAX_CHARS + 1), ["x" * MAX_CHARS, "x"]):
        with pytest.raises(ScenarioError, match="more than 1,000,000 characters or items"):
            size_of(value)

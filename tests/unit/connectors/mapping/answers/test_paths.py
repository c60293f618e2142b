"""The quick ways to read a path find what JMESPath finds."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mapping.answers.paths import compile_path, condition_test, quick_path
from connectors.spec import Condition

PATHS = ["a", "a.b", "a.b.a", "a.b.a.b", "a[0]", "a[0].b", "a[1].b.a", "a.b[0].a", "a[0].b.a.b"]
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 1) | st.sampled_from(["", "ab", 0.0]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=12,
)


@given(data=values, path=st.sampled_from(PATHS))
def test_a_quick_path_finds_the_same_or_raises_where_nothing_is(data: Any, path: str) -> None:
    careful = compile_path(path, "text")
    expected = jmespath.search(path, data)
    assert careful(data) == expected
    try:
        found = quick_path(path, careful)(data)
    except (KeyError, IndexError, TypeError):
        found = None
    assert found == expected


@given(data=values, paths=st.lists(st.sampled_from(PATHS), min_size=2, max_size=3))
def test_of_alternatives_the_first_that_says_something_is_taken(data: Any, paths: list[str]) -> None:
    text = " || ".join(paths)
    assert repr(compile_path(text, "text")(data)) == repr(jmespath.search(text, data))


def test_alternatives_may_end_in_an_index() -> None:
    assert compile_path("a[0] || a[1]", "text")({"a": [None, "b"]}) == "b"
    assert compile_path("a.b || a[0]", "text")({"a": ["c"]}) == "c"
    assert compile_path("a.b || a[0]", "text")({"a": {"b": "d"}}) == "d"


@pytest.mark.parametrize(("first", "found"), [(0, 0), (0.0, 0.0), (False, "b"), (None, "b"), ("", "b"), ([], "b")])
def test_zero_says_something_and_false_does_not(first: Any, found: Any) -> None:
    assert repr(compile_path("a || b", "text")({"a": first, "b": "b"})) == repr(found)


@pytest.mark.parametrize(
    ("condition", "met", "not_met"),
    [
        ({"data": "[DONE]"}, [b"[DONE]"], [b"", b"[DONE] ", b'{"a": 1}']),
        ({"path": "a.b", "equals": 0}, [b'{"a": {"b": 0}}'], [b'{"a": {"b": 1}}', b'{"a": {}}', b"[DONE]"]),
        ({"path": "a"}, [b'{"a": 0}', b'{"a": false}'], [b'{"a": null}', b"{}", b"a", b""]),
    ],
)
def test_a_condition_is_met_by_its_data_or_by_what_stands_at_its_path(
    condition: dict[str, Any], met: list[bytes], not_met: list[bytes]
) -> None:
    test = condition_test(Condition.model_validate(condition), "done")
    assert [test(data) for data in met] == [True] * len(met)
    assert [test(data) for data in not_met] == [False] * len(not_met)

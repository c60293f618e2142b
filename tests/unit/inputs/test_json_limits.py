"""JSON that nothing behind a door could carry is refused at the door, with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inputs.json_limits import (
    MAX_DEPTH,
    NO_NUMBER,
    NO_TEXT,
    TOO_DEEP,
    TOO_LARGE,
    BeyondLimits,
    BoundedDecoder,
    json_problem,
    text_problem,
)


def nested(levels: int, leaf: Any = 1) -> Any:
    value = leaf
    for _ in range(levels):
        value = {"a": [value]} if levels % 2 else {"a": value}
    return value


def deep_list(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (deep_list(MAX_DEPTH), ""),
        (deep_list(MAX_DEPTH + 1), TOO_DEEP),
        (nested(900), TOO_DEEP),
        (deep_list(5_000), TOO_DEEP),
        ({"n": 2**63 - 1, "m": -(2**63)}, ""),
        ({"n": [2**63]}, TOO_LARGE),
        ([-(2**63) - 1], TOO_LARGE),
        ([1e308, True, None], ""),
        ([float("inf")], NO_NUMBER),
        ({"a": {"b": float("nan")}}, NO_NUMBER),
        ("é \U0001f600", ""),
        (["a\ud800"], NO_TEXT),
        ({"\udfff": 1}, NO_TEXT),
        ({"a": float("nan"), "b": "\ud800", "c": deep_list(900)}, TOO_DEEP),
    ],
)
def test_what_cannot_be_carried_is_found(value: Any, problem: str) -> None:
    assert json_problem(value) == problem


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("é", ""),
        (["a", {"b": 1, 2: None}], ""),
        ("\ud800", "is not valid Unicode"),
        ({"a": [1, {"b": "x\udfff"}]}, "a[1].b: is not valid Unicode"),
        ({"a": ("x", "\ud800")}, "a[1]: is not valid Unicode"),
        ({"\ud800": 1}, "a key is not valid Unicode"),
        ({"a": [{"\ud800": "\ud800"}]}, "a[0]: a key is not valid Unicode"),
    ],
)
def test_a_text_that_is_no_unicode_is_named_by_its_place(value: Any, problem: str) -> None:
    assert text_problem(value) == problem
    assert json_problem(value) == (NO_TEXT if problem else "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 100_000 + "]" * 100_000, TOO_DEEP),
        ('{"a":' * 2_000 + "1" + "}" * 2_000, TOO_DEEP),
        ("1" * 5_000, TOO_LARGE),
    ],
)
def test_the_decoder_refuses_what_python_s_breaks_on(text: str, problem: str) -> None:
    with pytest.raises(BeyondLimits) as caught:
        json.loads(text, cls=BoundedDecoder)
    assert str(caught.value) == f"it {problem}"


def test_the_decoder_leaves_other_texts_alone() -> None:
    assert json.loads('{"a": [1, 2.5, null]}', cls=BoundedDecoder) == {"a": [1, 2.5, None]}
    with pytest.raises(json.JSONDecodeError, match="line 1 column 2"):
        json.loads("{", cls=BoundedDecoder)

"""JMESPath of targets stays within its limits, finds what the library finds, and ends in no other error."""

from __future__ import annotations

import time
from typing import Any

import jmespath
import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError
from jmespath.parser import Parser

from connectors.errors import BadAnswer
from connectors.mapping.answers.paths import compile_path
from connectors.spec import SpecError
from inputs.json_limits import json_problem
from tests.support.attacks.expressions import EXAMPLES, SLOW_S, jmespaths

DOUBLING = "|".join(["[@,@]"] * 24)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**62) | st.sampled_from(["", "ab", "7", "9" * 400, 0.5, 1e308]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=15,
)


@pytest.mark.parametrize(
    "path",
    [
        f"{DOUBLING}|to_string(@)",
        DOUBLING,
        f"[{DOUBLING}|length(@)]|{DOUBLING}",
        DOUBLING + "|[]" * 23,
        f"{DOUBLING} == {DOUBLING}",
        "a" + "|[*].[@,@]|[]" * 20,
        "a" + "|[@,@,@,@][]" * 20,
        "sort_by(a, &to_string(@)) == sort_by(a, &to_string(@))" + " && a[?contains(@, `1`)]" * 20,
        f"join('{'x' * 900}', map(&'y', a))",
        "[to_string(a),to_string(a)]" + "|[join('', @),join('', @)]" * 20,
    ],
)
def test_much_work_is_refused_in_time(path: str) -> None:
    get = compile_path(path, "response.text")
    begun = time.process_time()
    with pytest.raises(BadAnswer, match=r"response\.text: .*(too much work|more than [\d,]+ characters)") as refused:
        get({"a": list(range(20_000))})
    assert refused.value.code == "answer_unmatched"
    assert time.process_time() - begun < SLOW_S


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("(" * 500 + "a" + ")" * 500, "it is nested too deep"),
        ("!" * 61 + "a", "it is nested too deep"),
        ("a.b." * 500 + "c", "is too long: a path may have 2,000 characters"),
        ("a[" + "9" * 5000 + "]", "is too long"),
        ("foo(@)", r"there is no function foo\(\)"),
        ("&a", "`&` stands only in map, max_by, min_by, sort_by"),
        ("[&a]", "`&` stands only in"),
        ("to_string(&a)", "`&` stands only in"),
        ("`" + "[" * 100 + "]" * 100 + "`", "a literal is nested too deeply"),
        ("`" + "[" * 990 + "]" * 990 + "`", "nested too deep"),
        ("a || `NaN`", "a literal holds a number that is not finite"),
        ("`99999999999999999999`", "a literal holds a number that is too large"),
        ('`"\\ud800"`', "a literal holds a text that is not valid Unicode"),
        ("a | [", "Incomplete expression"),
    ],
)
def test_what_can_find_nothing_is_refused_before(path: str, why: str) -> None:
    with pytest.raises(SpecError, match=rf"response\.text: .*{why}") as refused:
        compile_path(path, "response.text")
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("a[?b < c]", {"a": [{"b": 1, "c": "x"}]}),
        ("max_by(a, &b)", {"a": [{"b": 1}, {"b": "x"}]}),
        ("sort_by(a, &b)", {"a": [{"b": 1}, {"b": "x"}]}),
        ("ceil(to_number(a))", {"a": "inf"}),
        ("floor(to_number(a))", {"a": "nan"}),
        ("to_number(a)", {"a": "nan"}),
        ("to_number(a)", {"a": "9" * 30}),
        ("sum(a)", {"a": [2**62] * 8}),
        ("sum(a)", {"a": [1e308] * 8}),
        ("a[::0]", {"a": [1]}),
        ("length(a)", {"a": 1}),
        ("length(a, a)", {"a": [1]}),
        ("merge(a)", {"a": [1]}),
    ],
)
def test_a_function_of_the_wrong_value_finds_nothing(path: str, data: Any) -> None:
    assert compile_path(path, "response.text")(data) is None


def test_an_answer_that_is_nested_deep_is_no_error() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert compile_path("to_string(@)", "response.text")({"a": deep}) is None
    assert compile_path("a == b", "response.text")({"a": deep, "b": [deep]}) is None


def test_ordinary_paths_are_within_the_limits() -> None:
    answer = {"data": [{"id": f"model {number}", "kind": "a" * (number % 3)} for number in range(20_000)]}
    assert len(compile_path("data[].id", "models.pick")(answer)) == 20_000
    assert len(compile_path("data[?kind=='aa'].id", "models.pick")(answer)) == 6666
    assert len(compile_path("to_string(data)", "response.text")(answer)) > 500_000
    assert compile_path("@", "response.text")(answer) is answer


def test_no_trees_of_paths_are_kept() -> None:
    for number in range(20):
        compile_path(f"[a, b{number}]", "response.text")
    assert vars(Parser)["_CACHE"] == {}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=jmespaths("abc"), data=VALUES)
def test_no_path_takes_long_or_finds_what_json_cannot_say(path: str, data: Any) -> None:
    begun = time.process_time()
    try:
        found = compile_path(path, "response.text")(data)
    except (SpecError, BadAnswer) as exc:
        assert str(exc)
    else:
        orjson.dumps(found)
    assert time.process_time() - begun < SLOW_S


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=jmespaths("abc"), data=VALUES)
@example(path="a[]", data={"a": []})
def test_within_its_limits_a_path_finds_what_the_library_finds(path: str, data: Any) -> None:
    try:
        found = compile_path(path, "response.text")(data)
    except (SpecError, BadAnswer):
        return
    try:
        expected = jmespath.search(path, data)
    except (JMESPathError, TypeError, ValueError, ArithmeticError, AttributeError):
        expected = None
    assert repr(found) == repr(expected) or (found is None and json_problem(expected))

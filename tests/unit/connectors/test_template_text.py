"""Expressions are found in any text, however it is made, in time that grows with its length alone."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.spec import StepSpec, build_target_spec
from connectors.template_text import blanked, expressions_in, is_one_expression, naming
from tests.support.attacks.expressions import SLOW_S

OPEN = "{{" * 20_000
SECRETS = "{{ secret.key }}" * 1_600


@given(st.text("{} ?a\n", max_size=30))
def test_a_text_is_blanked_where_its_expressions_stand(text: str) -> None:
    found = list(expressions_in(text))
    assert blanked(text) == "".join(
        " " if any(match.start() <= at < match.end() for match in found) else char for at, char in enumerate(text)
    )
    assert is_one_expression(text) is (len(found) > 0 and found[0][0] == text.strip())
    assert all(match[0] == f"{{{{{match[1]}}}}}" for match in found)


def test_expressions_end_where_the_first_end_stands() -> None:
    assert [match[1] for match in expressions_in("{{ a }}}} {{b\n}} {{")] == [" a ", "b\n"]
    assert blanked("x{{ a }}? {{") == "x       ? {{"


def test_names_are_found_behind_a_line_break_in_json_and_nowhere_else() -> None:
    names_it = naming("jwt", "key")
    said = (
        "{{ jwt }}",
        "{{\njwt }}",
        "{{ 'x' ~\n\tkey }}",
        "{{ {'a': 1}.a ~ jwt }}",
        "jwt",
        "{{ jwts }}",
        "{{ my_key }}",
    )
    assert [names_it(json.dumps({"a": text})) for text in said] == [True] * 4 + [False] * 3


def test_a_step_that_names_its_token_in_many_texts_is_checked_in_time() -> None:
    step = {"name": "a", "url": "/a", "body": OPEN * 5 + "{{ jwt }}", "jwt": {"key": "{{ secret.key }}"}}
    begun = time.process_time()
    with pytest.raises(ValueError, match="jwt has no effect"):
        StepSpec.model_validate({**step, "body": OPEN * 5})
    StepSpec.model_validate(step)
    assert time.process_time() - begun < SLOW_S


@pytest.mark.parametrize(
    "request_of_it",
    [{"headers": {"x": OPEN}}, {"headers": {"x": SECRETS + OPEN}}, {"path": f"/{'a' * 3_900_000}?{SECRETS}"}],
    ids=["header", "header_with_secrets", "query_of_secrets"],
)
def test_much_text_takes_no_long_time(request_of_it: dict[str, Any]) -> None:
    begun = time.process_time()
    build_target_spec(name="bot", url="http://127.0.0.1:9", preset="generic-json", overrides={"request": request_of_it})
    assert time.process_time() - begun < SLOW_S

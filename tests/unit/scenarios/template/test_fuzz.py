"""Templates of scenarios stay within their limits: no expression takes long, or ends in another error."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import HealthCheck, given, settings

from scenarios.definition.spec import ScenarioError, parse_scenario
from scenarios.render.cells import check_cells, check_columns, gaps
from scenarios.render.walk import Walk, compile_scenario
from scenarios.template.filters import DRAWING, FILTERS, TESTS
from tests.support.attacks.expressions import EXAMPLES, SLOW_S, expressions

EXPRESSIONS = expressions(
    ["long", "list", "n", "session.id", "answer"], sorted({*FILTERS, *DRAWING}), sorted(TESTS), methods=False
)


def tried(expression: str) -> float:
    """The seconds that a scenario with it took. Only a scenario's own error may come of it."""
    steps = [{"do": "set", "name": "z", "value": f"{{{{ {expression} }}}}"}, {"do": "say", "text": "{{ z }}"}]
    variables = {"long": "ab " * 20_000, "list": list(range(2000)), "n": 5}
    begun = time.process_time()
    try:
        spec = parse_scenario({"name": "s", "steps": steps, "variables": variables})
        Walk(compile_scenario(spec), random.Random(1), {"id": "s1", "number": 4, "user": 0}).next_action()
    except ScenarioError as exc:
        assert str(exc)
    return time.process_time() - begun


@pytest.mark.parametrize(
    "expression",
    [
        "5 | round(-1000000000)",
        "5.0 | round(-1000000000)",
        "([[1]] * 100000) | sum([])",
        "[['a']] | sum([])",
        "('f' * 1000000) | int(16)",
        "(('f' * 1000000) | int(16)) * (('f' * 1000000) | int(16))",
        "9 ** (9 ** 9)",
        "[] | join(5)",
        "[] | first",
        "range(-9) | first is defined",
        "[] | join([])",
        "'x' * (10 ** 9)",
    ],
)
def test_an_attack_is_refused_at_once(expression: str) -> None:
    begun = time.process_time()
    with pytest.raises(ScenarioError):
        spec = parse_scenario({"name": "s", "steps": [{"do": "say", "text": f"{{{{ {expression} }}}}"}]})
        Walk(compile_scenario(spec), random.Random(1), {"id": "s1", "number": 4, "user": 0}).next_action()
    assert time.process_time() - begun < SLOW_S


@pytest.mark.parametrize(
    "text", ["{{data['" * 12_000, "{{ data.p['" * 9_000, ("{{data['x'" + " " * 50) * 2000, '{{data["a' * 12_000]
)
def test_looking_for_cells_does_not_take_long(text: str) -> None:
    spec = parse_scenario({"name": "s", "steps": [{"do": "say", "text": text}]})
    begun = time.process_time()
    check_columns(spec, {})
    check_cells(spec, {})
    assert list(gaps(spec, {})) == []
    assert time.process_time() - begun < SLOW_S


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(EXPRESSIONS)
def test_no_expression_takes_long_or_ends_in_another_error(expression: str) -> None:
    assert tried(expression) < SLOW_S

"""The template language: its features, and the limits for hostile scenarios."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.definition.spec import ScenarioError
from scenarios.render.walk import SayAction
from scenarios.template.compiler import literal
from scenarios.template.filters import DRAWING, FILTERS
from tests.unit.scenarios.walks import begin, say, scenario

VARIABLES: dict[str, Any] = {"s": "abc", "n": 3, "a": {"b": [1, 2, "x"], "items": "mine"}, "long": "y" * 900_000}


def render(text: str) -> str:
    action = begin(scenario(say(text), variables=VARIABLES, pools={"t": ["only"]})).next_action()
    assert isinstance(action, SayAction)
    return action.text


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("plain { text } %} }} #}", "plain { text } %} }} #}"),
        ("{{s}}-{{ n }}", "abc-3"),
        ("{{ a.b.2 }}{{ a.items }}", "xmine"),
        ("{{ a['b'][0] + n }}", "4"),
        ("{{ a.b }} {{ true }}", '[1, 2, "x"] true'),
        ("{{ pick.t }} {{ session.id }}", "only tb-1-1"),
        ("{{ s | upper ~ n }}", "ABC3"),
        ("{{ a.nope | default('none') }}", "none"),
        ("{{ answer | default('first') }}", "first"),
        ("{% for x in a.b if x is number %}{{ loop.index }}:{{ x }} {% endfor %}.", "1:1 2:2 ."),
        ("{% if n > 2 and s is defined %}big{% else %}small{% endif %}", "big"),
        ("{{ 'odd' if n is odd else 'even' }}", "odd"),
        ("{{ '{{' }} s }} {{ '{%' }}", "{{ s }} {%"),
        ("{% raw %}{{ s }}{% endraw %}", "{{ s }}"),
        ("\\textbf{#1} {{ n }}", "\\textbf{#1} 3"),
        ("line\r\n{{ n }}\n", "line\r\n3\n"),
        ("{{ s | replace('b', '--') | truncate(3, '') }}", "a--"),
        ("{{ a.b | join(', ') }} {{ a.b | length }} {{ [3, 1] | sort | first }}", "1, 2, x 3 1"),
        ("{{ 7 // 2 }} {{ 2 ** 10 }} {{ 'ab' * 2 }}", "3 1024 abab"),
    ],
)
def test_what_a_template_says(text: str, rendered: str) -> None:
    assert render(text) == rendered


@settings(deadline=None)  # other work shares the machine
@given(st.text(st.sampled_from("{}%#'\" a\n\r"), min_size=1) | st.text(min_size=1))
def test_a_literal_renders_to_itself(text: str) -> None:
    assert render(literal(text)) == text


HOSTILE = {
    "dunder": "{{ s.__class__.__mro__ }}",
    "dunder item": "{{ s['__class__'] }}",
    "dunder in filter": "{{ (s | upper).__class__ }}",
    "method": "{{ s.upper() }}",
    "method as a value": "{{ a.keys }}",
    "format method": "{{ '{:>999999999}'.format(1) }}",
    "format operator": "{{ '%999999999d' % 5 }}",
    "format in a test": "{{ '%999999999d' is odd }}",
    "multiplied text": "{{ 'a' * 10 ** 9 }}",
    "multiplied list": "{{ [1] * 10 ** 9 }}",
    "multiplied twice": "{{ ('a' * 900000) * 900000 }}",
    "power": "{{ 10 ** 999999999 }}",
    "power of powers": "{{ 9 ** 99 ** 99 }}",
    "large product": "{{ (2 ** 4000) * (2 ** 4000) }}",
    "large text": "{{ long }}{{ long }}",
    "large text mixed": "{{ long }}{{ s | upper }}{{ long }}",
    "joined": "{{ [long, long, long] | join }}",
    "concatenated many times": "{{ " + " ~ ".join(["long"] * 200) + " }}",
    "concatenated": "{{ long ~ long }}",
    "as JSON": "{{ [long, long] }}",
    "as JSON by filter": "{{ [long, long] | tojson }}",
    "replaced": "{{ long | replace('y', long) }}",
    "padded": "{{ s | center(10 ** 9) }}",
    "huge range": "{% for i in range(10 ** 9) %}x{% endfor %}",
    "range as a list": "{{ (range(99999) | list) * 11 }}",
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "loop with large output": "{% for i in range(99) %}{{ long }}{% endfor %}",
    "loop with much work": "{% for i in range(99999) %}{% if (long | upper) == long %}{% endif %}{% endfor %}",
    "loop that compares": "{% for i in range(99999) %}{% if long ~ 'a' == long ~ 'b' %}{% endif %}{% endfor %}",
    "recursive loop": "{% for i in a recursive %}{{ loop(i) }}{% endfor %}",
    "macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "set": "{% set x = 1 %}{{ x }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "block": "{% block a %}{{ self.a() }}{% endblock %}",
    "filter block": "{% filter upper %}x{% endfilter %}",
    "call block": "{% call s() %}{% endcall %}",
    "lipsum": "{{ lipsum(9) }}",
    "cycler": "{{ cycler('a').__init__ }}",
    "self": "{{ self }}",
    "range itself": "{{ range }}",
    "pick itself": "{{ pick }}",
    "pick's insides": "{{ pick.draw }}",
    "session itself": "{{ session }}",
    "shadowed pick": "{% for pick in s %}{{ pick }}{% endfor %}",
    "star arguments": "{{ range(*[1]) }}",
    "deep brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "deep not": "{{ " + "not " * 20_000 + "1 }}",
    "deep loops": "{% for x in s %}" * 150 + "{% endfor %}" * 150,
    "long template": "{{ s | upper }}" + " " * 100_000,
    "no else": "{{ 'a' if n > 5 }}",
    "slice": "{{ s[0:1] }}",
    "unclosed": "{{ s",
    "empty expression": "{{ }}",
    "division by zero": "{{ n / 0 }}",
    "mixed types": "{{ n + s }}",
    "unknown filter": "{{ s | attr('x') }}",
    "unknown test": "{{ s is filter }}",
    "wrong argument": "{{ s | truncate('x') }}",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_template_is_one_clear_error_in_little_time_and_memory(text: str) -> None:
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(ScenarioError) as caught:
            render(text)
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 5
    assert str(caught.value).startswith("scenario 's': steps[0].text: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_an_unknown_filter_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ScenarioError) as caught:
        render("{{ s | nope }}")
    assert f"there is no filter 'nope': use one of {', '.join(sorted([*FILTERS, *DRAWING]))}" in str(caught.value)

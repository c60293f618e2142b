"""Templates of targets stay within their limits: no expression takes long, or much memory, or ends in another error."""

from __future__ import annotations

import resource
import time
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from connectors.errors import BadRequest
from connectors.mapping.filters import NAMES, OWN
from connectors.mapping.sandbox import ENV
from connectors.spec import SpecError, build_target_spec, parse_target_spec
from connectors.target import CompiledTarget
from tests.support.attacks.expressions import EXAMPLES, expressions

LONG = "ab " * 20_000
TURN: dict[str, Any] = {
    "message": LONG,
    "messages": [{"role": "user", "content": LONG}] * 4,
    "history": [{"role": "user", "content": "hi"}] * 4,
    "session": {"id": "s1", "number": 4, "user": 0},
    "turn": 2,
    "saved": {"token": "k"},
    "vars": {"n": 5, "list": list(range(2000))},
}
SLOW_S = 5.0
"""Measured beforehand: 0.2 s at most. The machine of a test may be busy."""
ATTACKS = [
    "9**(9**9)",
    "2**100000",
    "(2**4000) * (2**4000)",
    "10**4000 % 7",
    "-(9**(9**9))",
    "'a' * 1000000000",
    "1000000000 * 'a'",
    "[1] * 1000000000",
    "([message] * 100000) | join",
    "[message] * 100000",
    "([[message] * 1000] * 1000) | string",
    "([[message] * 1000] * 1000) ~ ''",
    "range(1000000000) | list",
    "range(100000) | map('string') | map('upper') | map('lower') | list",
    "range(100000) | map('default', message, true) | list",
    "range(100000) | map(attribute='real" + ".real" * 500 + "') | list",
    "range(100000) | batch(1, message) | list",
    "'%1000000000d' % 1",
    "'%1000000000d' | format(1)",
    "'%.1000000000f' | format(1)",
    "'%*d' | format(1000000000, 1)",
    "('%s' * 1000) | format(message)",
    "('%s' * 1000) % message",
    "'%1000000000d' is odd",
    "['%1000000000d'] | select('odd') | list",
    "'{:1000000000}'.format(1)",
    "'{:{}}'.format(1, 1000000000)",
    "('{0:b}' * 2400).format(9**1000)",
    "([9**1000] * 4000000) | string",
    "([9**1000] * 4000000) | tojson",
    "'%s' % ([9**1000] * 4000000)",
    "'a' | center(1000000000)",
    "'a'.center(1000000000)",
    "'a'.ljust(1000000000)",
    "'a'.rjust(1000000000)",
    "'a'.zfill(1000000000)",
    "'\t'.expandtabs(1000000000)",
    "('a' | attr('ljust'))(1000000000)",
    "'a\nb' | indent(1000000000)",
    "message | wordwrap(1)",
    "'a b' | wordwrap(1, true, 'x' * 4000000)",
    "[] | slice(1000000000) | list",
    "[1] | batch(1000000000, 'a') | list",
    "message | replace('', message)",
    "message.replace('', message)",
    "message.join(message)",
    "message | join(message)",
    "('a' * 1000000).rfind('b' + 'a' * 500000)",
    "('a' * 1000000) | trim('b' * 1000000)",
    "('<!---->' * 100000) | striptags",
    "1 | round(-1000000000)",
    "1 | round(1000000, 'ceil')",
    "[[1]] | tojson(1000000000)",
    "('\\\\' * 1000)" + " | tojson" * 40,
    "([[1]] * 100000) | sum(start=[])",
    "lipsum(100000)",
    "cycler(1)",
    "namespace(a=1)",
    "dict.fromkeys(range(100000), message)",
    "(1).to_bytes(1000000000, 'big')",
    "''.encode('utf-16')",
    "messages | shaped('" + "$content" * 1000 + "')",
    "messages | shaped('" + "$role" * 1000 + "', {'user': 'x' * 1000000})",
    "(" * 500 + "1" + ")" * 500,
    "[" * 500 + "]" * 500,
    "-" * 3000 + "1",
    "not " * 2000 + "1",
    "1" + " + 1" * 2000,
    "message" + "[1:]" * 2000,
    "message" + " | upper" * 2000,
    "1 if 1 else " * 500 + "1",
    "1" * 20000,
    "'1'" + "~'1'" * 5000,
]


def target(expression: str, **parts: Any) -> CompiledTarget:
    data: dict[str, Any] = {"name": "t", "protocol": "http", "url": "http://127.0.0.1:9/v1"}
    data |= {"request": {"body": {"a": f"{{{{ {expression} }}}}"}}, "response": {"text": "text"}, **parts}
    return CompiledTarget(parse_target_spec(data))


def tried(expression: str) -> float:
    """The seconds that compiling and rendering it took. Only the two errors of a target may come of it."""
    begun = time.process_time()
    try:
        target(expression).render(dict(TURN))
    except (SpecError, BadRequest) as exc:
        assert len(str(exc)) < 1000, "an error that repeats its input is no error to read"
    return time.process_time() - begun


@pytest.mark.parametrize("expression", ATTACKS, ids=lambda text: text[:60])
def test_an_attack_is_refused_at_once(expression: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    with pytest.raises((SpecError, BadRequest)):
        target(expression).render(dict(TURN))
    assert time.process_time() - begun < SLOW_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "KiB"


@pytest.mark.parametrize(
    "expression", ["9**(9**9)", "'%1000000000d' % 1", "[] | slice(1000000000) | list", "'x' * 9**9"]
)
@pytest.mark.parametrize(
    "parts",
    [
        {"request": {"path": "/{{ X }}"}},
        {"request": {"event": "{{ X }}"}},
        {"request": {"headers": {"a": "{{ X }}"}}},
        {"request": {"body": "text {{ X }}"}},
        {"handshake": {"steps": [{"name": "a", "url": "/{{ X }}"}]}},
        {"handshake": {"steps": [{"name": "a", "url": "/a", "when": "{{ X }}"}]}},
        {"handshake": {"steps": [{"name": "a", "url": "/a", "body": {"a": ["{{ X }}"]}}]}},
        {"socketio": {"auth": {"a": "{{ X }}"}}},
    ],
    ids=str,
)
def test_it_is_refused_in_every_part_before_anything_is_sent(parts: dict[str, Any], expression: str) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        return [filled(item) for item in value] if isinstance(value, list) else value.replace("X", expression)

    with pytest.raises(SpecError):
        target("1", **filled(parts))


def test_many_expressions_share_one_budget() -> None:
    """Each of them alone is allowed."""
    one = "{{ range(90000) | list | length }}"
    begun = time.process_time()
    with pytest.raises(SpecError, match="too much work"):
        CompiledTarget(
            parse_target_spec(
                {
                    "name": "t",
                    "protocol": "http",
                    "url": "http://127.0.0.1:9/v1",
                    "request": {"body": {f"k{i}": one for i in range(2000)}},
                    "response": {"text": "text"},
                }
            )
        )
    assert time.process_time() - begun < SLOW_S


def test_many_plain_names_share_it_too() -> None:
    with pytest.raises(SpecError, match="too much work"):
        target("1", request={"body": ["{{ turn }}"] * 100_000})
    with pytest.raises(SpecError, match="too much work"):
        target("1", request={"body": "{{ turn }}" * 100_000})


@pytest.mark.parametrize("field", ["params", "overrides"])
@pytest.mark.parametrize(
    "large", [["x" * 4_000_001], {"x": [1] * 4_000_001}, {"x" * 4_000_001: 1}], ids=["text", "list", "key"]
)
def test_large_settings_of_a_target_are_refused(field: str, large: Any) -> None:
    given: Any = {field: {"request": large}}
    with pytest.raises(SpecError, match=f"{field}: a value of more than 4,000,000 characters or items"):
        build_target_spec(name="t", url="http://127.0.0.1:9/v1", preset="openai-chat", **given)


@pytest.mark.parametrize(
    "expression", ["('ab' * 1000000) | filesizeformat", "x" * 100_000, "('a' * 100000) | int | list"]
)
def test_an_error_is_short(expression: str) -> None:
    tried(expression)


def test_looking_for_an_end_that_is_not_there_does_not_take_long() -> None:
    begun = time.process_time()
    target("1", request={"body": "}}" + "{{" * 100_000})
    assert time.process_time() - begun < SLOW_S


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'%012d' | format(turn)", "000000000002"),
        ("'%s-%s' % (turn, session.id)", "2-s1"),
        ("'{:>5}'.format(turn)", "    2"),
        ("'a,b'.split(',')", ["a", "b"]),
        ("history | map(attribute='role') | unique | join(',')", "user"),
        ("history | selectattr('role', 'equalto', 'user') | list | length", 4),
        ("dict(a=1, **{'b': turn})", {"a": 1, "b": 2}),
        ("[turn, 2**10, 7 // 2, 'x' * 3]", [2, 1024, 3, "xxx"]),
        ("vars.list[:3]", [0, 1, 2]),
        ("session.get('id').upper()", "S1"),
        ("range(3) | list", [0, 1, 2]),
        ("(range(100000) | random ~ range(100000) | random) | length > 1", True),
        ("history | batch(2) | list | length", 2),
        ("'<a>' | tojson", '"\\u003ca\\u003e"'),
        ("vars.list | length > 5 and 'k' in saved.token", True),
    ],
)
def test_what_targets_need_works(expression: str, value: Any) -> None:
    assert orjson.loads(target(expression).render(dict(TURN)).body)["a"] == value


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    expressions(
        ["message", "messages", "vars.list", "vars.n", "session.id", "turn", "vars.nope"],
        sorted({*NAMES, *OWN} - {"_concat", "_weighed"}),
        sorted(ENV.tests),
    )
)
def test_no_expression_takes_long_or_ends_in_another_error(expression: str) -> None:
    assert tried(expression) < SLOW_S


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", ["1[0:1]", "none[1:]", "(1 == 1)[0:1]"])
def test_slices_of_constants_without_parts_are_refused_and_nothing_is_printed(text: str) -> None:
    with pytest.raises(SpecError, match="only texts and lists can be sliced, not "):
        target(text)

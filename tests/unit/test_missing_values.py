"""One rule for missing values in both kinds of templates: requests of targets and texts of scenarios.

docs/targets.md, "Missing values", describes it.
"""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from connectors.errors import BadRequest
from connectors.spec import SpecError, parse_target_spec
from connectors.target import CompiledTarget
from scenarios.definition.spec import ScenarioError, parse_scenario
from scenarios.render.walk import SayAction, Walk, compile_scenario

MISSING = object()
VARS = {"v": {"text": "t", "null": None}}
TURN: dict[str, Any] = {
    "message": "hi",
    "messages": [{"role": "user", "content": "hi"}],
    "history": [],
    "session": {"id": "s1", "number": 4, "user": 0},
    "turn": 2,
    "saved": {"token": "k"},
}
TABLE: list[tuple[str, Any]] = [
    ("{{ X }}", MISSING),
    ("{{ X.deeper }}", MISSING),
    ("{{ X.deeper | default('d') }}", MISSING),
    ("before {{ X }}", MISSING),
    ("{{ X | upper }}", MISSING),
    ("{{ X | length }}", MISSING),
    ("{{ X | join('-') }}", MISSING),
    ("{{ X ~ '-1' }}", MISSING),
    ("{{ X + 1 }}", MISSING),
    ("{{ -X }}", MISSING),
    ("{{ [X, 1] }}", MISSING),
    ("{{ [[1], {'a': X} ] }}", MISSING),
    ("{{ X if 1 else 2 }}", MISSING),
    ("{{ X | default('d') }}", "d"),
    ("{{ X is defined }}", False),
    ("{{ X is undefined }}", True),
    ("{{ 'a' if X else 'b' }}", "b"),
    ("{{ X or 'b' }}", "b"),
    ("{{ not X }}", True),
    ("{{ X == 'a' }}", False),
    ("{{ X != 'a' }}", True),
    ("{{ 'a' in X }}", False),
    ("{{ 'a' if X == 'a' else 'b' }}", "b"),
]
rows = pytest.mark.parametrize(("template", "value"), TABLE)
LOOKS_INTO_A_SECRET = (".deeper", "upper", "length", "-X", "==", "!=", "'a' in", "join('-')")
"""Templates with one of these may not have a secret, whether it is set or not."""


def named(template: str, root: str) -> str:
    return template.replace("X", f"{root}.nope")


def target(body: object = None, **parts: Any) -> CompiledTarget:
    data: dict[str, Any] = {"name": "t", "protocol": "http", "url": "http://127.0.0.1:9/v1"}
    data |= {"request": {"body": body, **parts.pop("request", {})}, "response": {"text": "text"}, **parts}
    return CompiledTarget(parse_target_spec(data))


def rendered(body: object, **request: Any) -> Any:
    return target(body, request=request).render({**TURN, "vars": VARS})


def said(template: str, variables: dict[str, Any]) -> Any:
    """The value of `template`, which a `set` step gives to a variable."""
    steps = [{"do": "set", "name": "z", "value": template}, {"do": "say", "text": "{{ z | tojson }}"}]
    spec = parse_scenario({"name": "s", "steps": steps, "variables": variables})
    action = Walk(compile_scenario(spec), random.Random(1), {"id": "s1", "number": 4, "user": 0}).next_action()
    assert isinstance(action, SayAction)
    return orjson.loads(action.text)


@rows
@pytest.mark.parametrize("root", ["vars.v", "saved", "params", "secret"])
def test_an_optional_part_of_a_target(template: str, value: Any, root: str) -> None:
    looks = root == "secret" and any(part in template for part in LOOKS_INTO_A_SECRET)
    template = named(template, root)
    if looks:
        with pytest.raises(SpecError, match="a secret may stand as it is"):
            rendered({"key": template})
        return
    found = orjson.loads(rendered({"key": template, "list": [template, 1], "deep": {"key": template}}).body)
    if value is MISSING:
        assert found == {"list": [1], "deep": {}}
    else:
        assert found == {"key": value, "list": [value, 1], "deep": {"key": value}}
    if root == "secret" and "[" in template:
        with pytest.raises(SpecError, match="put tojson behind the list or object"):
            rendered(None, headers={"X-A": template})
        return
    headers = dict(rendered(None, headers={"X-A": template}).headers)
    assert headers == ({} if value is MISSING else {"X-A": str(value)})


@rows
def test_a_required_part_of_a_target(template: str, value: Any) -> None:
    template = named(template, "vars.v")
    body = f"{template}" if value is MISSING else f"{template} x"
    for part, request in (("path", {"path": f"/{template}"}), ("event", {"event": f"e{template}"})):
        if value is MISSING:
            with pytest.raises(BadRequest) as caught:
                rendered(None, **request)
            assert caught.value.detail.startswith(f"request.{part}: ") and template in caught.value.detail
        else:
            found = rendered(None, **request)
            assert (found.path if part == "path" else found.event).endswith(str(value))
    if value is MISSING:
        with pytest.raises(BadRequest, match=r"^request_invalid: request\.body: .* uses a value that does not exist"):
            rendered(body)
    else:
        assert rendered(body).body == f"{value} x".encode()


@pytest.mark.parametrize(
    ("where", "parts"),
    [
        ("request.path", {"request": {"path": "/{{ params.nope }}"}}),
        ("request.event", {"request": {"event": "{{ params.nope }}"}}),
        ("request.body", {"body": "{{ params.nope }}"}),
        ("handshake.login.url", {"handshake": {"steps": [{"name": "login", "url": "{{ params.nope }}"}]}}),
    ],
)
def test_a_required_part_that_no_turn_could_have_is_refused_before_the_run(where: str, parts: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=rf"{where}: .*params\.nope.*uses a value that does not exist"):
        target(**parts)


@rows
def test_a_value_of_a_scenario(template: str, value: Any) -> None:
    template = named(template, "v")
    if value is MISSING:
        with pytest.raises(ScenarioError, match=r"steps\[0\]\.value: .*nope"):
            said(template, VARS)
    else:
        assert said(template, VARS) == value


@pytest.mark.parametrize("template", ["{{ nope }}", "{{ nope | upper }}", "{{ nope.a }}", "{{ nope or 1 }}"])
def test_an_unknown_name_is_an_error_before_the_run(template: str) -> None:
    with pytest.raises(SpecError, match=r"request\.body\.key: .*'nope' is not known"):
        target({"key": template})
    with pytest.raises(ScenarioError, match="'nope' is not known here"):
        said(template, VARS)


def test_nothing_leaves_a_part_out_and_null_leaves_a_text_out() -> None:
    body = {"a": "{{ vars.v.nope or nothing }}", "b": "{{ vars.v.null }}", "c": "x {{ vars.v.null }}"}
    assert orjson.loads(rendered(body).body) == {"b": None}
    assert rendered(None, headers={"X-A": "{{ vars.v.null }}", "X-B": "{{ vars.v.text }}"}).headers == (("X-B", "t"),)
    with pytest.raises(BadRequest, match=r"request\.path: .*uses a value that does not exist"):
        rendered(None, path="{{ vars.v.null }}")

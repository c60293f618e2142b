"""The API against its own schema, as every role: what the schema allows is accepted, what it forbids is refused, and
every answer is one that it tells. `make schema-test` takes minutes for each role; here it is a few requests of each
operation.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import drf_spectacular
import pytest
from django.db import transaction
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.settings import spectacular_settings
from jsonschema_rs import Draft202012Validator
from pydantic import TypeAdapter

from connectors.errors import ConnectFailed
from connectors.security.guard import Address, resolve
from runs.load.profile import LoadProfile, parse_load
from tests.integration.web.permissions.site import HERE, Site
from tests.support.api.press import Drawn, Tally, operations, press
from tests.support.api.rules import RULES

OPENAPI = Path(drf_spectacular.__file__).parent / "validation" / "openapi_3_1_schema.json"
"""Its own module reads it with a library that takes a second to import."""
SECONDS = float(os.environ.get("TOKENBURN_SCHEMA_SECONDS", "0"))
"""For each role; 0: one short round."""
FEW = {"administrator": 2}
MANY = 5
REPEAT = {"do": "repeat", "steps": [{"do": "say", "text": "Hello"}]}
WHO = ["anonymous", "viewer", "operator", "administrator", "token of an operator"]


@pytest.fixture
def no_hosts_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts of proofs are drawn: none but this one is looked up, or asked."""

    def here(host: str, *more: Any) -> list[Address]:
        if host != HERE:
            raise ConnectFailed("dns_failed", f"cannot resolve {host!r}")
        return resolve(host, *more)

    monkeypatch.setattr("policy.ownership.resolve", here)


@pytest.fixture(scope="module")
def raw(site: Site) -> dict[str, Any]:
    """The schema as it is served."""
    found: dict[str, Any] = json.loads(site.get("/api/schema/?format=json").content)
    return found


@pytest.fixture(scope="module")
def found(site: Site, raw: dict[str, Any]) -> list[Drawn]:
    """Made once for all roles: to learn what to draw from a schema takes longer than to draw from it."""
    return operations(site, raw)


@pytest.mark.django_db
@pytest.mark.usefixtures("no_hosts_elsewhere")
@pytest.mark.parametrize("who", WHO)
def test_every_operation_keeps_to_the_schema(site: Site, found: list[Drawn], who: str) -> None:
    assert len(found) > 100
    rounds = itertools.count(1) if SECONDS else [1]
    until = time.monotonic() + SECONDS if SECONDS else float("inf")
    tally = press(site, who, found, MANY if SECONDS else FEW.get(who, 1), rounds, until)
    print(told(who, tally))
    assert SECONDS or tally.cases >= len(found), "something is drawn of which there are no requests"
    assert tally.by_rule.keys() <= RULES.keys()
    if broken := list(tally.lines()):
        pytest.fail("\n".join(broken))
    if who == "anonymous":
        assert tally.by_status.keys() <= {401, 404}  # 404: an id with a slash in it is another address


def told(who: str, tally: Tally) -> str:
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(tally.by_status.items()))
    rules = ", ".join(f"{rule}: {count}" for rule, count in tally.by_rule.most_common()) or "none"
    broken = ", ".join(f"{kind}: {count}" for kind, count in tally.broken.items()) or "none"
    lines = [f"\n{who}: {tally.cases} requests ({statuses})", f"rules beyond the schema: {rules}"]
    return "\n  ".join([*lines, f"contradictions: {broken}"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("POST", "/api/panic/", {"reason": ""}),
        ("PATCH", "/api/policies/{id}/", {"targets": ""}),
        ("PATCH", "/api/scenarios/{id}/", {"description": ""}),
        ("PATCH", "/api/webhooks/{id}/", {"key": ""}),
        ("POST", "/api/runs/{id}/refuse/", {"note": ""}),
    ],
)
def test_the_schema_allows_the_empty_texts_that_are_accepted(
    site: Site, raw: dict[str, Any], method: str, address: str, body: dict[str, str]
) -> None:
    schema, route = _schema_of(raw, method, address), address.replace("{id}", "ID")
    with transaction.atomic():
        site.prepare(route, method)
        answer = site.send(method, site.address(route, method), site.sessions["administrator"], body)
        transaction.set_rollback(True)
    assert answer.status_code < 300
    assert schema.is_valid(body)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/api/policies/", {"targets": "a.example\n" * 2001}),
        ("/api/proved-hosts/", {"url": "not a host"}),
        ("/api/scenarios/", {"name": "a", "spec": {"steps": [REPEAT]}}),
        (
            "/api/scenarios/",
            {"name": "a", "spec": {"steps": [{**REPEAT, "times": 2, "over": "x"}]}},
        ),
        ("/api/plans/", {"name": "a", "load": {"kind": "closed", "duration_s": 5}}),
        ("/api/plans/", {"name": "a", "load": {"kind": "open", "sweep": None, "duration_s": 5}}),
        ("/api/plans/", {"name": "a", "load": {"kind": "closed", "sweep": {"levels": [0.0]}}}),
        ("/api/proved-hosts/", {"url": "ftp://files.example.org"}),
        ("/api/credentials/", {"name": "a", "origins": ["https://a.example"], "secrets": {"key": "a\0b"}}),
        ("/api/targets/", {"name": "a", "url": "https://a.example", "secrets": {"key": "a\0b"}}),
    ],
)
def test_the_schema_forbids_what_is_refused(
    site: Site, raw: dict[str, Any], address: str, body: dict[str, Any]
) -> None:
    answer = site.send("POST", address, site.sessions["administrator"], body)
    assert answer.status_code == 400
    schema = _schema_of(raw, "POST", address)
    wrong = {error.instance_path[0] for error in schema.iter_errors(body) if error.instance_path}
    assert wrong & (body.keys() - {"name"})


@pytest.mark.parametrize(
    "load",
    [
        {"kind": "closed", "users": 2, "duration_s": 5},
        {"kind": "open", "rate_per_s": 2, "sweep": None, "duration_s": 5},
        {"kind": "closed", "sweep": {"levels": [1, 2]}},
    ],
)
def test_the_schema_allows_loads_whose_level_is_given_or_swept(load: dict[str, Any]) -> None:
    parse_load(load)
    assert Draft202012Validator(TypeAdapter(LoadProfile).json_schema()).is_valid(load)


@pytest.mark.django_db
def test_empty_parameters_count_as_left_out_as_the_schema_says(site: Site, raw: dict[str, Any]) -> None:
    asked = 0
    for path, methods in raw["paths"].items():
        address = site.address(path.replace("{id}", "ID"), "GET")
        for parameter in methods.get("get", {}).get("parameters", ()):
            if parameter["in"] == "query":
                empty = site.get(f"{address}?{parameter['name']}=")
                assert (parameter["allowEmptyValue"], empty.status_code) == (True, 200), parameter
                if path != "/api/audit/":  # reading it is an entry
                    assert empty.json() == site.get(address).json()
                asked += 1
    assert asked > 30


def _schema_of(raw: dict[str, Any], method: str, address: str) -> Draft202012Validator:
    """Of the bodies of an operation."""
    body = raw["paths"][address][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**body, "components": raw["components"]})


def test_the_schema_is_made_without_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    """As `manage.py spectacular --fail-on-warn --validate` does it, whose libraries take seconds."""
    GENERATOR_STATS.reset()
    made = spectacular_settings.DEFAULT_GENERATOR_CLASS().get_schema(request=None, public=True)
    assert not GENERATOR_STATS, capsys.readouterr().err
    found = OpenApiJsonRenderer2().render(made, renderer_context={})
    Draft202012Validator(json.loads(OPENAPI.read_text())).validate(json.loads(found))

"""The API against its own schema, as every role: what the schema allows is accepted, what it forbids is refused, and
every answer is one that it tells. `make schema-test` takes minutes for each role; here it is a few requests of each
operation.
"""

from __future__ import annotations

import itertools
import json
import os
import time

import pytest
from django.core.management import call_command

from tests.integration.web.permissions.site import Site
from tests.support.api_press import Tally, operations, press
from tests.support.api_rules import RULES

SECONDS = float(os.environ.get("TOKENBURN_SCHEMA_SECONDS", "0"))
"""For each role; 0: one short round."""
FEW = {"administrator": 2}
MANY = 25
WHO = ["anonymous", "viewer", "operator", "administrator", "token of an operator"]


@pytest.mark.django_db
@pytest.mark.parametrize("who", WHO)
def test_every_operation_keeps_to_the_schema(site: Site, who: str) -> None:
    raw = json.loads(site.get("/api/schema/?format=json").content)
    found = operations(site, raw)
    assert len(found) > 100
    rounds = itertools.count(1) if SECONDS else [1]
    until = time.monotonic() + SECONDS if SECONDS else float("inf")
    tally = press(site, who, found, MANY if SECONDS else FEW.get(who, 1), rounds, until)
    print(told(who, tally))
    assert tally.cases >= len(found) / 2
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


def test_the_schema_is_made_without_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")
    assert capsys.readouterr().err == ""

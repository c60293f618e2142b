"""The API against its own schema: what the schema allows is answered, as the schema says, and nothing breaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, Phase, given, settings

from runs.models import RunStatus
from tests.integration.web import made_up
from tests.support.site import running_site
from tokenburn_site.local.process_groups import ProcessGroups

BOUNDED = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def api_schema(transactional_db: None, valkey: str, family: ProcessGroups, tmp_path: Path) -> Iterator[Any]:
    """The schema as the running site serves it, with rows to find and the token of somebody who may do everything."""
    import schemathesis  # a second that only who runs this test needs

    run = made_up.run(RunStatus.COMPLETED)
    made_up.fill(run, seconds=2)
    made_up.finish(run)
    token = made_up.token(made_up.user(superuser=True))
    headers = {"Authorization": f"Token {token}", "Accept": "application/json"}
    with running_site(family, tmp_path / "site.log") as url:
        yield schemathesis.openapi.from_url(f"{url}/api/schema/", headers=headers)


def test_every_operation_keeps_to_the_schema(api_schema: Any) -> None:
    """In turn, without schemathesis' own collecting: it does not know the pytest of our lock file."""
    found = [result.ok() for result in api_schema.get_all_operations()]
    operations = [one for one in found if one.path != "/api/health/"]  # its 503 is an answer, not a breakdown
    assert len(operations) > 20
    # Deleting comes last: the others need the rows.
    for operation in sorted(operations, key=lambda one: (one.method == "delete", one.path)):
        _press(operation)


def _press(operation: Any) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    conformance = [checks.content_type_conformance, checks.response_schema_conformance, checks.status_code_conformance]

    @BOUNDED
    @given(case=operation.as_strategy())
    def press(case: Any) -> None:
        case.call_and_validate(checks=[not_a_server_error, *conformance])

    press()


def test_the_schema_is_made_without_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")
    assert capsys.readouterr().err == ""

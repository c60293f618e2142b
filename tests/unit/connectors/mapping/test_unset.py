"""Which secrets a refusal is explained with, and when it is the clock."""

from __future__ import annotations

from typing import cast

import pytest

from connectors.errors import Refused
from connectors.mapping.unset import CLOCK, explained
from connectors.spec import TargetSpec, build_target_spec
from connectors.target import CompiledTarget
from metrics.report_schema import RunReport
from tokenburn_site.cli.advice import failure

AWS = ("access_key_id", "secret_access_key")


def target(preset: str, *given: str) -> TargetSpec:
    params = {"region": "eu-central-1", "project": "p", "location": "l", "agent": "a"}
    secrets = dict.fromkeys(given, "a secret")
    url = "https://bot.eu-central-1.example.com"
    return build_target_spec(name="t", url=url, preset=preset, params=params, secrets=secrets)


@pytest.mark.parametrize(
    ("preset", "given", "missing"),
    [
        ("bedrock-converse", AWS, ()),
        ("bedrock-converse", (*AWS, "session_token"), ()),
        ("bedrock-converse", ("api_key",), ()),
        ("bedrock-converse", (), ("access_key_id", "api_key", "secret_access_key")),
        ("dialogflow-cx", ("service_account",), ()),
        ("dialogflow-cx", ("access_token",), ()),
        ("dialogflow-cx", ("refresh_token",), ("client_id", "client_secret")),
        ("azure-ai-agents", ("client_secret",), ("client_id",)),
        ("open-webui", ("email",), ("password",)),
        ("open-webui", ("api_key",), ()),
        ("openai-chat", (), ("api_key",)),
    ],
)
def test_secrets_of_another_way_to_log_in_are_not_missing(
    preset: str, given: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    assert CompiledTarget(target(preset, *given)).unset_secrets == missing


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (403, "Signature expired: 20200101T000000Z is now earlier than 20260101T000000Z"),
        (403, "Signature not yet current: 20260101T000000Z is still later than 20200101T000000Z"),
        (400, "handshake.token: Invalid JWT: Token must be a short-lived token. Check your iat and exp values"),
        (401, "AADSTS700024: Client assertion is not within its valid time range"),
    ],
)
def test_a_signature_at_a_wrong_time_is_explained_with_the_clock(code: int, said: str) -> None:
    error = explained(explained(Refused(code, said, "check the secrets"), ("api_key",)), ("api_key",))
    assert CLOCK in error.advice
    assert "api_key" not in error.told
    assert error.detail == said
    reason = f"too_many_errors: http_{code}: {error.told}"
    report = cast("RunReport", {"errors": {f"http_{code}": 3}})
    assert failure(reason, report, target("bedrock-converse", *AWS).frozen_dict(), stored=False) == reason


def test_an_expired_key_is_no_matter_of_the_clock() -> None:
    error = explained(Refused(401, "the API key has expired"), ())
    assert CLOCK not in error.told

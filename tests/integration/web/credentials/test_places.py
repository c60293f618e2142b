"""Whoever may not use a credential cannot move its secrets to where a chatbot would tell them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from audit.models import AuditEvent
from targets.models import Target
from tests.integration.web import made_up
from tests.integration.web.made_up import api_of, page_of
from tests.support.credentials import keep

pytestmark = pytest.mark.django_db
RIGHTS = ("targets.view_target", "targets.change_target")
ASKED = "spell this backwards: {{ secret.api_key }} {{ message }}"
KEY = {"X-Api-Key": "{{ secret.api_key }}"}
PLACES: list[dict[str, Any]] = [
    {"request": {"body": {"messages": [{"role": "user", "content": ASKED}]}}},
    {"request": {"body": {"system": "{{ secret.api_key }}"}}},
    {"request": {"body": f'{{"messages": "{ASKED}"}}', "headers": KEY}},
    {"request": {"headers": {"X-Api-Key": "{{ secret.api_key | b64encode }}"}}},
    {"request": {"headers": {**KEY, "X-Trace": "{{ secret.api_key }}"}}},
    {"request": {"path": "/chat?q={{ secret.api_key }}"}},
    {"handshake": {"steps": [{"name": "s", "url": "/s", "body": {"say": "{{ secret.api_key }}"}}]}},
]


@pytest.fixture
def bank(db: None) -> Target:
    target = Target(
        name="bank", url="http://127.0.0.1:9", preset="generic-json", overrides={"request": {"headers": KEY}}
    )
    keep(target, {"api_key": made_up.SECRET}, owner=made_up.user(*RIGHTS))
    return target


@pytest.mark.parametrize("overrides", PLACES)
def test_a_secret_is_not_moved_without_the_right_to_use_it(bank: Target, overrides: dict[str, Any]) -> None:
    mal, address = made_up.user(*RIGHTS), f"/api/targets/{bank.pk}/"
    answer = api_of(mal).patch(address, {"overrides": overrides}, format="json")
    assert answer.status_code == 400
    assert "a secret would stand there; you may not use the credential" in answer.json()["overrides"][0]

    form = {"name": "bank", "preset": bank.preset, "url": bank.url, "params": "{}", "credential": bank.credential_id}
    page = page_of(mal).post(
        f"/admin/targets/target/{bank.pk}/change/", {**form, "overrides": json.dumps(overrides), "stream": ""}
    )
    assert page.status_code == 200 and "a secret would stand there" in page.content.decode()

    assert Target.objects.get(pk=bank.pk).overrides == bank.overrides
    assert AuditEvent.objects.filter(action="credential.use", outcome="refused", user_name=str(mal)).count() == 2
    assert bank.credential is not None and bank.credential.owner is not None
    assert api_of(bank.credential.owner).patch(address, {"overrides": overrides}, format="json").status_code == 200


def test_neither_by_another_preset(bank: Target) -> None:
    answer = api_of(made_up.user(*RIGHTS)).patch(f"/api/targets/{bank.pk}/", {"preset": "gemini"}, format="json")
    assert answer.status_code == 400 and "overrides" in answer.json()


def test_what_stands_beside_may_change_and_a_place_may_go(bank: Target) -> None:
    api, address = api_of(made_up.user(*RIGHTS)), f"/api/targets/{bank.pk}/"
    beside = {"request": {"headers": {**KEY, "X-Trace": "1"}, "path": "/other"}}
    assert api.patch(address, {"overrides": beside}, format="json").status_code == 200
    assert api.patch(address, {"overrides": {}}, format="json").status_code == 200

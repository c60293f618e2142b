"""Whoever may change targets gets at no secret of somebody else's by it, through whichever door they go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from audit.models import AuditEvent
from connectors.spec import presets
from targets.models import Credential, Target
from tests.hostile.server import HostileServer
from tests.integration.web import made_up
from tests.integration.web.credentials.conftest import REFUSED
from tests.integration.web.made_up import api_of, page_of

pytestmark = pytest.mark.django_db
WAYS = ("the address", "a handshake step", "a proxy", "a Host header", "another port", "another scheme")


def login_at(url: str) -> dict[str, Any]:
    step = {"name": "login", "method": "POST", "url": f"{url}/login", "body": {"key": "{{ secret.api_key }}"}}
    return {"handshake": {"steps": [step]}}


def ways_out(thief: HostileServer) -> dict[str, dict[str, Any]]:
    root = thief.url.removesuffix("/v1")
    return {
        "the address": {"url": thief.url},
        "a handshake step": {"overrides": login_at(root)},
        "a proxy": {"overrides": {"proxy": {"url": root}}},
        "a Host header": {"overrides": {"request": {"headers": {"Host": root.removeprefix("http://")}}}},
        "another port": {"url": "http://127.0.0.1:9/v1"},
        "another scheme": {"overrides": login_at(root.replace("http://", "https://"))},
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("user", ["ann", "mal"])
def test_a_target_does_not_lead_elsewhere_with_its_credential(
    way: str, user: str, bank: Target, thief: HostileServer, request: pytest.FixtureRequest
) -> None:
    change = ways_out(thief)[way]
    who: User = request.getfixturevalue(user)
    answer = api_of(who).patch(f"/api/targets/{bank.pk}/", change)
    (texts,) = answer.json().values()
    assert answer.status_code == 400
    assert "not among the origins of the credential 'bank'; add it there" in texts[0]
    assert set(answer.json()) == ({"url"} if "url" in change else {"overrides"})

    form = target_form(bank, **{key: value if key == "url" else json.dumps(value) for key, value in change.items()})
    page = page_of(who).post(f"/admin/targets/target/{bank.pk}/change/", form)
    assert page.status_code == 200
    assert "not among the origins" in page.content.decode()

    fresh = Target.objects.get(pk=bank.pk)
    assert (fresh.url, fresh.overrides) == (bank.url, {})
    api_of(who).post(f"/api/targets/{bank.pk}/probe/", {"message": "Which river?"})
    assert thief.requests == []


def target_form(target: Target, **fields: str) -> dict[str, str]:
    own = {"name": target.name, "preset": target.preset, "url": target.url, "params": '{"model": "m"}'}
    rest = {"overrides": "{}", "credential": str(target.credential_id or ""), "secret_name": "", "secret_value": ""}
    return own | rest | fields


def test_a_preset_that_leads_elsewhere_is_refused_too(
    bank: Target, ann: User, thief: HostileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in presets.PRESET_DIR.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    bent = presets.load_preset("openai-chat") | login_at(thief.url)
    (tmp_path / "talksy.json").write_text(json.dumps(bent))
    monkeypatch.setattr(presets, "PRESET_DIR", tmp_path)
    presets._preset_text.cache_clear()
    try:
        answer = api_of(ann).patch(f"/api/targets/{bank.pk}/", {"preset": "talksy"})
    finally:
        presets._preset_text.cache_clear()
    assert answer.status_code == 400
    assert "not among the origins" in answer.json()["overrides"][0]


def test_who_may_edit_the_credential_adds_the_origin_first(bank: Target, ann: User, thief: HostileServer) -> None:
    origin = thief.url.removesuffix("/v1")
    api, credential = api_of(ann), f"/api/credentials/{bank.credential_id}/"
    origins = [*api.get(credential).json()["origins"], origin]
    assert api.patch(credential, {"origins": origins}).status_code == 200
    assert api.patch(f"/api/targets/{bank.pk}/", {"url": thief.url}).status_code == 200
    assert api.post(f"/api/targets/{bank.pk}/probe/", {"message": "Which river?"}).status_code == 200
    assert f"Bearer {made_up.SECRET}".encode() in thief.requests[0]


def test_who_may_not_use_it_saves_other_fields_and_sends_nothing(
    bank: Target, mal: User, bank_server: HostileServer
) -> None:
    api, page = api_of(mal), page_of(mal)
    assert api.patch(f"/api/targets/{bank.pk}/", {"params": {"model": "other"}}).status_code == 200
    form = target_form(bank, name="renamed")
    assert page.post(f"/admin/targets/target/{bank.pk}/change/", form).status_code == 302
    fresh = Target.objects.get(pk=bank.pk)
    assert (fresh.name, fresh.credential_id) == ("renamed", bank.credential_id)

    probed = api.post(f"/api/targets/{bank.pk}/probe/", {"message": "Which river?"})
    assert (probed.status_code, probed.json()) == (400, {"non_field_errors": [REFUSED]})
    shown = page.post(f"/admin/targets/target/{bank.pk}/test-message/", {"message": "x", "lane": "load"})
    assert "you may not use the credential" in shown.content.decode()
    assert bank_server.requests == []
    refusals = AuditEvent.objects.filter(action="credential.use", outcome="refused")
    assert {(event.user_name, event.text) for event in refusals} == {(str(mal), "bank")}
    assert refusals.count() == 2


def test_a_copy_gets_no_credential_that_its_maker_may_not_use(bank: Target, mal: User, thief: HostileServer) -> None:
    copy = {"name": "copy", "preset": "openai-chat", "url": thief.url, "credential": bank.credential_id}
    answer = api_of(mal).post("/api/targets/", copy)
    assert answer.status_code == 400 and "object does not exist" in answer.json()["credential"][0]
    Credential.objects.get().groups.clear()
    mal.user_permissions.add(made_up.permission("targets.view_credential"))
    answer = api_of(User.objects.get(pk=mal.pk)).post("/api/targets/", copy)
    assert (answer.status_code, answer.json()["credential"]) == (400, [REFUSED])
    own = Target.objects.create(name="mine", url=thief.url)
    answer = api_of(User.objects.get(pk=mal.pk)).patch(f"/api/targets/{own.pk}/", {"credential": bank.credential_id})
    assert answer.json()["credential"] == [REFUSED]
    page = page_of(mal).post(f"/admin/targets/target/{own.pk}/change/", target_form(bank, name="mine", url=thief.url))
    assert "That choice is not one of the available choices" in page.content.decode()
    assert Target.objects.filter(credential=bank.credential_id).count() == 1


def test_secrets_entered_under_a_known_name_do_not_fall_into_somebody_elses_credential(
    bank: Target, mal: User, thief: HostileServer
) -> None:
    """Renamed, so that its name is free: a new target of that name has a credential of its own."""
    Target.objects.filter(pk=bank.pk).update(name="renamed")
    given = {"name": "bank", "preset": "openai-chat", "url": thief.url, "secrets": {"other": "x"}}
    made = api_of(mal).post("/api/targets/", given)
    assert made.status_code == 201
    credential = Credential.objects.get(pk=made.json()["credential"])
    assert (credential.name, credential.owner, credential.get_secrets()) == ("bank (2)", mal, {"other": "x"})
    assert Credential.objects.get(name="bank").get_secrets() == {"api_key": made_up.SECRET}


def test_who_may_not_edit_a_credential_enters_nothing_into_it(bank: Target, mal: User, thief: HostileServer) -> None:
    """Not even with its use: their origin would be added with their secret."""
    credential = Credential.objects.get()
    credential.users.add(mal)
    body = {"url": thief.url, "secrets": {"api_key": "mine"}}
    answer = api_of(mal).patch(f"/api/targets/{bank.pk}/", body)
    assert answer.status_code == 400
    assert "you may not edit the credential 'bank': ask its owner (ann)" in answer.json()["secrets"][0]
    form = target_form(bank, secret_name="api_key", secret_value="mine", url=thief.url)
    page = page_of(mal).post(f"/admin/targets/target/{bank.pk}/change/", form)
    assert "you may not edit the credential" in page.content.decode()
    credential.refresh_from_db()
    assert credential.get_secrets() == {"api_key": made_up.SECRET}
    assert thief.url.removesuffix("/v1") not in credential.origins

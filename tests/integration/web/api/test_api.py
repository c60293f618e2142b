"""The API: what it takes, what it gives, what it refuses and how it says so."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from runs.planning.errors import FIELDS
from targets.models import Target
from tests.integration.web import made_up

TARGET = {"name": "T", "preset": "openai-chat", "url": "http://127.0.0.1:9/v1", "params": {"model": "m"}}
SCENARIO = {"name": "s", "spec": {"name": "s", "steps": [{"do": "say", "text": "Hello"}]}}


def test_a_token_opens_the_api_and_a_wrong_one_does_not(boss: User) -> None:
    client = APIClient()
    assert client.get("/api/runs/").status_code == 401
    client.credentials(HTTP_AUTHORIZATION="Token nonsense")
    assert client.get("/api/runs/").status_code == 401
    client.credentials(HTTP_AUTHORIZATION=f"Token {made_up.token(boss)}")
    assert client.get("/api/runs/").status_code == 200


def test_sessions_need_the_forgery_token_to_write(boss: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(boss)
    assert client.post("/api/targets/", TARGET).status_code == 403


def test_the_schema_says_how_a_run_is_refused(api: APIClient) -> None:
    schema = api.get("/api/schema/?format=json").json()
    for path, method in (("/api/runs/", "post"), ("/api/plans/{id}/estimate/", "get")):
        answer = schema["paths"][path][method]["responses"]["400"]["content"]["application/json"]["schema"]
        assert answer == {"$ref": "#/components/schemas/RunRefusal"}
    refusal = schema["components"]["schemas"]["RunRefusal"]["properties"]
    assert set(refusal) == {"plan", "code", "field"}
    (codes,) = refusal["code"]["items"].values()
    assert set(schema["components"]["schemas"][codes.rpartition("/")[2]]["enum"]) == set(FIELDS)


def test_rights_are_those_of_the_models(db: None) -> None:
    client = APIClient()
    target = made_up.target()
    address = f"/api/targets/{target.pk}/"
    for rights, expected in (
        ((), {"get": 403, "patch": 403, "delete": 403}),
        (("targets.view_target",), {"get": 200, "patch": 403, "delete": 403}),
        (("targets.view_target", "targets.change_target"), {"get": 200, "patch": 200, "delete": 403}),
        (("targets.view_target", "targets.delete_target"), {"get": 200, "patch": 403, "delete": 204}),
    ):
        client.force_login(made_up.user(*rights))
        for method, status in expected.items():
            assert getattr(client, method)(address, {}).status_code == status, (rights, method)


def test_those_who_are_not_staff_get_nothing(db: None) -> None:
    client = APIClient()
    client.force_login(made_up.user("targets.view_target", "runs.view_run", "runs.change_run", staff=False))
    for address in ("/api/targets/", "/api/runs/"):
        assert client.get(address).status_code == 403
    assert client.post("/api/runs/", {"plan": made_up.plan().pk}).status_code == 403


def test_targets_take_secrets_and_give_names(api: APIClient) -> None:
    made = api.post("/api/targets/", TARGET | {"secrets": {"api_key": made_up.SECRET, "other": "o"}})
    assert made.status_code == 201
    assert made.json()["secret_names"] == ["api_key", "other"]
    address = f"/api/targets/{made.json()['id']}/"
    changed = api.patch(address, {"secrets": {"other": None, "new": "n"}, "stream": True})
    assert changed.json()["secret_names"] == ["api_key", "new"]
    target = Target.objects.get()
    assert target.stream is True
    assert target.get_secrets() == {"api_key": made_up.SECRET, "new": "n"}
    for answer in (made, changed, api.get(address), api.get("/api/targets/")):
        assert made_up.SECRET not in answer.content.decode()
        assert "sealed" not in answer.content.decode()


@pytest.mark.parametrize(
    ("fields", "where", "text"),
    [
        ({"url": "ftp://x"}, "url", "'ftp://x' is not a URL"),
        ({"preset": "nope"}, "preset", '"nope" is not a valid choice.'),
        ({"params": []}, "params", "Expected a dictionary"),
        ({"overrides": {"nonsense": 1}}, "overrides", "nonsense: is not a known field"),
        ({"secrets": {"two words": "x"}}, "secrets", "must be letters, digits and _"),
        ({"secrets": {"k": made_up.SECRET * 1000}}, "secrets", "must have 1 to 10000 characters"),
        ({"name": ""}, "name", "may not be blank"),
    ],
)
def test_mistakes_in_a_target_name_their_field(api: APIClient, fields: dict[str, Any], where: str, text: str) -> None:
    answer = api.post("/api/targets/", TARGET | fields)
    assert answer.status_code == 400
    assert text in answer.json()[where][0]
    assert made_up.SECRET not in answer.content.decode()
    assert not Target.objects.exists()


def test_a_target_in_use_cannot_be_deleted(api: APIClient) -> None:
    plan = made_up.plan()
    answer = api.delete(f"/api/targets/{plan.target_id}/")
    assert answer.status_code == 409
    assert plan.name in answer.json()["detail"]


def test_scenarios_are_checked_and_the_librarys_are_kept(api: APIClient) -> None:
    assert api.post("/api/scenarios/", SCENARIO).status_code == 201
    wrong = api.post("/api/scenarios/", {"name": "w", "spec": {"name": "w", "steps": []}})
    assert wrong.status_code == 400
    assert "steps" in wrong.json()["spec"][0]
    kept = made_up.scenario(builtin=True)
    address = f"/api/scenarios/{kept.pk}/"
    for answer in (api.patch(address, {"description": "x"}), api.delete(address), api.put(address, SCENARIO)):
        assert answer.status_code in {400, 403}
    kept.refresh_from_db()
    assert kept.description == ""
    assert api.post("/api/scenarios/", SCENARIO | {"name": "n", "builtin": True}).json()["builtin"] is False


def test_what_the_database_cannot_hold_is_refused(postgres_database: str) -> None:
    client = APIClient()
    client.force_login(made_up.user(superuser=True))
    answer = client.post("/api/targets/", TARGET | {"params": {"model": "a\0b"}})
    assert answer.status_code == 400
    assert "NUL" in answer.json()["detail"]


def test_what_is_not_json_is_refused_with_a_reason(api: APIClient) -> None:
    answer = api.post("/api/targets/", "{", content_type="application/json")
    assert answer.status_code == 400
    assert "JSON parse error" in answer.json()["detail"]
    assert api.post("/api/targets/", "a=b", content_type="application/x-www-form-urlencoded").status_code == 415

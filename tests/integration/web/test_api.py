"""The API: what it takes, what it gives, what it refuses and how it says so."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from metrics.junit import junit_xml
from metrics.markdown import summary_md
from runs.models import Run, RunStatus
from targets.models import Target
from tests.integration.web import made_up

TARGET = {"name": "T", "preset": "openai-chat", "url": "http://127.0.0.1:9/v1", "params": {"model": "m"}}
SCENARIO = {"name": "s", "spec": {"name": "s", "steps": [{"do": "say", "text": "Hello"}]}}


@pytest.fixture
def api(boss: User) -> APIClient:
    client = APIClient()
    client.force_login(boss)
    return client


def plan_body(**fields: Any) -> dict[str, Any]:
    return {
        "name": "P",
        "target": made_up.target().pk,
        "scenarios": [{"scenario": made_up.scenario().pk, "weight": 2}],
        "load": made_up.LOAD,
        "thresholds": ["ttft_ms.p95<500"],
        **fields,
    }


def test_a_token_opens_the_api_and_a_wrong_one_does_not(boss: User) -> None:
    client = APIClient()
    assert client.get("/api/runs/").status_code == 401
    client.credentials(HTTP_AUTHORIZATION="Token nonsense")
    assert client.get("/api/runs/").status_code == 401
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=boss).key}")
    assert client.get("/api/runs/").status_code == 200


def test_sessions_need_the_forgery_token_to_write(boss: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(boss)
    assert client.post("/api/targets/", TARGET).status_code == 403


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
        ({"url": "ftp://x"}, "non_field_errors", "url: 'ftp://x' is not a URL"),
        ({"preset": "nope"}, "preset", '"nope" is not a valid choice.'),
        ({"params": []}, "params", "Expected a dictionary"),
        ({"overrides": {"nonsense": 1}}, "non_field_errors", "nonsense: Extra inputs are not permitted"),
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


def test_plans_hold_a_weighted_mix(api: APIClient) -> None:
    made = api.post("/api/plans/", plan_body())
    assert made.status_code == 201, made.json()
    address = f"/api/plans/{made.json()['id']}/"
    other = made_up.scenario().pk
    changed = api.patch(address, {"scenarios": [{"scenario": other}], "processes": 2}).json()
    assert changed["scenarios"] == [{"scenario": other, "weight": 1.0}]
    assert changed["processes"] == 2
    kept = api.patch(address, {"name": "Q"}).json()
    assert kept["scenarios"] == changed["scenarios"]


@pytest.mark.parametrize(
    ("fields", "where", "text"),
    [
        ({"load": {"kind": "closed", "users": 3}}, "load", "a load must end"),
        ({"load": {"kind": "sideways"}}, "load", "kind"),
        ({"thresholds": ["ttft_ms.p95 < fast"]}, "thresholds", "fast"),
        ({"processes": 9}, "load", "cannot be shared by 9 processes"),
        ({"scenarios": []}, "scenarios", "may not be empty"),
        ({"target": 4711}, "target", "does not exist"),
    ],
)
def test_mistakes_in_a_plan_name_their_field(api: APIClient, fields: dict[str, Any], where: str, text: str) -> None:
    answer = api.post("/api/plans/", plan_body(**fields))
    assert answer.status_code == 400
    assert text in str(answer.json()[where])


def test_a_scenario_is_named_once_in_a_mix(api: APIClient) -> None:
    scenario = made_up.scenario().pk
    answer = api.post("/api/plans/", plan_body(scenarios=[{"scenario": scenario}, {"scenario": scenario}]))
    assert answer.status_code == 400
    assert "named twice" in str(answer.json()["scenarios"])


@pytest.mark.usefixtures("valkey")
def test_a_run_is_started_watched_and_stopped(api: APIClient, boss: User) -> None:
    plan = made_up.plan()
    started = api.post("/api/runs/", {"plan": plan.pk})
    assert started.status_code == 201
    run = Run.objects.get()
    assert (started.json()["id"], started.json()["status"], run.requested_by) == (run.pk, "queued", boss)
    address = f"/api/runs/{run.pk}/"
    assert api.get(address).json()["target_spec"]["url"] == plan.target.url
    assert api.get(f"{address}report/").status_code == 404
    stopped = api.post(f"{address}stop/")
    assert stopped.status_code == 202
    assert stopped.json()["stop_requested_at"] is not None
    again = api.post(f"{address}stop/")
    assert again.status_code == 409
    assert "there is nothing to stop" in again.json()["detail"]


def test_a_plan_that_cannot_run_is_refused_with_its_reason(api: APIClient) -> None:
    plan = made_up.plan()
    plan.mix.all().delete()
    answer = api.post("/api/runs/", {"plan": plan.pk})
    assert answer.status_code == 400
    assert "there is no scenario" in answer.json()["plan"][0]
    assert api.post("/api/runs/", {"plan": 4711}).json()["plan"]
    assert api.post("/api/runs/", {}).json()["plan"]
    assert not Run.objects.exists()


def test_starting_and_stopping_need_the_right_to_change_runs(db: None) -> None:
    client = APIClient()
    plan, run = made_up.plan(), made_up.run(RunStatus.RUNNING)
    client.force_login(made_up.user("runs.view_run", "runs.add_run"))
    assert client.post("/api/runs/", {"plan": plan.pk}).status_code == 403
    assert client.post(f"/api/runs/{run.pk}/stop/").status_code == 403
    assert client.get(f"/api/runs/{run.pk}/").status_code == 200
    assert Run.objects.count() == 1


def test_runs_cannot_be_changed(api: APIClient) -> None:
    address = f"/api/runs/{made_up.run().pk}/"
    for method in ("put", "patch"):
        assert getattr(api, method)(address, {"status": "queued"}).status_code == 405


def test_the_report_is_given_as_it_is_stored(api: APIClient) -> None:
    run = made_up.run()
    made_up.fill(run)
    made_up.finish(run)
    assert api.get(f"/api/runs/{run.pk}/report/").json() == run.report


def test_the_report_is_given_as_junit_and_as_a_summary(api: APIClient) -> None:
    run = made_up.run()
    for kind in ("junit", "summary"):
        for accept in ("*/*", "application/xml, text/markdown"):
            missing = api.get(f"/api/runs/{run.pk}/{kind}/", headers={"accept": accept})
            assert missing.status_code == 404
            assert b"has no report yet" in missing.content
    made_up.fill(run)
    made_up.finish(run)
    junit = api.get(f"/api/runs/{run.pk}/junit/", headers={"accept": "application/xml"})
    assert junit.content == junit_xml(run.report or {})
    assert junit["Content-Type"] == "application/xml"
    summary = api.get(f"/api/runs/{run.pk}/summary/")
    assert summary.content.decode() == summary_md(run.report or {})
    assert summary["Content-Type"] == "text/markdown; charset=utf-8"


def test_a_plan_may_end_its_runs_at_a_missed_threshold_if_it_has_one(api: APIClient) -> None:
    plan = made_up.plan()
    assert api.patch(f"/api/plans/{plan.pk}/", {"abort_on_fail": True}, format="json").json()["abort_on_fail"] is True
    refused = api.patch(f"/api/plans/{plan.pk}/", {"thresholds": []}, format="json")
    assert (refused.status_code, list(refused.json())) == (400, ["abort_on_fail"])
    run = api.post("/api/runs/", {"plan": plan.pk}, format="json").json()
    assert run["abort_on_fail"] is True


def test_turns_come_in_pages_without_a_count(api: APIClient) -> None:
    run, other = made_up.run(), made_up.run()
    made_up.fill(run, seconds=30)
    made_up.fill(other, seconds=2)
    seen: list[int] = []
    address: str | None = f"/api/runs/{run.pk}/turns/?page_size=100"
    with CaptureQueriesContext(connection) as queries:
        while address:
            page = api.get(address).json()
            seen += [turn["id"] for turn in page["results"]]
            address = page["next"]
    assert seen == list(run.turns.order_by("id").values_list("id", flat=True))
    assert len(seen) == 240
    assert not any("COUNT(" in query["sql"] for query in queries)


def test_turns_and_sessions_can_be_filtered(api: APIClient) -> None:
    run = made_up.run()
    made_up.fill(run, seconds=30)
    failed = api.get(f"/api/runs/{run.pk}/turns/?outcome=error").json()["results"]
    assert {turn["code"] for turn in failed} == {"http_500"}
    assert failed == api.get(f"/api/runs/{run.pk}/turns/?code=http_500").json()["results"]
    answer = api.get(f"/api/runs/{run.pk}/turns/?outcome=nonsense")
    assert answer.status_code == 400
    assert "choose one of" in answer.json()["outcome"][0]
    sessions = api.get(f"/api/runs/{run.pk}/sessions/").json()["results"]
    assert {session["outcome"] for session in sessions} == {"completed", "failed"}


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

"""Plans and runs by the API: what is taken, started, watched, stopped and read."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from metrics.report.junit import junit_xml
from metrics.report.markdown import summary_md
from runs.models import Run, RunStatus, TestPlan
from tests.integration.web import made_up


def plan_body(**fields: Any) -> dict[str, Any]:
    return {
        "name": "P",
        "target": made_up.target().pk,
        "scenarios": [{"scenario": made_up.scenario().pk, "weight": 2}],
        "load": made_up.LOAD,
        "thresholds": ["ttft_ms.p95<500"],
        **fields,
    }


def test_earlier_names_of_a_load_are_taken_and_stored_under_the_present_ones(api: APIClient) -> None:
    earlier = {"people": {"at_once": 2, "temperature": [0, 1]}, "budget": {"only_errors_s": 9}}
    now = {
        "user_profile": {"conversations_per_user": 2, "temperature": [0, 1]},
        "budget": {"no_success_timeout_s": 9},
    }
    base = {"kind": "closed", "users": 2, "duration_s": 3}
    made = api.post("/api/plans/", plan_body(load={**base, **earlier}), format="json")
    assert (made.status_code, made.json()["load"]) == (201, {**base, **now})
    assert "load.people is now load.user_profile" in made.json()["warnings"] and len(made.json()["warnings"]) == 3
    plan = TestPlan.objects.get(pk=made.json()["id"])
    assert plan.load == {**base, **now}
    TestPlan.objects.filter(pk=plan.pk).update(load={**base, **earlier})  # as an earlier version stored it
    shown = api.get(f"/api/plans/{plan.pk}/").json()
    assert (shown["load"], shown["warnings"]) == ({**base, **now}, [])
    kept = api.put(f"/api/plans/{plan.pk}/", shown, format="json")
    assert (kept.status_code, kept.json()["warnings"]) == (200, [])


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
        (
            {"load": {"kind": "closed", "users": 3}},
            "load",
            "no end: give load.duration_s",
        ),
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
    assert run.report is not None
    junit = api.get(f"/api/runs/{run.pk}/junit/", headers={"accept": "application/xml"})
    assert junit.content == junit_xml(run.report)
    assert junit["Content-Type"] == "application/xml"
    summary = api.get(f"/api/runs/{run.pk}/summary/")
    assert summary.content.decode() == summary_md(run.report)
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


def test_a_turn_stored_under_an_earlier_code_is_found_and_shown_under_the_present_one(api: APIClient) -> None:
    run = made_up.run()
    made_up.fill(run, seconds=30)
    renamed = run.turns.filter(code="http_500").update(code="user_doubled")
    found = api.get(f"/api/runs/{run.pk}/turns/?code=user_hedged").json()["results"]
    assert renamed > 0
    assert [turn["code"] for turn in found] == ["user_hedged"] * renamed


def test_a_session_stored_under_earlier_names_is_shown_under_the_present_ones(api: APIClient) -> None:
    run = made_up.run()
    made_up.fill(run, seconds=1)
    run.sessions.update(outcome="cut", code="user_doubled")
    found = api.get(f"/api/runs/{run.pk}/sessions/").json()["results"]
    assert {(session["outcome"], session["code"]) for session in found} == {("truncated", "user_hedged")}
    each = api.get(f"/api/runs/{run.pk}/conversations/").json()["results"]
    assert {(session["outcome"], session["code"]) for session in each} == {("truncated", "user_hedged")}

"""Scenarios, plans and runs in the admin."""

from __future__ import annotations

import html
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from metrics.models import SessionMetric
from runs.load.profile import parse_load
from runs.models import Run, RunStatus, TestPlan
from scenarios.models import Scenario
from tests.integration.web import made_up

SPEC = '{"name": "s", "steps": [{"do": "say", "text": "Hello"}]}'


def plan_form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Nightly",
        "target": str(made_up.target().pk),
        "load": '{"kind": "closed", "users": 5, "duration_s": 3}',
        "thresholds": '["ttft_ms.p95<500"]',
        "processes": "1",
        "seed": "",
        "mix-TOTAL_FORMS": "1",
        "mix-INITIAL_FORMS": "0",
        "mix-MIN_NUM_FORMS": "1",
        "mix-MAX_NUM_FORMS": "1000",
        "mix-0-scenario": str(made_up.scenario().pk),
        "mix-0-weight": "2",
        **fields,
    }


def text_of(answer: Any) -> str:
    return html.unescape(answer.content.decode())


def test_a_plan_is_made_with_its_mix(admin_page: Client) -> None:
    assert admin_page.post("/admin/runs/testplan/add/", plan_form()).status_code == 302
    plan = TestPlan.objects.get(name="Nightly")
    assert plan.load == {"kind": "closed", "users": 5, "duration_s": 3}
    assert [part.weight for part in plan.mix.all()] == [2.0]


def test_a_long_trace_is_a_few_words_and_stays_when_a_plan_is_edited_around_it(admin_page: Client) -> None:
    times = [number + 0.123 for number in range(500)]
    load, words = {"kind": "trace", "arrivals_s": times, "speed": 1}, "500 arrivals from 0.123 s to 499.123 s"
    assert admin_page.post("/admin/runs/testplan/add/", plan_form(load=json.dumps(load))).status_code == 302
    plan = TestPlan.objects.get(name="Nightly")
    assert plan.load == load
    address = f"/admin/runs/testplan/{plan.pk}/change/"
    page = admin_page.get(address)
    assert f"{words}, kept as they are" in page.content.decode()
    assert "a trace of 500 arrivals" in admin_page.get("/admin/runs/testplan/").content.decode()
    shown = page.context["adminform"].form.initial["load"] | {"speed": 2}
    mix = {"mix-INITIAL_FORMS": "1", "mix-0-id": str(plan.mix.get().pk), "mix-0-plan": str(plan.pk)}
    assert admin_page.post(address, plan_form(load=json.dumps(shown), **mix)).status_code == 302
    plan.refresh_from_db()
    assert plan.load == load | {"speed": 2}
    shown["arrivals_s"] = "501 arrivals from 0 s to 1 s, kept as they are"
    assert "could not convert string to float" in text_of(
        admin_page.post(address, plan_form(load=json.dumps(shown), **mix))
    )


def test_a_load_under_earlier_names_is_stored_under_the_present_ones(admin_page: Client) -> None:
    load = {"kind": "closed", "users": 3, "duration_s": 3}
    earlier, now = (
        {**load, **more} for more in ({"people": {"at_once": 2}}, {"user_profile": {"conversations_per_user": 2}})
    )
    assert admin_page.post("/admin/runs/testplan/add/", plan_form(load=json.dumps(earlier))).status_code == 302
    assert TestPlan.objects.get().load == now


def test_who_may_only_look_sees_a_trace_in_a_few_words_too(client: Client, db: None) -> None:
    load = {"kind": "trace", "arrivals_s": [number + 0.123 for number in range(500)], "speed": 1}
    plan, run = made_up.plan(), made_up.run()
    TestPlan.objects.filter(pk=plan.pk).update(load=load)
    Run.objects.filter(pk=run.pk).update(load=parse_load(load).model_dump(mode="json"))
    client.force_login(made_up.user("runs.view_testplan", "runs.view_run"))
    for address in (f"/admin/runs/testplan/{plan.pk}/change/", f"/admin/runs/run/{run.pk}/change/"):
        page = text_of(client.get(address))
        assert "500 arrivals from 0.123 s to 499.123 s" in page
        assert "7.123" not in page


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"load": '{"kind": "closed", "users": 5}'}, "no end: give load.duration_s, load.stages or load.conversations"),
        ({"load": '{"kind": "closed", "users": 0, "duration_s": 3}'}, "give at least one user"),
        ({"load": "5"}, "give a JSON object"),
        ({"load": "{"}, "Enter a valid JSON."),
        ({"processes": "6"}, "cannot be shared by 6 processes"),
        ({"thresholds": '["ttft_ms.p95 is small"]'}, "ttft_ms.p95 is small"),
        ({"thresholds": '"ttft_ms.p95<5"'}, "give a list of texts"),
        ({"mix-TOTAL_FORMS": "0"}, "Please submit at least 1 form"),
        ({"mix-0-weight": "0"}, "greater than or equal to 1e-06"),
    ],
)
def test_mistakes_in_a_plan_are_explained(admin_page: Client, fields: dict[str, str], text: str) -> None:
    answer = admin_page.post("/admin/runs/testplan/add/", plan_form(**fields))
    assert answer.status_code == 200
    assert text in answer.content.decode().replace("&#x27;", "'")
    assert not TestPlan.objects.exists()


def test_the_action_starts_a_run_of_each_chosen_plan(admin_page: Client) -> None:
    plans = [made_up.plan(), made_up.plan()]
    chosen = {"action": "start_runs", "_selected_action": [plan.pk for plan in plans]}
    page = admin_page.post("/admin/runs/testplan/", chosen, follow=True).content.decode()
    assert page.count("is queued.") == 2
    assert set(Run.objects.values_list("plan_id", flat=True)) == {plan.pk for plan in plans}


def test_a_plan_that_cannot_run_says_why(admin_page: Client) -> None:
    plan = made_up.plan()
    plan.mix.all().delete()
    chosen = {"action": "start_runs", "_selected_action": [plan.pk]}
    page = admin_page.post("/admin/runs/testplan/", chosen, follow=True).content.decode()
    assert "there is no scenario" in page
    assert not Run.objects.exists()


def test_without_the_right_there_is_no_action(client: Client, db: None) -> None:
    client.force_login(made_up.user("runs.view_run", "runs.view_testplan"))
    plan, run = made_up.plan(), made_up.run(RunStatus.RUNNING)
    client.post("/admin/runs/testplan/", {"action": "start_runs", "_selected_action": [plan.pk]})
    client.post("/admin/runs/run/", {"action": "stop_runs", "_selected_action": [run.pk]})
    assert Run.objects.get().status == RunStatus.RUNNING


@pytest.mark.usefixtures("valkey")
def test_the_action_stops_a_run_and_says_when_there_is_nothing_to_stop(admin_page: Client) -> None:
    running, over = made_up.run(RunStatus.RUNNING), made_up.run(RunStatus.COMPLETED)
    chosen = {"action": "stop_runs", "_selected_action": [running.pk, over.pk]}
    page = admin_page.post("/admin/runs/run/", chosen, follow=True).content.decode()
    assert f"{running} is stopping." in page
    assert f"{over} is completed: there is nothing to stop." in page
    running.refresh_from_db()
    assert running.stop_requested_at is not None
    over.refresh_from_db()
    assert over.stop_requested_at is None


def test_runs_are_read_only(admin_page: Client) -> None:
    run = made_up.run(RunStatus.FAILED, reason="2 of 4 shards found a worker")
    address = f"/admin/runs/run/{run.pk}/change/"
    page = admin_page.get(address).content.decode()
    assert "2 of 4 shards found a worker" in page
    assert f"/runs/{run.pk}/live/" in page
    assert 'name="_save"' not in page
    assert admin_page.post(address, {"name": "x"}).status_code == 403
    assert admin_page.get("/admin/runs/run/add/").status_code == 403


def test_the_stop_button_is_there_only_while_there_is_something_to_stop(admin_page: Client) -> None:
    for status, there in ((RunStatus.RUNNING, True), (RunStatus.COMPLETED, False)):
        run = made_up.run(status)
        page = admin_page.get(f"/admin/runs/run/{run.pk}/change/").content.decode()
        assert (f'action="/runs/{run.pk}/stop/"' in page) is there


@pytest.mark.parametrize("address", ["/admin/runs/session/", "/admin/metrics/sessionmetric/"])
def test_lists_of_records_neither_count_nor_join(admin_page: Client, address: str) -> None:
    run = made_up.run()
    made_up.fill(run, seconds=20)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        first = admin_page.get(address, {"run__id__exact": run.pk})
        second = admin_page.get(address, {"p": 2})
    assert (first.status_code, second.status_code) == (200, 200)
    records = [q["sql"] for q in queries if "runs_session" in q["sql"] or "metrics_sessionmetric" in q["sql"]]
    assert records
    for sql in records:
        assert "COUNT(" not in sql
        assert "JOIN" not in sql
        assert "LIMIT" in sql


def test_a_turn_shows_hostile_text_as_text(admin_page: Client) -> None:
    run = made_up.run()
    made_up.fill(run, seconds=1, answer=made_up.HOSTILE)
    turn = SessionMetric.objects.filter(run=run).earliest("id")
    page = admin_page.get(f"/admin/metrics/sessionmetric/{turn.pk}/change/").content.decode()
    assert "&lt;script&gt;" in page
    assert made_up.HOSTILE not in page


def test_a_record_stored_under_earlier_names_shows_the_present_ones(admin_page: Client) -> None:
    run = made_up.run()
    made_up.fill(run, seconds=1)
    turn, session = SessionMetric.objects.filter(run=run).earliest("id"), run.sessions.earliest("id")
    SessionMetric.objects.filter(pk=turn.pk).update(code="user_doubled")
    run.sessions.filter(pk=session.pk).update(code="user_doubled", outcome="cut")
    for address, pk in (("metrics/sessionmetric", turn.pk), ("runs/session", session.pk)):
        for page in (f"/admin/{address}/", f"/admin/{address}/{pk}/change/"):
            shown = text_of(admin_page.get(page))
            assert "user_hedged" in shown
            assert "user_doubled" not in shown
            assert ("truncated" in shown, ">cut<" in shown) == (address == "runs/session", False)


def test_a_library_scenario_can_be_copied_but_not_changed(admin_page: Client) -> None:
    scenario = made_up.scenario(builtin=True)
    address = f"/admin/scenarios/scenario/{scenario.pk}/"
    assert 'name="_save"' not in admin_page.get(f"{address}change/").content.decode()
    assert admin_page.post(f"{address}change/", {"name": "x", "spec": SPEC}).status_code == 403
    assert admin_page.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    admin_page.post("/admin/scenarios/scenario/", {"action": "delete_selected", "_selected_action": [scenario.pk]})
    for _ in range(2):
        admin_page.post("/admin/scenarios/scenario/", {"action": "copy", "_selected_action": [scenario.pk]})
    copies = Scenario.objects.filter(builtin=False)
    assert sorted(c.name for c in copies) == [f"{scenario.name} (copy 2)", f"{scenario.name} (copy)"]
    assert all(c.spec["steps"] == scenario.spec["steps"] for c in copies)
    assert Scenario.objects.filter(pk=scenario.pk, name=scenario.name).exists()


@pytest.mark.parametrize(
    ("spec", "text"),
    [("{", "Enter a valid JSON."), ('{"name": "s", "steps": []}', "steps"), ('{"name": "s"}', "steps")],
)
def test_mistakes_in_a_scenario_are_explained(admin_page: Client, spec: str, text: str) -> None:
    answer = admin_page.post("/admin/scenarios/scenario/add/", {"name": "s", "description": "", "spec": spec})
    assert answer.status_code == 200
    assert text in answer.content.decode()
    assert not Scenario.objects.filter(name="s").exists()


def test_the_dashboard_shows_recent_runs_to_those_who_may_see_them(admin_page: Client, client: Client) -> None:
    run = made_up.run(RunStatus.RUNNING)
    page = admin_page.get("/admin/").content.decode()
    assert f"{run.pk} · {run.name}" in page
    assert f'action="/runs/plans/{run.plan_id}/start/"' in page
    client.force_login(made_up.user("targets.view_target"))
    page = client.get("/admin/").content.decode()
    assert run.name not in page


@pytest.mark.parametrize(
    ("reasons", "word"),
    [(["few_samples: x"], "Too few turns for some figures"), (["send_lag: x"], "Not trusted"), ([], "Trusted")],
)
def test_the_dashboard_has_the_report_s_word_for_the_verdict(admin_page: Client, reasons: list[str], word: str) -> None:
    run = made_up.run()
    made_up.fill(run, seconds=2)
    made_up.finish(run)
    assert run.report is not None
    run.report["verdict"] = {"trusted": not reasons, "reasons": reasons, "notes": []}
    run.save()
    assert f">{word}</span></td>" in text_of(admin_page.get("/admin/"))
    assert f"<strong>{word}.</strong>" in text_of(admin_page.get(f"/runs/{run.pk}/report/"))


def test_the_page_of_a_run_has_one_form_of_dates(admin_page: Client) -> None:
    moment = datetime(2026, 11, 21, 8, 0, 5, tzinfo=UTC)
    run = made_up.run(start_at=moment, ended_at=moment)
    run.shards.update(ended_at=moment)
    page = text_of(admin_page.get(f"/admin/runs/run/{run.pk}/change/"))
    assert page.count("2026-11-21 08:00:05 UTC") == 3
    assert "a.m." not in page and "Nov." not in page

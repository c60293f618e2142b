"""The admin's forms answer whatever a client sends with a message at its field, and in bounded time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from runs.admin.plans import MIX_ROWS
from runs.models import TestPlan
from tests.integration.web import made_up

ADD = "/admin/runs/testplan/add/"
LONG = "9" * 30
SURROGATE = '"x\\ud800"'
TYPED = {"kind": "closed", "users": "5", "duration_s": "6", "budget": {"turns": "7"}}


def form(**fields: str) -> dict[str, str]:
    return {
        "name": "f", "target": str(made_up.target().pk), "load": json.dumps(made_up.LOAD), "thresholds": "[]",
        "regions": "[]", "processes": "1", "seed": "", "mix-TOTAL_FORMS": "1", "mix-INITIAL_FORMS": "0",
        "mix-0-scenario": str(made_up.scenario().pk), "mix-0-weight": "1", **fields,
    }  # fmt: skip


def test_a_form_with_too_many_rows_of_a_mix_is_refused_at_once(admin_page: Client) -> None:
    answer = admin_page.post(ADD, form(**{"mix-TOTAL_FORMS": "20000"}))
    assert answer.status_code == 200
    [mix] = answer.context["inline_admin_formsets"]
    assert f"at most {MIX_ROWS}" in " ".join(mix.formset.non_form_errors())
    assert len(mix.formset.forms) <= MIX_ROWS
    assert not TestPlan.objects.exists()


@pytest.mark.parametrize("field", ["load", "thresholds", "regions"])
@pytest.mark.parametrize("value", [SURROGATE, '["x\\ud800"]', '{"\\udfff": 1}'])
def test_json_that_cannot_be_shown_again_is_refused_at_its_field(admin_page: Client, field: str, value: str) -> None:
    answer = admin_page.post(ADD, form(**{field: value}))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert escape(value) in answer.content.decode(), "as it was typed"


@pytest.mark.parametrize(
    ("page", "fields"), [("targets/target", {"params", "overrides"}), ("scenarios/scenario", {"spec"})]
)
def test_it_is_refused_in_other_forms_too(admin_page: Client, page: str, fields: set[str]) -> None:
    sent = {"name": "s", "spec": SURROGATE, "params": SURROGATE, "overrides": SURROGATE, "preset": "openai-chat"}
    answer = admin_page.post(f"/admin/{page}/add/", sent)
    assert answer.status_code == 200
    assert fields <= answer.context["adminform"].form.errors.keys()


@pytest.mark.parametrize("value", ["abc", LONG, "-1", "1.5", "\x00", "٣"])
@pytest.mark.parametrize(
    ("page", "field"),
    [
        ("runs/testplan", "target"),
        ("runs/planschedule", "plan"),
        ("runs/webhook", "plan"),
        ("runs/webhook", "schedule"),
    ],
)
def test_what_is_no_row_is_refused_at_its_field(admin_page: Client, page: str, field: str, value: str) -> None:
    answer = admin_page.post(f"/admin/{page}/add/", form(**{field: value}))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors


@pytest.mark.parametrize("value", ["abc", LONG, "-1", "1.5", "\x00"])
def test_what_is_no_scenario_is_refused_at_its_row(admin_page: Client, value: str) -> None:
    answer = admin_page.post(ADD, form(**{"mix-0-scenario": value}))
    assert answer.status_code == 200
    [mix] = answer.context["inline_admin_formsets"]
    assert "scenario" in mix.formset.errors[0]
    answer = admin_page.post("/admin/scenarios/scenario/import/", {"scenario": value, "pool": "p"})
    assert answer.status_code == 200
    assert "scenario" in answer.context["form"].errors


@pytest.mark.parametrize("value", ["x", "-1", LONG, ""])
def test_what_is_no_number_of_rows_is_refused(admin_page: Client, value: str) -> None:
    answer = admin_page.post(ADD, form(**{"mix-TOTAL_FORMS": value}))
    assert answer.status_code == 200
    assert not TestPlan.objects.exists()


@pytest.mark.parametrize("value", ["nan", "inf", "0", "1e308"])
def test_a_weight_that_cannot_be_drawn_by_is_refused(admin_page: Client, value: str) -> None:
    answer = admin_page.post(ADD, form(**{"mix-0-weight": value}))
    assert answer.status_code == 200
    [mix] = answer.context["inline_admin_formsets"]
    assert "weight" in mix.formset.errors[0]


def test_numbers_of_a_load_are_stored_as_numbers_by_every_door(admin_page: Client) -> None:
    want = {"kind": "closed", "users": 5, "duration_s": 6.0, "budget": {"turns": 7}}
    assert admin_page.post(ADD, form(load=json.dumps(TYPED))).status_code == 302
    said = [{"scenario": made_up.scenario().pk}]
    body: dict[str, Any] = {"name": "p", "target": made_up.target().pk, "scenarios": said, "load": TYPED}
    assert admin_page.post("/api/plans/", body, "application/json").status_code == 201
    for plan in TestPlan.objects.all():
        assert plan.load == want
        assert [type(value) for value in plan.load.values()] == [str, int, float, dict]
    body |= {"name": "q", "load": {**made_up.LOAD, "users": True}}
    answer = admin_page.post("/api/plans/", body, "application/json")
    assert (answer.status_code, answer.json()) == (400, {"load": ["load.users: must be a number"]})
    answer = admin_page.post(ADD, form(name="q", load=json.dumps(body["load"])))
    assert answer.context["adminform"].form.errors["load"] == ["load.users: must be a number"]


@pytest.mark.parametrize(
    "load",
    [
        TYPED,
        {**TYPED, "users": True},
        {"kind": "open", "rate_per_s": "2.5", "duration_s": "6", "max_turns_per_s": "3"},
        {"kind": "closed", "users": "1", "stages": [{"to": "5", "duration_s": "6"}], "conversations": "5"},
        {"kind": "closed", "sweep": {"levels": ["1", "2"], "hold_s": "20"}},
        {"kind": "trace", "arrivals_s": ["0", "1"], "speed": "2"},
        {"kind": "closed", "users": [], "duration_s": {}, "user_profile": 5, "budget": "nan"},
        {"kind": "closed", "users": "inf"},
    ],
)
def test_pages_show_loads_that_earlier_versions_stored(admin_page: Client, load: dict[str, Any]) -> None:
    plan = made_up.plan()
    plan.load = load
    plan.save()
    for page in ("/admin/runs/testplan/", f"/admin/runs/testplan/{plan.pk}/change/", f"/api/plans/{plan.pk}/"):
        assert admin_page.get(page).status_code == 200, page
    made_up.run(of=plan)
    for page in ("/", "/admin/runs/run/"):
        assert admin_page.get(page, follow=True).status_code == 200, page


def test_the_api_refuses_ids_that_are_fractions(admin_page: Client) -> None:
    """JSON does not tell 1.0 from 1, so that is none."""
    plan, fraction = made_up.plan(), 0.9
    scenario = plan.mix.get().scenario_id
    body = {"name": "p", "target": plan.target_id, "scenarios": [{"scenario": scenario}], "load": made_up.LOAD}
    for path, field, sent in (
        ("runs", "plan", {"plan": plan.pk + fraction}),
        ("plans", "target", {**body, "target": plan.target_id + fraction}),
        ("plans", "scenarios", {**body, "scenarios": [{"scenario": scenario + fraction}]}),
        ("schedules", "plan", {"name": "s", "plan": plan.pk + fraction, "when": {"every": 5, "period": "hours"}}),
        ("webhooks", "plan", {"name": "w", "url": "http://127.0.0.1:9/", "plan": plan.pk + fraction}),
        ("scenarios/import", "scenario", {"text": "a\nb\n", "filename": "x.csv", "scenario": scenario + fraction}),
    ):
        answer = admin_page.post(f"/api/{path}/", sent, "application/json")
        assert (answer.status_code, "float" in str(answer.json().get(field))) == (400, True), path
    assert (
        admin_page.post("/api/plans/", {**body, "target": plan.target_id + 0.0}, "application/json").status_code == 201
    )

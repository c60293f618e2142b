"""The API's refusals: in our words, at the field and place that is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from runs.models import RunStatus
from scenarios.models import Scenario
from targets.models import Target
from tests.integration.web import made_up
from tokenburn_site.web.api import router

TARGET = {"name": "T", "preset": "openai-chat", "url": "http://127.0.0.1:9/v1", "params": {"model": "m"}}
SCENARIO = {"name": "s", "spec": {"name": "s", "steps": [{"do": "say", "text": "Hello"}]}}
WEBHOOK = {"name": "w", "url": "http://127.0.0.1:9/"}
EVERY = {"every": 15, "period": "minutes"}
RAW = ("Extra inputs", "Input should", "Field required", "should have")


def plan_body(**fields: Any) -> dict[str, Any]:
    said = {"scenario": made_up.scenario().pk, "weight": 1.0}
    return {"name": "p", "target": made_up.target().pk, "scenarios": [said], "load": made_up.LOAD, **fields}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (
            {"overrides": {"timeout": {}}},
            {"overrides": ["timeout: is not a known field; did you mean 'timeouts'?"]},
        ),
        (
            {"overrides": {"timeouts": {"totl": 3}}},
            {"overrides": ["timeouts.totl: is not a known field; did you mean 'total'?"]},
        ),
        (
            {"overrides": {"timeouts": {"total": "long"}, "reuse_connections": "perhaps"}},
            {"overrides": ["timeouts.total: must be a number; reuse_connections: must be true or false"]},
        ),
        (
            {"url": "ftp://x", "overrides": {"limits": 3}},
            {
                "url": [
                    "'ftp://x' is not a URL of the form http(s)://host[:port]/path (or ws, wss, grpc, grpcs)",
                ],
                "overrides": ["limits: must be an object"],
            },
        ),
        (
            {"overrides": {"then": [{"name": "fetch", "every_s": 1}]}},
            {"overrides": ["then[0].url: is missing"]},
        ),
        (
            {"overrides": {"then": [{"name": "fetch", "url": "/x", "expect": [202]}]}},
            {"overrides": ["then.fetch.expect has no effect: the turn's answer has a status of 2xx"]},
        ),
        ({"preset": "generic-grpc", "stream": True, "url": "grpc://h:1"}, {}),
    ],
)
def test_mistakes_in_a_target_stand_at_their_fields(api: APIClient, fields: dict[str, Any], found: Any) -> None:
    answer = api.post("/api/targets/", TARGET | fields)
    if not found:
        assert "non_field_errors" not in answer.json()
        return
    assert (answer.status_code, answer.json()) == (400, found)


def test_an_address_that_may_never_be_connected_to_is_a_mistake_of_the_url(api: APIClient) -> None:
    answer = api.post("/api/targets/", TARGET | {"url": "http://169.254.169.254/latest"})
    assert (answer.status_code, list(answer.json())) == (400, ["url"])


def test_a_form_without_a_streamed_preset_blames_the_switch(api: APIClient, admin_page: Client) -> None:
    answer = api.post("/api/targets/", TARGET | {"preset": "nuc", "stream": True})
    assert (answer.status_code, list(answer.json())) == (400, ["stream"])


@pytest.mark.parametrize(
    ("load", "text"),
    [
        (
            {"kind": "closed", "users": 5, "duration_s": 3, "warmup_s": 1},
            "load.warmup_s: is not a known field; did you mean 'warm_up_s'?",
        ),
        (
            {"kind": "closed", "users": 5, "duration_s": 3, "user_profile": {"patiance": {}}},
            "load.user_profile.patiance: is not a known field; did you mean 'patience'?",
        ),
        ({"kind": "closed", "users": "many", "duration_s": 3}, "load.users: must be a whole number"),
    ],
)
def test_mistakes_in_a_load_are_said_alike_by_api_and_form(
    api: APIClient, admin_page: Client, load: dict[str, Any], text: str
) -> None:
    body = plan_body(load=load)
    answer = api.post("/api/plans/", body)
    assert (answer.status_code, answer.json()) == (400, {"load": [text]})
    mix = {"mix-TOTAL_FORMS": "1", "mix-INITIAL_FORMS": "0", "mix-0-weight": "1"}
    form = {"name": "p", "target": body["target"], "load": json.dumps(load), "thresholds": "[]", "processes": "1"}
    page = admin_page.post(
        "/admin/runs/testplan/add/", form | mix | {"mix-0-scenario": body["scenarios"][0]["scenario"]}
    )
    assert page.context["adminform"].form.errors["load"] == [text]
    assert not any(raw in page.content.decode() for raw in RAW)


def test_mistakes_in_the_mix_name_their_place(api: APIClient) -> None:
    known = made_up.scenario().pk
    mix = [{"scenario": known}, {"scenario": 0}, {"weight": 0, "scenario": known, "wait": 1}, 5]
    answer = api.post("/api/plans/", plan_body(scenarios=mix))
    assert answer.status_code == 400
    assert answer.json()["scenarios"] == [
        'scenarios[1].scenario: Invalid pk "0" - object does not exist.',
        "scenarios[2].weight: Ensure this value is greater than or equal to 1e-06.",
        "scenarios[2].wait: is not a known field; did you mean 'weight'?",
        "scenarios[3]: Invalid data. Expected a dictionary, but got int.",
    ]


def test_a_wrong_scenario_among_several_is_named(api: APIClient) -> None:
    wrong = Scenario.objects.create(name="bad", spec={"name": "bad", "steps": []})
    mix = [{"scenario": made_up.scenario().pk}, {"scenario": wrong.pk}]
    answer = api.post("/api/plans/", plan_body(scenarios=mix))
    assert answer.json() == {"scenarios": ["scenario 'bad': steps: must hold at least one step"]}


@pytest.mark.parametrize("body", [{"crontab": "* * * * *", "zone": "UTC"}, {"evry": 5}])
def test_unknown_keys_of_a_timing_are_named(api: APIClient, body: dict[str, Any]) -> None:
    answer = api.post("/api/schedules/", {"name": "x", "plan": made_up.plan().pk, "when": body})
    assert answer.status_code == 400
    assert any("is not a known field; did you mean" in text for text in answer.json()["when"])


def test_the_keys_of_a_timing_are_listed_in_their_order(api: APIClient) -> None:
    answer = api.post("/api/schedules/", {"name": "x", "plan": made_up.plan().pk, "when": {"qqq": 5}})
    known = "time_zone, crontab, every, at, period, begins, ends"
    assert f'when.qqq: "qqq" is not a known field; known are {known}' in answer.json()["when"]


def test_all_mistakes_in_a_schedule_are_told_at_once(api: APIClient) -> None:
    plan = made_up.plan()
    api.post("/api/schedules/", {"name": "taken", "plan": plan.pk, "when": EVERY})
    plan.load = {"kind": "closed"}
    plan.save()
    when = {"every": 0, "period": "moons", "time_zone": "Moon/Base", "begins": "soon"}
    answer = api.post("/api/schedules/", {"name": "taken", "plan": plan.pk, "when": when})
    found = answer.json()
    assert set(found) == {"name", "plan", "when"}
    wrong = {text.partition(":")[0] for text in found["when"]}
    assert wrong == {"when.every", "when.period", "when.begins", "when.time_zone"}


def test_unknown_keys_of_a_body_are_refused_and_named(api: APIClient) -> None:
    plan = made_up.plan()
    for path, body in (
        ("targets/", TARGET),
        ("scenarios/", SCENARIO),
        ("plans/", plan_body()),
        ("webhooks/", WEBHOOK),
        ("schedules/", {"name": "x", "plan": plan.pk, "when": EVERY}),
        ("runs/", {"plan": plan.pk}),
        ("scenarios/import/", {"text": "Hello\nThere", "filename": "a.txt"}),
        (f"targets/{plan.target_id}/probe/", {"message": "x"}),
    ):
        answer = api.post(f"/api/{path}", {**body, "nonsense": 1})
        assert answer.status_code == 400, path
        assert answer.json()["nonsense"][0].startswith("is not a known field"), path
    assert not Target.objects.filter(name="T").exists()
    answer = api.patch(f"/api/plans/{plan.pk}/", {"treshold": []})
    assert answer.json() == {"treshold": ["is not a known field; did you mean 'thresholds'?"]}


def test_what_takes_no_body_refuses_one(api: APIClient) -> None:
    run = made_up.run(RunStatus.RUNNING)
    made = api.post("/api/schedules/", {"name": "x", "plan": run.plan_id, "when": EVERY}).json()
    hook = api.post("/api/webhooks/", WEBHOOK).json()
    actions = (f"runs/{run.pk}/stop", f"schedules/{made['id']}/pause", f"schedules/{made['id']}/resume")
    for path in (*actions, f"webhooks/{hook['id']}/test"):
        answer = api.post(f"/api/{path}/", {"reason": "tired"})
        assert (answer.status_code, answer.json()) == (400, {"reason": ["is not a known field"]}), path
    assert api.post(f"/api/{actions[1]}/", {}).status_code == 200


def test_a_row_as_it_was_read_may_be_sent_back(api: APIClient) -> None:
    for path, body in (("targets/", TARGET), ("scenarios/", SCENARIO), ("plans/", plan_body()), ("webhooks/", WEBHOOK)):
        made = api.post(f"/api/{path}", body).json()
        assert api.put(f"/api/{path}{made['id']}/", made).status_code == 200, path


def test_parameters_that_no_request_uses_are_refused_at_every_door(api: APIClient, admin_page: Client) -> None:
    text = (
        "temprature: the target's request has no such parameter: it has max_completion_tokens, max_tokens, model,"
        " reasoning_effort, response_format, seed, stop, temperature, tool_choice, tools, top_p; did you mean"
        " 'temperature'?"
    )
    params = {"model": "m", "temprature": 1}
    answer = api.post("/api/targets/", TARGET | {"params": params})
    assert (answer.status_code, answer.json()) == (400, {"params": [text]})
    form = {**TARGET, "params": json.dumps(params), "overrides": "{}"}
    page = admin_page.post("/admin/targets/target/add/", form)
    assert page.context["adminform"].form.errors == {"params": [text]}
    assert not Target.objects.exists()
    own = {"request": {"body": {"t": "{{ params.temprature }}"}}}
    assert api.post("/api/targets/", TARGET | {"params": params, "overrides": own}).status_code == 201


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"name": 5}, "name", "Not a valid string."),
        ({"processes": "2"}, "processes", "A valid integer is required."),
        ({"abort_on_fail": "yes"}, "abort_on_fail", "Must be a valid boolean."),
        ({"target": "1"}, "target", "Incorrect type. Expected pk value, received str."),
        ({"target": True}, "target", "Incorrect type. Expected pk value, received bool."),
        ({"thresholds": [5]}, "thresholds", "Not a valid string."),
        ({"scenarios": [{"scenario": "1"}]}, "scenarios", "scenarios[0].scenario: Incorrect type"),
        ({"scenarios": [{"scenario": 1, "weight": "2"}]}, "scenarios", "scenarios[0].weight: A valid number"),
    ],
)
def test_values_have_the_types_of_json(api: APIClient, fields: dict[str, Any], field: str, says: str) -> None:
    """DRF would read a number as a text and a text as a number: the schema, and clients made of it, know better."""
    plan = made_up.plan()
    answer = api.patch(f"/api/plans/{plan.pk}/", fields, format="json")
    assert answer.status_code == 400
    assert says in answer.json()[field][0]


def test_a_whole_number_may_have_a_point(api: APIClient) -> None:
    """JSON does not tell 2.0 from 2."""
    plan = made_up.plan()
    body = {"target": float(plan.target_id), "processes": 2.0}
    assert api.patch(f"/api/plans/{plan.pk}/", body, format="json").status_code == 200
    refused = api.patch(f"/api/plans/{plan.pk}/", {"target": plan.target_id + 0.5}, format="json")
    assert "received float" in refused.json()["target"][0]


@pytest.mark.parametrize(("given", "status"), [("true", 200), ("False", 200), ("", 200), ("maybe", 400), ("1", 400)])
def test_a_filter_that_is_none_is_refused(api: APIClient, given: str, status: int) -> None:
    answer = api.get(f"/api/webhooks/?enabled={given}")
    assert answer.status_code == status
    if status == 400:
        assert answer.json() == {"enabled": ["give true or false"]}


def test_no_list_passes_over_a_parameter_that_it_does_not_know(api: APIClient) -> None:
    """A filter with a typo would give all rows."""
    run = f"/api/runs/{made_up.run(RunStatus.COMPLETED).pk}"
    lists = [f"/api/{prefix}/" for prefix, _, _ in router.registry]
    assert "/api/audit/" in lists
    for path in [*lists, *(f"{run}/{name}/" for name in ("turns", "sessions", "users", "conversations"))]:
        refused = api.get(f"{path}?since=x&page_siz=3")
        assert (refused.status_code, set(refused.json())) == (400, {"since", "page_siz"}), path
        assert "did you mean 'page_size'?" in refused.json()["page_siz"][0]
        assert api.get(f"{path}?format=json&page_size=3").status_code == 200, path
    assert set(api.get(f"{run}/sessions/?outcome=ok").json()) == {"outcome"}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("at__gte=soon", "at__gte"),
        ("at__lt=2026-13-01", "at__lt"),
        ("outcome=gone", "outcome"),
        ("door=window", "door"),
        ("action=%00", "action"),
        ("user=boss", "user"),
    ],
)
def test_the_audit_log_refuses_filters_that_are_none(api: APIClient, query: str, name: str) -> None:
    refused = api.get(f"/api/audit/?{query}")
    assert (refused.status_code, set(refused.json())) == (400, {name})


def test_a_new_webhook_needs_its_address(api: APIClient) -> None:
    answer = api.post("/api/webhooks/", {"name": "w"}, format="json")
    assert (answer.status_code, answer.json()) == (400, {"url": ["give an address"]})

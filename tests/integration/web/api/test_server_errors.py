"""What once broke the server over the API and the admin's forms is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from inputs.json_limits import MAX_DEPTH
from runs.models import PlanScenario, TestPlan
from targets.models import Target
from tests.integration.web import made_up
from tests.integration.web.api.test_refusals import EVERY, SCENARIO, TARGET, WEBHOOK, plan_body


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/api/workers/", "/api/docs/", "/api/schema/", "/api/health/"])
def test_methods_that_an_address_does_not_have_are_refused(api: APIClient, path: str, method: str) -> None:
    assert getattr(api, method)(path).status_code == 405


@pytest.mark.parametrize("path", ["/api/", "/api/nothing/", "/api/runs/a/b/", "/api/runs/1.5/", "/api/runs/%0A/"])
def test_addresses_that_the_api_does_not_have_are_told_as_json(api: APIClient, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


@pytest.mark.parametrize("size", ["x", "0", "-1", "1.5", "²"])
@pytest.mark.parametrize("path", ["targets/", "runs/{}/turns/", "runs/{}/users/", "schedules/"])
def test_a_size_of_pages_that_is_none_is_refused(api: APIClient, path: str, size: str) -> None:
    address = f"/api/{path.format(made_up.run().pk)}"
    answer = api.get(address, {"page_size": size})
    assert (answer.status_code, answer.json()) == (400, {"page_size": ["give a whole number, at least 1"]})
    assert api.get(address, {"page_size": "9" * 30}).status_code == 200
    assert api.get(address, {"page_size": ""}).status_code == 200, "an empty parameter counts as left out"


def test_the_schema_forbids_keys_that_are_refused(api: APIClient) -> None:
    schemas = api.get("/api/schema/?format=json").json()["components"]["schemas"]
    closed = {name for name, schema in schemas.items() if schema.get("additionalProperties") is False}
    assert {"TargetRequest", "PatchedTargetRequest", "PlanRequest", "MixRequest", "StartRequest"} <= closed


def test_unknown_methods_are_refused(api: APIClient) -> None:
    for path in ("/api/workers/", "/api/runs/", "/api/docs/"):
        assert api.generic("PROPFIND", path).status_code == 405, path
    assert api.options("/api/docs/").status_code == 405
    assert api.options("/api/workers/").status_code == 200


def test_who_is_not_staff_learns_nothing_of_methods(db: None) -> None:
    client = APIClient()
    client.force_login(made_up.user("runs.view_run", staff=False))
    assert client.post("/api/workers/").status_code == 403


@pytest.mark.parametrize(
    "mix", [[{"weight": 1}], [{}], [1], [None], "x", None, [], [{"scenario": None}], [{"scenario": [1]}]]
)
def test_a_changed_mix_is_whole_or_refused(api: APIClient, mix: Any) -> None:
    plan = made_up.plan()
    answer = api.patch(f"/api/plans/{plan.pk}/", {"scenarios": mix})
    assert (answer.status_code, list(answer.json())) == (400, ["scenarios"])
    assert all(isinstance(text, str) for text in answer.json()["scenarios"])
    assert PlanScenario.objects.filter(plan=plan).count() == 1


def test_a_changed_mix_may_leave_its_weights_out(api: APIClient) -> None:
    plan = made_up.plan()
    answer = api.patch(f"/api/plans/{plan.pk}/", {"scenarios": [{"scenario": made_up.scenario().pk}]})
    assert (answer.status_code, answer.json()["scenarios"][0]["weight"]) == (200, 1.0)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900, 1_000, 100_000])
@pytest.mark.parametrize("path", ["targets", "scenarios", "plans", "runs", "schedules", "webhooks", "scenarios/import"])
def test_json_that_is_nested_too_deeply_is_refused(api: APIClient, path: str, levels: int) -> None:
    answer = api.post(f"/api/{path}/", nested(levels), content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"] == f"JSON parse error - it is nested too deeply: at most {MAX_DEPTH} levels"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"name": "\\ud800"}', "holds a text that is not valid Unicode"),
        ('{"\\udfff": 1}', "holds a text that is not valid Unicode"),
        ('{"params": {"seed": 1e999}}', "holds a number that is not finite"),
        ('{"params": {"seed": 18446744073709551616}}', "holds a number that is too large"),
        ('{"params": {"seed": ' + "9" * 5_000 + "}}", "holds a number that is too large"),
        ('{"params": {"seed": NaN}}', "NaN is not JSON"),
        ("\xff", "Expecting value"),
    ],
)
def test_json_that_nothing_can_carry_is_refused(api: APIClient, text: str, problem: str) -> None:
    answer = api.post("/api/targets/", text, content_type="application/json")
    assert answer.status_code == 400
    assert problem in answer.json()["detail"]


def test_a_body_in_an_unknown_encoding_is_refused(api: APIClient) -> None:
    answer = api.post("/api/targets/", "{}", content_type="application/json; charset=klingon")
    assert answer.status_code == 400
    answer = api.generic("POST", "/api/targets/", "\xff\xfe", content_type="application/json")
    assert answer.status_code == 400


def test_a_body_that_is_too_large_is_refused_as_json(api: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = api.post("/api/targets/", TARGET | {"name": "x" * 100})
    assert (answer.status_code, answer.json()) == (413, {"detail": "the body is too large: at most 100 bytes"})


@pytest.mark.parametrize(("field", "page"), [("overrides", "targets/target"), ("params", "targets/target")])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 900, 5_000])
def test_the_admin_refuses_json_that_is_nested_too_deeply(
    admin_page: Client, field: str, page: str, levels: int
) -> None:
    form = {**TARGET, "params": "{}", "overrides": "{}", field: nested(levels)}
    answer = admin_page.post(f"/admin/{page}/add/", form)
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not Target.objects.exists()


def test_the_forms_of_plans_and_scenarios_refuse_it_too(admin_page: Client) -> None:
    for levels in (MAX_DEPTH + 1, 900, 5_000):
        answer = admin_page.post("/admin/scenarios/scenario/add/", {"name": "s", "spec": nested(levels)})
        assert list(answer.context["adminform"].form.errors) == ["spec"]
        answer = admin_page.post("/admin/runs/testplan/add/", {"name": "p", "load": nested(levels)})
        assert "load" in answer.context["adminform"].form.errors


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/v1\nX: y",
        "http://127.0.0.1\r\n:9/v1",
        "http://127.0.0.1:9/v1\tq",
        "http://127.0.0.1:9/a b",
        "http://127.0.0.1:9/a\u2028b",
        "http://127.0.0.1:9/a\x7fb",
        "http://[::1",
        "http://127.0.0.1:99999/",
    ],
)
def test_addresses_that_are_none_are_refused_at_the_url(api: APIClient, admin_page: Client, url: str) -> None:
    answer = api.post("/api/targets/", TARGET | {"url": url})
    assert (answer.status_code, list(answer.json())) == (400, ["url"])
    answer = api.post("/api/webhooks/", WEBHOOK | {"url": url})
    assert (answer.status_code, list(answer.json())) == (400, ["url"])
    page = admin_page.post("/admin/targets/target/add/", {**TARGET, "params": "{}", "overrides": "{}", "url": url})
    assert list(page.context["adminform"].form.errors) == ["url"]


def test_the_answer_to_a_new_row_says_where_it_is(api: APIClient) -> None:
    plan = made_up.plan()
    for path, body in (
        ("targets", TARGET),
        ("scenarios", SCENARIO),
        ("plans", plan_body()),
        ("webhooks", WEBHOOK),
        ("schedules", {"name": "x", "plan": plan.pk, "when": EVERY}),
        ("runs", {"plan": plan.pk}),
    ):
        answer = api.post(f"/api/{path}/", body)
        assert answer.status_code == 201, (path, answer.content)
        address = answer.headers["Location"]
        assert address == f"http://testserver/api/{path}/{answer.json()['id']}/"
        assert api.get(address).json()["id"] == answer.json()["id"]
    assert TestPlan.objects.count() == 2

"""What a plan would come to, in the admin and over the API."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from runs.models import Run, RunStatus
from targets.services import target_spec
from tests.integration.web import made_up

pytestmark = pytest.mark.django_db
PRICES = {"*": {"input": 1.0, "output": 10.0}}


def test_the_api_estimates_a_plan_and_starts_nothing(boss: User) -> None:
    client = APIClient()
    client.force_login(boss)
    plan = made_up.plan()
    plan.load = {"kind": "closed", "users": 4, "conversations": 100, "budget": {"prices": PRICES}}
    plan.save()
    found = client.get(f"/api/plans/{plan.pk}/estimate/").json()
    assert found["turns"] == {"low": 100, "likely": 100, "high": 100}
    assert found["tokens_in"]["likely"] == 200  # "Hello" is two tokens
    assert found["cost"]["likely"] == pytest.approx((200 + 100 * 200 * 10) / 1e6)
    assert any("nothing is known of this target" in text for text in found["assumptions"])
    assert Run.objects.count() == 0


def test_what_the_last_run_showed_is_assumed_of_the_next(boss: User) -> None:
    client = APIClient()
    client.force_login(boss)
    run = made_up.run(RunStatus.COMPLETED)
    assert run.plan is not None
    run.target_spec = target_spec(run.plan.target).frozen_dict()
    run.save()
    made_up.fill(run, seconds=6)
    made_up.finish(run)
    found = client.get(f"/api/plans/{run.plan.pk}/estimate/").json()
    assert f"as in run {run.pk}" in found["assumptions"][0]
    assert run.report is not None
    per_turn_s = (run.report["metrics"]["e2e_ms"]["mean"] or 0) / 1000
    assert found["turns"]["likely"] == pytest.approx(4 * 10 / per_turn_s, rel=0.05)
    assert found["tokens_out"]["likely"] == pytest.approx(30 * found["turns"]["likely"], rel=0.05)


def test_a_run_that_asked_in_another_way_shows_nothing_of_the_next(boss: User) -> None:
    """Streamed answers of the same address take another time, for instance."""
    client = APIClient()
    client.force_login(boss)
    run = made_up.run(RunStatus.COMPLETED)
    assert run.plan is not None
    spec = target_spec(run.plan.target).frozen_dict()
    made_up.fill(run, seconds=6)
    made_up.finish(run)
    for other in (
        {"request": {**spec["request"], "path": "/another"}},
        {"then": [{"name": "fetch", "url": "/jobs"}]},
        {"auto_replies": [{"when": {"path": "ask"}, "body": "yes"}]},
    ):
        run.target_spec = {**spec, **other}
        run.save()
        found = client.get(f"/api/plans/{run.plan.pk}/estimate/").json()
        assert "nothing is known of this target" in found["assumptions"][0], other


def test_a_plan_that_cannot_be_estimated_says_why(boss: User) -> None:
    client = APIClient()
    client.force_login(boss)
    plan = made_up.plan()
    plan.load = {**made_up.LOAD, "budget": {"prices": {"another": PRICES["*"]}}}
    plan.save()
    answer = client.get(f"/api/plans/{plan.pk}/estimate/")
    assert answer.status_code == 400
    assert "there is no price for the model" in answer.json()["plan"][0]


def test_a_bad_budget_is_refused_by_its_name(boss: User) -> None:
    client = APIClient()
    client.force_login(boss)
    load = {**made_up.LOAD, "budget": {"tokens": -5}}
    answer = client.patch(f"/api/plans/{made_up.plan().pk}/", {"load": load}, format="json")
    assert answer.status_code == 400
    assert "budget.tokens" in answer.json()["load"][0]


def test_the_admin_shows_it_beside_the_plan(admin_page: Client) -> None:
    plan = made_up.plan()
    page = admin_page.get(reverse("admin:runs_testplan_change", args=[plan.pk])).content.decode()
    assert "Estimate of a run" in page
    assert "assumed: 4 characters are a token, nothing fails" in page
    assert admin_page.get(reverse("admin:runs_testplan_add")).status_code == 200

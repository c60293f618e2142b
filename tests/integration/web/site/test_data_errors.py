"""What the database cannot hold is refused, in fields of third parties too, and so is a form that is out of date."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from runs.models import PlanScenario
from tests.integration.web import made_up
from tokenburn_site.web.data_errors import CONFLICT, TOO_LARGE

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("number", ["9" * 30, str(2**63), f"-{'9' * 30}"])
@pytest.mark.parametrize(
    ("page", "field"),
    [("auth/group/add", "permissions"), ("targets/credential/add", "users"), ("targets/credential/add", "groups")],
)
def test_a_choice_that_is_larger_than_any_id_is_refused(admin_page: Client, page: str, field: str, number: str) -> None:
    answer = admin_page.post(f"/admin/{page}/", {"name": "x", "origins": '["http://h:1"]', field: [number]})
    assert (answer.status_code, answer.content.decode()) == (400, TOO_LARGE)
    assert not Group.objects.exists()


def test_the_rights_of_a_user_too(admin_page: Client, boss: User) -> None:
    form = {"username": "u", "date_joined_0": "2026-01-01", "date_joined_1": "00:00", "user_permissions": ["9" * 30]}
    assert admin_page.post(f"/admin/auth/user/{boss.pk}/change/", form).status_code == 400


@pytest.mark.parametrize("initial", ["0", "9" * 20])
def test_a_mix_that_no_longer_is_as_the_form_says_is_a_conflict(admin_page: Client, initial: str) -> None:
    plan = made_up.plan()
    (part,) = plan.mix.all()
    form = {
        "name": plan.name, "target": str(plan.target_id), "load": json.dumps(made_up.LOAD), "thresholds": "[]",
        "regions": "[]", "processes": "1", "mix-TOTAL_FORMS": "1", "mix-INITIAL_FORMS": initial,
        "mix-0-scenario": str(part.scenario_id), "mix-0-weight": "2", "mix-0-plan": str(plan.pk),
    }  # fmt: skip
    answer = admin_page.post(f"/admin/runs/testplan/{plan.pk}/change/", form)
    assert answer.status_code in {200, 409}
    if answer.status_code == 409:
        assert answer.content.decode() == CONFLICT
    assert [(one.pk, one.weight) for one in PlanScenario.objects.all()] == [(part.pk, part.weight)]


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/api/audit/", "at__gte"),
        ("/api/audit/", "at__lt"),
        ("/admin/audit/auditevent/", "at__gte"),
        ("/admin/runs/run/", "created_at__lt"),
    ],
)
def test_a_moment_that_no_calendar_has_in_utc_is_refused(
    admin_page: Client, address: str, name: str, value: str
) -> None:
    assert admin_page.get(address, {name: value}).status_code == 400


@pytest.mark.parametrize("year", ["0", "9" * 20])
def test_a_year_that_no_calendar_has_too(admin_page: Client, year: str) -> None:
    assert admin_page.get("/admin/audit/auditevent/", {"at__year": year}).status_code == 400

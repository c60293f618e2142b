"""A new site can be used at once, and what people changed stays as they left it."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from runs.models import TestPlan
from runs.planning.run_request import plan_request
from targets.models import Target
from tokenburn_site.local import first_start
from tokenburn_site.local.errors import LocalServiceError

URL = "http://127.0.0.1:8100/v1"


@pytest.mark.django_db
def test_the_first_start_makes_an_administrator_and_later_ones_leave_everything() -> None:
    password = first_start.ensure_admin(None)
    assert password is not None and len(password) >= 12
    user = get_user_model().objects.get(username="admin")
    assert user.check_password(password) and user.is_staff and user.is_superuser
    assert first_start.ensure_admin(None) is None
    user.refresh_from_db()
    assert user.check_password(password)


@pytest.mark.django_db
def test_a_given_password_is_set_and_not_shown() -> None:
    first = first_start.ensure_admin(None)
    assert first_start.ensure_admin("a chosen password") is None
    user = get_user_model().objects.get(username="admin")
    assert user.check_password("a chosen password") and not user.check_password(first)


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["", "short", "password123", "31415926535897", "administrator"])
def test_a_password_that_the_rules_refuse_changes_nothing(password: str) -> None:
    first = first_start.ensure_admin(None)
    with pytest.raises(LocalServiceError, match="the password of admin is refused: ") as caught:
        first_start.ensure_admin(password)
    assert not password or f" {password} " not in f"{caught.value} "
    assert get_user_model().objects.get(username="admin").check_password(first)


@pytest.mark.django_db
def test_an_administrator_of_another_name_is_enough() -> None:
    get_user_model().objects.create_superuser("root", password="anything at all")
    assert first_start.ensure_admin(None) is None


@pytest.mark.django_db
def test_the_mock_comes_with_a_plan_that_could_be_started() -> None:
    first_start.offer_mock(URL)
    plan = TestPlan.objects.get(name=first_start.MOCK_PLAN)
    plan.target.full_clean()
    assert plan_request(plan).problems() == {}
    assert plan.target.url == URL
    assert [part.scenario.name for part in plan.mix.all()] == [first_start.MOCK_SCENARIO]


@pytest.mark.django_db
def test_later_starts_follow_the_port_and_bring_back_nothing() -> None:
    first_start.offer_mock(URL)
    TestPlan.objects.all().delete()
    first_start.offer_mock("http://127.0.0.1:9999/v1")
    assert Target.objects.get().url == "http://127.0.0.1:9999/v1"
    assert not TestPlan.objects.exists()
    Target.objects.update(url="https://staging.example/v1")
    first_start.offer_mock(URL)
    assert Target.objects.get().url == "https://staging.example/v1"

"""What a request asks the database about a log-in."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts import second_factor
from accounts.models import GroupRule, SecondFactor
from accounts.sessions import Standing, end_all, generation, standing
from tests.integration.web import made_up


def test_it_is_what_the_rows_say(any_database: str, settings: Any) -> None:
    user, other = made_up.user(), made_up.user()
    group = Group.objects.create(name="careful")
    rule = GroupRule.objects.create(group=group, second_factor_required=False)

    def now(**change: Any) -> Standing:
        for name, value in change.items():
            setattr(settings, name, value)
        found = standing(user)
        factor = second_factor.of(user)
        assert found == Standing(generation(user), None if factor is None else factor.pk, second_factor.missing(user))
        return found

    assert now() == Standing(0, None, False)
    end_all(other)
    SecondFactor.objects.create(user=other, confirmed_at=timezone.now())
    assert now() == Standing(0, None, False)
    end_all(user)
    user.groups.add(group)
    assert now() == Standing(1, None, False)
    assert now(REQUIRE_MFA="staff") == now(REQUIRE_MFA="all") == Standing(1, None, True)
    assert now(REQUIRE_MFA="none") == Standing(1, None, False)
    GroupRule.objects.filter(pk=rule.pk).update(second_factor_required=True)
    factor = SecondFactor.objects.create(user=user)
    assert now() == Standing(1, None, True), "it is not confirmed"
    SecondFactor.objects.filter(pk=factor.pk).update(confirmed_at=timezone.now())
    assert now() == now(REQUIRE_MFA="all") == Standing(1, factor.pk, False)
    User.objects.filter(pk=user.pk).delete()
    assert standing(user) == Standing(0, None, True), "deleted a moment ago"


@pytest.mark.django_db
def test_a_request_asks_once() -> None:
    client, asked = Client(), list[str]()
    client.force_login(made_up.user(superuser=True))

    def note(execute: Any, sql: str, *more: Any) -> Any:
        if "accounts_" in sql:
            asked.append(sql)
        return execute(sql, *more)

    with connection.execute_wrapper(note):
        assert client.get("/admin/").status_code == 200
    assert len(asked) == 1

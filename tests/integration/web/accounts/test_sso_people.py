"""Single sign-on: which user somebody is, and which rights the provider gives."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from accounts.models import SsoIdentity
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import logged_in
from tests.integration.web.accounts.single_sign_on import ADA, Provider, configure, refusal, sign_in

pytestmark = pytest.mark.django_db


def test_nobody_becomes_an_existing_user_by_a_name_or_an_address(provider: Provider) -> None:
    boss = made_up.user(superuser=True)
    User.objects.filter(pk=boss.pk).update(username="Boss", email="boss@example.org")
    provider.behave({**ADA, "sub": "evil", "preferred_username": "boss", "email": "boss@example.org"})
    client = Client()
    assert "There is already a user boss" in refusal(client, sign_in(client))
    provider.behave({**ADA, "sub": "evil", "preferred_username": "eve", "email": "boss@example.org"})
    sign_in()
    assert SsoIdentity.objects.get().user.username == "eve"
    assert not User.objects.get(username="eve").is_superuser


def test_only_premade_users_if_so_configured(provider: Provider, settings: Any) -> None:
    configure(settings, provider, create_users=False)
    client, boss = Client(), Client()
    assert "ada is not known here" in refusal(client, sign_in(client))
    user = made_up.user()
    boss.force_login(made_up.user(superuser=True))
    inline = {"sso_identity-TOTAL_FORMS": 1, "sso_identity-INITIAL_FORMS": 0, "sso_identity-0-name": "ada"}
    row = {"username": user.username, "is_active": "on", "is_staff": "on"}
    moment = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    answer = boss.post(f"/admin/auth/user/{user.pk}/change/", {**row, **moment, **inline})
    assert answer.status_code == 302, answer.content.decode()
    sign_in(client)
    assert logged_in(client) and SsoIdentity.objects.get().subject == "ada-1"
    provider.behave({**ADA, "sub": "somebody else"})
    other = Client()
    assert "is not known here" in refusal(other, sign_in(other)), "the name alone counts once"


def test_groups_and_staff_follow_the_claim(provider: Provider, settings: Any) -> None:
    mapping = {"load testers": "operator", "bosses": "lead"}
    configure(settings, provider, groups=mapping, staff=["load testers"])
    client = Client()
    sign_in(client)
    user = User.objects.get()
    user.groups.add(Group.objects.create(name="given here"))
    assert sorted(user.groups.values_list("name", flat=True)) == ["given here", "operator"]
    provider.behave({**ADA, "groups": ["bosses", "load testers"]})
    sign_in(client)
    assert sorted(user.groups.values_list("name", flat=True)) == ["given here", "lead", "operator"]
    provider.behave({**ADA, "groups": ["bosses"]})
    other = Client()
    assert "None of your groups may use this site" in refusal(other, sign_in(other))


def test_a_claim_that_is_missing_changes_nothing(provider: Provider, settings: Any) -> None:
    configure(settings, provider, groups={"load testers": "operator"}, staff=["load testers"])
    sign_in()
    for groups in (None, 7, {"load testers": True}):
        provider.behave({**ADA, "groups": groups})
        client = Client()
        assert "does not tell your groups" in refusal(client, sign_in(client))
    user = User.objects.get()
    assert user.is_staff and user.groups.get().name == "operator"


def test_whoever_is_in_no_group_any_more_loses_everything_at_the_next_log_in(provider: Provider, settings: Any) -> None:
    configure(settings, provider, groups={"load testers": "operator"}, staff=["load testers"])
    here, there = Client(), Client()
    sign_in(here)
    assert logged_in(here)
    provider.behave({**ADA, "groups": []})
    refusal(there, sign_in(there))
    assert not logged_in(here)
    user = User.objects.get()
    assert not user.is_staff and not user.groups.exists()


def test_somebody_without_a_group_is_not_even_made_a_user(provider: Provider, settings: Any) -> None:
    configure(settings, provider, staff=["bosses"])
    client = Client()
    assert "None of your groups" in refusal(client, sign_in(client))
    assert not User.objects.exists() and not SsoIdentity.objects.exists()


def test_a_deactivated_user_stays_out(provider: Provider) -> None:
    sign_in()
    User.objects.update(is_active=False)
    client = Client()
    assert "is deactivated" in refusal(client, sign_in(client))


@pytest.mark.parametrize(
    ("claim", "value", "why"),
    [("preferred_username", "a b", "valid username"), ("email", "nowhere", "valid email address")],
)
def test_a_name_or_an_address_that_cannot_be_stored_is_said(
    claim: str, value: str, why: str, provider: Provider
) -> None:
    provider.behave({**ADA, claim: value})
    client = Client()
    page = refusal(client, sign_in(client))
    assert "Your name or e-mail address at the provider cannot be used here: Enter a valid" in page and why in page
    assert not User.objects.exists()

"""The rules for passwords hold at every door."""

from __future__ import annotations

import getpass
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import logged_in
from tokenburn_site.config.webconf import FAILURES

pytestmark = pytest.mark.django_db
GOOD = "quite a different one 7"
BAD = ["short", "1234567890123", "password1234", "ada-lovelace"]
"""Too short, only digits, common, like the user name."""


def create(monkeypatch: Any, password: str) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
    call_command("createsuperuser", "--noinput", username="ada-lovelace", email="ada@example.org", stdout=StringIO())


@pytest.mark.parametrize("password", BAD)
def test_createsuperuser_without_a_prompt(password: str, monkeypatch: Any) -> None:
    with pytest.raises(CommandError, match=r"password is refused: .* No user was created"):
        create(monkeypatch, password)
    assert not User.objects.exists()
    create(monkeypatch, GOOD)
    assert User.objects.get().check_password(GOOD)


def test_createsuperuser_without_a_password_makes_a_user_without_one(monkeypatch: Any) -> None:
    monkeypatch.delenv("DJANGO_SUPERUSER_PASSWORD", raising=False)
    call_command("createsuperuser", "--noinput", username="ada", email="ada@example.org", stdout=StringIO())
    assert not User.objects.get().has_usable_password()


def test_createsuperuser_at_a_prompt_cannot_be_talked_into_it(monkeypatch: Any) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(getpass, "getpass", lambda *_, **__: "short")
    monkeypatch.setattr(createsuperuser, "input", lambda *_: "y", raising=False)
    with pytest.raises(CommandError, match="too short"):
        call_command(
            "createsuperuser",
            interactive=True,
            username="ada",
            email="ada@example.org",
            stdin=Terminal(),
            stdout=StringIO(),
            stderr=StringIO(),
        )
    assert not User.objects.exists()


@pytest.mark.parametrize("password", BAD)
def test_changepassword(password: str, monkeypatch: Any) -> None:
    User.objects.create_user("ada-lovelace", password=GOOD)
    monkeypatch.setattr(getpass, "getpass", lambda *_, **__: password)
    with pytest.raises(CommandError):
        call_command("changepassword", "ada-lovelace", stdout=StringIO(), stderr=StringIO())
    assert User.objects.get().check_password(GOOD)


@pytest.mark.parametrize("password", BAD)
def test_the_forms_of_the_admin(password: str) -> None:
    user, client = User.objects.create_user("ada-lovelace", password=GOOD, is_staff=True), Client()
    both = {"password1": password, "password2": password, "usable_password": "true"}
    client.force_login(made_up.user(superuser=True))
    client.post(f"/admin/auth/user/{user.pk}/password/", both)
    client.post("/admin/auth/user/add/", {"username": "ada-lovelace-2", **both})
    client.force_login(user)
    new = {"old_password": GOOD, "new_password1": password, "new_password2": password}
    assert client.post("/admin/password_change/", new).status_code == 200
    assert User.objects.get(pk=user.pk).check_password(GOOD)
    assert not User.objects.filter(username="ada-lovelace-2").exists()


def test_the_present_password_cannot_be_guessed_at_an_open_session() -> None:
    user, client = made_up.user(), Client()
    client.force_login(user)
    new = {"new_password1": "a new long password", "new_password2": "a new long password"}
    page = "/admin/password_change/"
    statuses = [client.post(page, {"old_password": "wrong", **new}).status_code for _ in range(FAILURES)]
    assert statuses == [200] * (FAILURES - 1) + [429]
    assert client.post(page, {"old_password": made_up.PASSWORD, **new}).status_code == 429, "the right one neither"
    user.refresh_from_db()
    assert user.check_password(made_up.PASSWORD)
    call_command("axes_reset", verbosity=0)
    assert client.post(page, {"old_password": made_up.PASSWORD, **new})["Location"] == "/admin/password_change/done/"
    assert logged_in(client)

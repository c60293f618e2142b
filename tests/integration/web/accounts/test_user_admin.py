"""With rights on users and groups nobody can become an administrator, nor use the account of one."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db
RIGHTS = [f"{do}_{what}" for do in ("view", "add", "change", "delete") for what in ("user", "group")]


@pytest.fixture
def helper() -> User:
    """Staff with all of Django's rights on users and groups."""
    user = User.objects.create_user("helper", password="a long enough one", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=RIGHTS, content_type__app_label="auth"))
    return user


@pytest.fixture
def client(helper: User) -> Client:
    client = Client()
    client.force_login(helper)
    return client


def state() -> list[Any]:
    users = User.objects.order_by("pk").values_list("username", "password", "is_staff", "is_superuser", "is_active")
    rights = [sorted(user.get_all_permissions()) for user in User.objects.order_by("pk")]
    return [*users, *rights, *Group.objects.values_list("name", "permissions")]


def test_whoever_may_change_users_cannot_become_an_administrator(client: Client, helper: User) -> None:
    boss = User.objects.create_superuser("boss", password="another long one")
    group = Group.objects.create(name="crew")
    helper.groups.add(group)
    every = [str(pk) for pk in Permission.objects.values_list("pk", flat=True)]
    before = state()
    password = {"password1": "chosen by the helper", "password2": "chosen by the helper", "usable_password": "true"}
    attacks: list[tuple[str, list[Any], dict[str, Any]]] = [
        ("user_change", [helper.pk], {"username": "helper", "is_staff": "on", "is_active": "on", "is_superuser": "on"}),
        ("user_change", [helper.pk], {"username": "helper", "is_staff": "on", "user_permissions": every}),
        ("user_password_change", [boss.pk], password),
        ("user_delete", [boss.pk], {"post": "yes"}),
        ("user_add", [], {"username": "new", **password}),
        ("group_change", [group.pk], {"name": "crew", "permissions": every}),
        ("group_add", [], {"name": "all", "permissions": every}),
        ("group_delete", [group.pk], {"post": "yes"}),
    ]
    for page, where, form in attacks:
        assert client.post(reverse(f"admin:auth_{page}", args=where), form).status_code == 403, page
    for do in ("delete_selected", "reset_second_factor", "end_log_ins"):
        client.post(reverse("admin:auth_user_changelist"), {"action": do, "_selected_action": [boss.pk], "post": "yes"})
    assert state() == before


def test_with_the_right_to_view_one_may_look(client: Client, helper: User) -> None:
    for page in (reverse("admin:auth_user_changelist"), reverse("admin:auth_user_change", args=[helper.pk])):
        assert client.get(page).status_code == 200

"""Log-ins end: by time, and with the right that opened them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from accounts import sessions
from accounts.sessions import MARK
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import PAGE, logged_in, password

pytestmark = pytest.mark.django_db


def browser(user: User) -> Client:
    client = Client()
    password(client, user)
    assert logged_in(client)
    return client


def set_back(client: Client, **seconds: float) -> None:
    session = client.session
    session[MARK] = {**session[MARK], **{name: session[MARK][name] - by for name, by in seconds.items()}}
    session.save()


def test_an_idle_log_in_ends(settings: Any) -> None:
    settings.SESSION_IDLE_HOURS = 2
    client = browser(made_up.user())
    set_back(client, seen=7000)
    assert logged_in(client)
    assert time.time() - client.session[MARK]["seen"] < 60, "that was activity"
    set_back(client, seen=7300)
    assert not logged_in(client)


def test_what_a_page_asks_by_itself_is_no_activity() -> None:
    client = browser(made_up.user("runs.view_run"))
    set_back(client, seen=1000)
    client.get("/workers/?part=list", HTTP_SEC_FETCH_DEST="empty")
    assert time.time() - client.session[MARK]["seen"] > 900
    client.get("/workers/", HTTP_SEC_FETCH_DEST="document")
    assert time.time() - client.session[MARK]["seen"] < 60


def test_a_log_in_ends_at_the_latest_after_its_hours(settings: Any) -> None:
    settings.SESSION_MAX_HOURS = 3
    client = browser(made_up.user())
    set_back(client, at=3 * 3600 - 60)
    assert logged_in(client)
    set_back(client, at=120)
    assert not logged_in(client)


def less_staff(user: User) -> None:
    user.is_staff = False
    user.save()
    user.is_staff = True
    user.save()


def one_right_less(user: User) -> None:
    user.user_permissions.clear()


def out_of_a_group(user: User) -> None:
    user.groups.remove(Group.objects.get(name="some"))


def put_out_of_a_group(user: User) -> None:
    Group.objects.get(name="some").user_set.remove(user)


def group_with_less(user: User) -> None:
    Group.objects.get(name="some").permissions.clear()


def group_gone(user: User) -> None:
    Group.objects.get(name="some").delete()


def new_password(user: User) -> None:
    user.set_password("another long password")
    user.save()


def off_and_on(user: User) -> None:
    for active in (False, True):
        user.is_active = active
        user.save()


@pytest.mark.parametrize(
    "change",
    [
        less_staff,
        one_right_less,
        out_of_a_group,
        put_out_of_a_group,
        group_with_less,
        group_gone,
        new_password,
        off_and_on,
        sessions.end_all,
    ],
)
def test_log_ins_end_with_the_right_that_opened_them(change: Any) -> None:
    user, other = made_up.user("targets.view_target"), made_up.user()
    group = Group.objects.create(name="some")
    group.permissions.add(Permission.objects.get(codename="view_run"))
    user.groups.add(group)
    client, others = browser(user), browser(other)
    change(user)
    assert not logged_in(client)
    assert logged_in(others)


def test_more_rights_end_nothing() -> None:
    user = made_up.user()
    client = browser(user)
    user.groups.add(Group.objects.create(name="some"))
    user.user_permissions.add(Permission.objects.get(codename="view_run"))
    user.is_superuser = True
    user.first_name = "Ada"
    user.save()
    assert logged_in(client)


def test_one_ends_ones_other_log_ins() -> None:
    user = made_up.user()
    here, there = browser(user), browser(user)
    here.post(PAGE, {"do": "end_others"})
    assert logged_in(here) and not logged_in(there)


def test_administrators_end_log_ins_of_others() -> None:
    user = made_up.user()
    client, boss, form = browser(user), Client(), {"action": "end_log_ins", "_selected_action": [user.pk]}
    boss.force_login(made_up.user("auth.view_user", "auth.change_user"))
    boss.post("/admin/auth/user/", form)
    assert logged_in(client)
    boss.force_login(made_up.user(superuser=True))
    boss.post("/admin/auth/user/", form)
    assert not logged_in(client)


def test_log_ins_of_an_earlier_version_go_on_and_are_limited_from_now_on() -> None:
    client = browser(made_up.user())
    session = client.session
    del session[MARK]
    session.save()
    assert logged_in(client) and client.session[MARK]["at"] > time.time() - 60

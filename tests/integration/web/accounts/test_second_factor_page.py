"""The page that sets a second factor up: who must have one, who switches it off, and who resets it."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import second_factor
from accounts.models import GroupRule, RecoveryCode, SecondFactor
from accounts.sessions import MARK
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import (
    CODE,
    PAGE,
    enrolled,
    factor_of,
    logged_in,
    password,
    shown,
)
from tokenburn_site.config.webconf import FAILURES

pytestmark = pytest.mark.django_db


def without_a_password(user: User) -> Client:
    """The browser of somebody of single sign-on who has shown the factor."""
    user.set_unusable_password()
    user.save()
    client = Client()
    client.force_login(user)
    session = client.session
    session[MARK] = {**session[MARK], "factor": factor_of(user).pk}
    session.save()
    return client


def test_setting_it_up_shows_a_picture_confirms_and_ends_other_log_ins() -> None:
    user = made_up.user()
    client, other = Client(), Client()
    client.force_login(user)
    other.force_login(user)
    assert b"Set it up" in client.get(PAGE).content
    page = client.post(PAGE, {"do": "begin"}).content.decode()
    assert '<svg width="' in page and "segno" in page and not re.search(r'<(img|script)[^>]*src="https?:', page)
    factor = factor_of(user)
    key = second_factor.key_of(factor)
    assert " ".join(key[at : at + 4] for at in range(0, 32, 4)) in page
    assert client.post(PAGE, {"do": "confirm", "code": "000000"}).content.count(b"tb-qr") == 1
    assert second_factor.of(user) is None and logged_in(other)
    done = client.post(PAGE, {"do": "confirm", "code": shown(factor)})
    codes = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", done.content.decode())
    assert len(codes) == second_factor.RECOVERY_CODES and "no-store" in done["Cache-Control"]
    assert logged_in(client) and not logged_in(other)
    again = client.post(PAGE, {"do": "begin"}).content.decode()
    assert key[:4] not in again and codes[0] not in again, "neither is shown again"


def test_switching_off_and_new_recovery_codes_need_the_password() -> None:
    user, client = made_up.user(), Client()
    codes = enrolled(user)
    password(client, user)
    client.post(CODE, {"code": shown(factor_of(user))})
    for deed in ("remove", "renew"):
        for wrong in ({}, {"password": "wrong"}):
            assert client.post(PAGE, {"do": deed, **wrong}).status_code == 302
    assert RecoveryCode.objects.count() == len(codes)
    assert second_factor.check_recovery(factor_of(user), codes[1])
    page = client.post(PAGE, {"do": "renew", "password": made_up.PASSWORD}).content.decode()
    assert codes[2] not in page and not second_factor.check_recovery(factor_of(user), codes[2])
    client.post(PAGE, {"do": "remove", "password": made_up.PASSWORD})
    assert second_factor.of(user) is None and not RecoveryCode.objects.exists()
    assert logged_in(client)


def test_wrong_passwords_there_count_as_failed_log_ins_of_the_address() -> None:
    user, client = made_up.user(), Client()
    enrolled(user)
    password(client, user)
    client.post(CODE, {"code": shown(factor_of(user))})
    statuses = [client.post(PAGE, {"do": "remove", "password": "wrong"}).status_code for _ in range(FAILURES)]
    assert statuses == [302] * (FAILURES - 1) + [429]
    page = client.post(PAGE, {"do": "remove", "password": made_up.PASSWORD})
    assert page.status_code == 429 and "try again in 15 minutes" in page.content.decode()
    assert second_factor.of(user) is not None


def test_whoever_guesses_codes_there_is_told_to_wait() -> None:
    user = made_up.user()
    enrolled(user)
    client = without_a_password(user)
    SecondFactor.objects.update(failures=second_factor.MOST_FAILURES, failed_at=timezone.now())
    page = client.post(PAGE, {"do": "remove", "code": shown(factor_of(user))}, follow=True).content.decode()
    assert "Too many wrong codes" in page and second_factor.of(user) is not None


@pytest.mark.parametrize("how", ["staff", "all", "group"])
def test_whoever_must_have_one_can_do_nothing_else(how: str, settings: Any) -> None:
    user, client = made_up.user("targets.view_target", "runs.view_run"), Client()
    key = made_up.token(user)
    if how == "group":
        group = Group.objects.create(name="careful")
        GroupRule.objects.create(group=group, second_factor_required=True)
        user.groups.add(group)
    else:
        settings.REQUIRE_MFA = how
    password(client, user)
    for path in ("/admin/", "/admin/targets/target/", "/workers/", "/runs/1/live/", "/admin/accounts/apitoken/add/"):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, PAGE), path
    assert client.get("/api/targets/").status_code == 403
    by_token = APIClient().get("/api/targets/", HTTP_AUTHORIZATION=f"Token {key}")
    assert by_token.status_code == 403 and "second factor" in by_token.json()["detail"]
    assert b"You must set up" in client.get(PAGE).content
    client.post(PAGE, {"do": "begin"})
    client.post(PAGE, {"do": "confirm", "code": shown(factor_of(user))})
    assert client.get("/admin/targets/target/").status_code == 200
    assert APIClient().get("/api/targets/", HTTP_AUTHORIZATION=f"Token {key}").status_code == 200
    client.post(PAGE, {"do": "remove", "password": made_up.PASSWORD})
    assert second_factor.of(user) is not None, "it cannot be switched off"


def test_whoever_has_no_password_proves_it_with_a_code() -> None:
    user = made_up.user()
    enrolled(user)
    client = without_a_password(user)
    page = client.get(PAGE).content.decode()
    assert 'name="code"' in page and 'name="password"' not in page
    client.post(PAGE, {"do": "remove", "password": made_up.PASSWORD})
    client.post(PAGE, {"do": "remove", "code": "000000"})
    assert second_factor.of(user) is not None
    client.post(PAGE, {"do": "remove", "code": shown(factor_of(user))})
    assert second_factor.of(user) is None


def test_a_service_account_without_a_password_keeps_its_tokens(settings: Any) -> None:
    settings.REQUIRE_MFA = "all"
    user = made_up.user("targets.view_target")
    user.set_unusable_password()
    user.save()
    answer = APIClient().get("/api/targets/", HTTP_AUTHORIZATION=f"Token {made_up.token(user)}")
    assert answer.status_code == 200


def test_administrators_reset_it_and_nobody_else() -> None:
    user, client = made_up.user(), Client()
    enrolled(user)
    form = {"action": "reset_second_factor", "_selected_action": [user.pk]}
    client.force_login(made_up.user("auth.view_user", "auth.change_user"))
    client.post("/admin/auth/user/", form)
    assert second_factor.of(user) is not None
    client.force_login(made_up.user(superuser=True))
    client.post("/admin/auth/user/", form)
    assert second_factor.of(user) is None


def test_a_lost_one_is_reset_on_the_server() -> None:
    user = made_up.user()
    for wrong in ("nobody", user.username):
        with pytest.raises(CommandError):
            call_command("reset_second_factor", wrong)
    enrolled(user)
    call_command("reset_second_factor", user.username, stdout=StringIO())
    assert second_factor.of(user) is None


def test_a_group_is_made_careful_on_its_page() -> None:
    group, client = Group.objects.create(name="careful"), Client()
    client.force_login(made_up.user(superuser=True))
    inline = {"rule-TOTAL_FORMS": 1, "rule-INITIAL_FORMS": 0, "rule-0-second_factor_required": "on"}
    answer = client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "careful", **inline})
    assert answer.status_code == 302 and GroupRule.objects.get(group=group).second_factor_required

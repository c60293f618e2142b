"""With a second factor, a password alone opens nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import second_factor
from accounts.models import GroupRule, RecoveryCode, SecondFactor
from accounts.sessions import MARK
from targets.rotation import rotate
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import CODE, LOG_IN, PAGE, enrolled, logged_in, password, shown
from tokenburn_site.config.webconf import FAILURES

pytestmark = pytest.mark.django_db


def factor_of(user: User) -> SecondFactor:
    return SecondFactor.objects.get(user=user)


def test_a_log_in_needs_the_password_and_the_code() -> None:
    user, client = made_up.user(), Client()
    enrolled(user)
    asked = password(client, user, "/admin/password_change/")
    assert (asked.status_code, asked["Location"]) == (302, CODE)
    assert not logged_in(client)
    assert b"one-time-code" in client.get(CODE).content
    assert client.post(CODE, {"code": "000000"}).status_code == 200 and not logged_in(client)
    done = client.post(CODE, {"code": shown(factor_of(user))})
    assert (done.status_code, done["Location"]) == (302, "/admin/password_change/")
    assert logged_in(client)


def test_without_one_the_password_is_enough() -> None:
    user, client = made_up.user(), Client()
    second_factor.begin(user)  # shown, never confirmed
    assert password(client, user)["Location"] == "/admin/"
    assert logged_in(client)


def test_the_page_of_the_code_is_for_those_with_the_password_only() -> None:
    user, client = made_up.user(), Client()
    enrolled(user)
    assert client.get(CODE)["Location"] == LOG_IN
    assert client.post(CODE, {"code": shown(factor_of(user))})["Location"] == LOG_IN
    assert not logged_in(client)


@pytest.mark.parametrize("change", ["late", "password", "inactive"])
def test_the_password_counts_for_a_short_while(change: str, monkeypatch: Any) -> None:
    user, client = made_up.user(), Client()
    enrolled(user)
    password(client, user)
    if change == "password":
        user.set_password("another long password")
        user.save()
    elif change == "inactive":
        User.objects.filter(pk=user.pk).update(is_active=False)
    else:
        session = client.session
        session["accounts.pending"] = {**session["accounts.pending"], "until": 0}
        session.save()
    assert client.post(CODE, {"code": shown(factor_of(user))})["Location"] == LOG_IN
    assert not logged_in(client)


def test_no_code_is_accepted_twice() -> None:
    user = made_up.user()
    enrolled(user)
    code = shown(factor_of(user))
    for expected in (302, 200):
        client = Client()
        password(client, user)
        assert client.post(CODE, {"code": code}).status_code == expected
    assert not second_factor.check(factor_of(user), shown(factor_of(user), -1)), "an earlier one neither"


def test_a_recovery_code_works_once_and_is_stored_nowhere() -> None:
    user = made_up.user()
    codes = enrolled(user)
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    for expected in (302, 200):
        client = Client()
        password(client, user)
        assert client.post(CODE, {"code": f" {codes[0].upper()} "}).status_code == expected
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_recoverycode")
        stored = repr(cursor.fetchall())
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)
    assert second_factor.key_of(factor_of(user)) not in factor_of(user).sealed_secrets


def test_codes_cannot_be_guessed_from_one_address_or_from_many() -> None:
    user = made_up.user()
    enrolled(user)
    answers = []
    for number in range(second_factor.MOST_FAILURES + 1):
        client = Client(REMOTE_ADDR=f"192.0.2.{number}")
        password(client, user)
        answers.append(client.post(CODE, {"code": "123"}).content.decode())
    assert "is wrong" in answers[0] and "Too many wrong codes" in answers[-1]
    client = Client()
    password(client, user)
    assert client.post(CODE, {"code": shown(factor_of(user))}).status_code == 200, "the right one neither"
    SecondFactor.objects.update(failed_at=timezone.now() - second_factor.FAILURES_PAUSE - timedelta(seconds=1))
    assert client.post(CODE, {"code": shown(factor_of(user))}).status_code == 302


def test_wrong_codes_count_as_failed_log_ins_of_the_address(monkeypatch: Any) -> None:
    monkeypatch.setattr(second_factor, "MOST_FAILURES", 1000)
    user, client = made_up.user(), Client()
    enrolled(user)
    password(client, user)
    statuses = [client.post(CODE, {"code": "123"}).status_code for _ in range(FAILURES)]
    assert statuses == [200] * (FAILURES - 1) + [429]
    assert client.post(CODE, {"code": shown(factor_of(user))}).status_code == 429
    assert password(Client(), user).status_code == 429, "one count for all doors"


def test_a_session_that_has_not_shown_the_factor_is_none() -> None:
    """Whatever door made it."""
    user, client = made_up.user(superuser=True), Client()
    enrolled(user)
    client.force_login(user)
    assert not logged_in(client)
    api = APIClient()
    api.force_login(user)
    assert api.get("/api/targets/").status_code == 401


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


def test_a_group_is_made_careful_on_its_page() -> None:
    group, client = Group.objects.create(name="careful"), Client()
    client.force_login(made_up.user(superuser=True))
    inline = {"rule-TOTAL_FORMS": 1, "rule-INITIAL_FORMS": 0, "rule-0-second_factor_required": "on"}
    answer = client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "careful", **inline})
    assert answer.status_code == 302 and GroupRule.objects.get(group=group).second_factor_required


def test_the_keys_of_apps_are_rotated_too(settings: Any) -> None:
    user = made_up.user()
    enrolled(user)
    key, old = second_factor.key_of(factor_of(user)), settings.SECRET_KEYRING
    settings.SECRET_KEYRING = [("new", bytes(32)), *old]
    assert rotate(SecondFactor, second_factor.COLUMN).resealed == 1
    settings.SECRET_KEYRING = [("new", bytes(32))]
    assert second_factor.key_of(factor_of(user)) == key


def test_the_mark_names_the_factor() -> None:
    """A factor that was reset and set up again has to be shown anew."""
    user, client = made_up.user(), Client()
    enrolled(user)
    password(client, user)
    client.post(CODE, {"code": shown(factor_of(user))})
    assert client.session[MARK]["factor"] == factor_of(user).pk
    second_factor.remove(user)
    assert logged_in(client)
    enrolled(user)
    assert not logged_in(client)


def test_whoever_has_no_password_proves_it_with_a_code() -> None:
    """As people of single sign-on."""
    user, client = made_up.user(), Client()
    codes = enrolled(user)
    password(client, user)
    client.post(CODE, {"code": codes[0]})
    user.set_unusable_password()
    user.save()
    client.force_login(user)
    session = client.session
    session[MARK] = {**session[MARK], "factor": factor_of(user).pk}
    session.save()
    page = client.get(PAGE).content.decode()
    assert 'name="code"' in page and 'name="password"' not in page
    client.post(PAGE, {"do": "remove", "password": made_up.PASSWORD})
    client.post(PAGE, {"do": "remove", "code": "000000"})
    assert second_factor.of(user) is not None
    client.post(PAGE, {"do": "remove", "code": shown(factor_of(user))})
    assert second_factor.of(user) is None

"""With a second factor, a password alone opens nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import second_factor
from accounts.models import SecondFactor
from accounts.sessions import MARK
from targets.rotation import rotate
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import (
    CODE,
    LOG_IN,
    enrolled,
    factor_of,
    logged_in,
    password,
    shown,
)
from tokenburn_site.config.webconf import FAILURES

pytestmark = pytest.mark.django_db


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
    assert AccessAttempt.objects.get().failures_since_start == FAILURES, "the wait is not prolonged"


def test_a_session_that_has_not_shown_the_factor_is_none() -> None:
    """Whatever door made it."""
    user, client = made_up.user(superuser=True), Client()
    enrolled(user)
    client.force_login(user)
    assert not logged_in(client)
    api = APIClient()
    api.force_login(user)
    assert api.get("/api/targets/").status_code == 401


def test_one_that_was_reset_a_moment_ago_accepts_nothing() -> None:
    user = made_up.user()
    codes, factor = enrolled(user), factor_of(user)
    second_factor.remove(user)
    assert not second_factor.check_either(factor, shown(factor))
    assert not second_factor.check_either(factor, codes[0])


def test_the_keys_of_apps_are_rotated_too(settings: Any) -> None:
    user = made_up.user()
    enrolled(user)
    key, old = second_factor.key_of(factor_of(user)), settings.SECRET_KEYRING
    settings.SECRET_KEYRING = [("new", bytes(32)), *old]
    assert rotate(SecondFactor, second_factor.COLUMN).resealed == 1
    settings.SECRET_KEYRING = [("new", bytes(32))]
    assert second_factor.key_of(factor_of(user)) == key


def test_without_the_sites_key_a_recovery_code_still_works(settings: Any) -> None:
    user, client = made_up.user(), Client()
    codes, code = enrolled(user), shown(factor_of(user))
    settings.SECRET_KEYRING, settings.REREAD_KEYRING = [("new", bytes(32))], lambda: []
    password(client, user)
    assert "cannot read the key of your app" in client.post(CODE, {"code": code}).content.decode()
    assert factor_of(user).failures == 0
    assert client.post(CODE, {"code": codes[0]}).status_code == 302 and logged_in(client)


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

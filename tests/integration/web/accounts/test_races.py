"""Two at once get no more than one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.db import connection
from django.test import Client

from accounts import second_factor, tokens
from accounts.models import SecondFactor, SsoIdentity
from accounts.sso.people import user_for
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import LOG_IN, enrolled, factor_of, shown
from tokenburn_site.config.oidc import OidcEnv

pytestmark = pytest.mark.usefixtures("any_database")
THREADS = 6


def at_once(deed: Callable[[], Any]) -> list[Any]:
    barrier = Barrier(THREADS)

    def one(_: int) -> Any:
        try:
            barrier.wait(30)
            return deed()
        except (tokens.TokenError, second_factor.CodeRefused):
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


def test_a_code_is_accepted_once() -> None:
    user = made_up.user()
    codes = enrolled(user)
    code = shown(factor_of(user))
    assert sum(at_once(lambda: second_factor.check(factor_of(user), code))) == 1
    assert sum(at_once(lambda: second_factor.check_recovery(factor_of(user), codes[0]))) == 1


@pytest.mark.parametrize(
    ("wrong", "looks"), [("wrong1", 1), ("123", len(second_factor.DRIFT))], ids=["recovery", "app"]
)
def test_guesses_get_no_more_tries_than_the_limit(wrong: str, looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_factor, "MOST_FAILURES", 2)
    user = made_up.user()
    enrolled(user)
    factor, looked = factor_of(user), []

    def slow(function: Callable[..., Any]) -> Callable[..., Any]:
        """All the others arrive while one looks at its code."""

        def look(*given: Any) -> Any:
            looked.append(1)
            time.sleep(0.1)
            return function(*given)

        return look

    for name in ("constant_time_compare", "_digest"):
        monkeypatch.setattr(second_factor, name, slow(getattr(second_factor, name)))
    answers = at_once(lambda: second_factor.check_either(factor, wrong))
    assert sorted(map(str, answers)) == ["False"] * 2 + ["None"] * (THREADS - 2)
    assert len(looked) == 2 * looks
    with pytest.raises(second_factor.CodeRefused):
        second_factor.check(factor, shown(factor, 1))


def test_a_factor_is_begun_once() -> None:
    user = made_up.user()
    keys = at_once(lambda: second_factor.key_of(second_factor.begin(user)))
    assert len(set(keys)) == 1 and SecondFactor.objects.count() == 1


def test_nobody_gets_more_tokens_than_the_limit(monkeypatch: Any) -> None:
    monkeypatch.setattr(tokens, "MOST_TOKENS", 2)
    user = made_up.user()
    made = at_once(lambda: tokens.make(user, "x", []))
    assert sum(token is not None for token in made) == 2


def test_a_token_is_revoked_once() -> None:
    token = tokens.make(made_up.user(), "x", [])
    assert sum(at_once(lambda: tokens.revoke(token))) == 1


def test_passwords_that_come_at_once_get_no_more_tries_than_the_limit(settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT, user = 2, made_up.user()
    wrong = {"username": user.username, "password": "wrong"}
    at_once(lambda: Client().post(LOG_IN, wrong))
    assert AccessAttempt.objects.get().failures_since_start == 2


def test_present_passwords_neither(settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT, user = 2, made_up.user()
    new = {"old_password": "wrong", "new_password1": "a new long password", "new_password2": "a new long password"}

    def guess() -> int:
        client = Client()
        client.force_login(user)
        return client.post("/admin/password_change/", new).status_code

    assert sorted(at_once(guess)) == [200] + [429] * (THREADS - 1), "the second failure is answered so already"
    assert AccessAttempt.objects.get().failures_since_start == 2


def test_a_first_log_in_by_single_sign_on_makes_one_user(settings: Any) -> None:
    settings.OIDC = OidcEnv(issuer="https://sso.example", client_id="x", create_users=True)
    claims = {"sub": "ada-1", "preferred_username": "ada", "email": "ada@example.org"}
    users = at_once(lambda: user_for(claims))
    assert {user.pk for user in users} == {SsoIdentity.objects.get().user_id}

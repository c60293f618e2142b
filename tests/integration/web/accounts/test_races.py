"""Two at once get no more than one after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from accounts import second_factor, tokens
from accounts.models import SecondFactor
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import enrolled, factor_of, shown

pytestmark = pytest.mark.usefixtures("any_database")
THREADS = 6


def at_once(deed: Callable[[], Any]) -> list[Any]:
    barrier = Barrier(THREADS)

    def one(_: int) -> Any:
        try:
            barrier.wait(30)
            return deed()
        except tokens.TokenError:
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

"""The app on a user's phone."""

from __future__ import annotations

import base64
import time
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib.auth.models import User
from django.test import Client

from accounts import second_factor
from accounts.models import SecondFactor
from tests.integration.web import made_up

LOG_IN, CODE, PAGE = "/admin/login/", "/account/log-in/code/", "/account/second-factor/"


def shown(factor: SecondFactor, steps: int = 0) -> str:
    """The code that the app shows now, or so many steps later."""
    totp = TOTP(base64.b32decode(second_factor.key_of(factor)), 6, SHA1(), 30)
    return totp.generate(int(time.time()) + 30 * steps).decode()


def factor_of(user: User) -> SecondFactor:
    return SecondFactor.objects.get(user=user)


def enrolled(user: User) -> list[str]:
    """Give the user a second factor; the code of the step before this one is used up. The recovery codes."""
    codes = second_factor.confirm(second_factor.begin(user), shown(second_factor.begin(user), -1))
    assert codes
    return codes


def password(client: Client, user: User, then: str = "", **more: Any) -> Any:
    given = {"username": user.username, "password": made_up.PASSWORD, "next": then}
    return client.post(LOG_IN, given, **more)


def logged_in(client: Client) -> bool:
    return bool(client.get("/admin/").status_code == 200)

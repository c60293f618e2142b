"""How long a log-in lasts, and who is logged in.

A session holds a mark of its log-in. It ends when its mark says so (too old, idle for too long), when the user's
generation has moved on, and when the user has a second factor that was not shown.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth import login as auth_login
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.db.models import F
from django.http import HttpRequest

from accounts import second_factor
from accounts.models import LogInGeneration, SecondFactor

MARK: Final = "accounts.log_in"
NONE: Final = 0
PROVIDER: Final = -1
"""In place of the id of a second factor: the provider of single sign-on has asked for one."""
HOUR_S: Final = 3600
SEEN_EVERY_S: Final = 60
"""How exactly the last activity is recorded: each record is a write."""

STANDING: Final = """
SELECT generation.number, factor.id, EXISTS (
    SELECT 1 FROM accounts_grouprule AS rule JOIN auth_user_groups AS member ON member.group_id = rule.group_id
    WHERE member.user_id = person.id AND rule.second_factor_required)
FROM auth_user AS person
LEFT JOIN accounts_logingeneration AS generation ON generation.user_id = person.id
LEFT JOIN accounts_secondfactor AS factor ON factor.user_id = person.id AND factor.confirmed_at IS NOT NULL
WHERE person.id = %s"""
"""Each request asks: as queries of models it would be four, which take a tenth of the time of a request."""


def user_of(request: HttpRequest, active: bool = False) -> Any:
    """Who is logged in. `active`: the request counts as activity."""
    user: Any = get_user(request)
    if not user.is_authenticated:
        return user
    mark = request.session.get(MARK)
    if mark is None:  # of a version that made none
        mark = begin(request, user)
    now, found = time.time(), standing(user)
    user.log_in_standing = found
    if _over(mark, now) or mark["generation"] != found.generation or not _factor_shown(mark, found):
        request.session.flush()
        return AnonymousUser()
    if active and now - mark["seen"] > SEEN_EVERY_S:
        request.session[MARK] = {**mark, "seen": now}
    return user


def allowed_user(request: HttpRequest) -> Any:
    """The same, and nobody if the user must first set up a second factor."""
    user = user_of(request)
    return AnonymousUser() if user.is_authenticated and must_set_up(request, user) else user


def must_set_up(request: HttpRequest, user: Any) -> bool:
    """Whether the user of `user_of` has to set up a second factor before anything else."""
    by_provider = settings.OIDC.mfa and request.session.get(MARK, {}).get("factor") == PROVIDER
    return not by_provider and bool(user.log_in_standing.lacks_factor)


def begin(request: HttpRequest, user: Any, factor: int = NONE) -> dict[str, Any]:
    now = time.time()
    mark = {"at": now, "seen": now, "generation": generation(user), "factor": factor}
    request.session[MARK] = mark
    return mark


def log_in(request: HttpRequest, user: Any, backend: str, factor: int = NONE) -> None:
    """The only place where a session gets a user. `factor`: id of the second factor that was shown, or PROVIDER."""
    auth_login(request, user, backend)
    begin(request, user, factor)


def show_factor(request: HttpRequest, factor: SecondFactor) -> None:
    """The user of this very session has shown it."""
    mark = request.session[MARK]
    request.session[MARK] = {**mark, "factor": factor.pk, "generation": generation(factor.user)}


def end_all(user: Any) -> None:
    """Every log-in of the user."""
    with transaction.atomic():
        LogInGeneration.objects.get_or_create(user=user)
        LogInGeneration.objects.filter(user=user).update(number=F("number") + 1)


def end_others(request: HttpRequest, user: Any) -> None:
    end_all(user)
    request.session[MARK] = {**request.session[MARK], "generation": generation(user)}
    request.session.cycle_key()


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides about a log-in besides its own mark."""

    generation: int
    factor: int | None
    """Id of the second factor that the user has confirmed."""
    lacks_factor: bool
    """The user must have one."""


def standing(user: Any) -> Standing:
    with connection.cursor() as cursor:
        cursor.execute(STANDING, [user.pk])
        number, factor, by_group = cursor.fetchone() or (None, None, False)
    lacks = factor is None and (bool(by_group) or second_factor.required_by_setting(user))
    return Standing(number or 0, factor, lacks)


def generation(user: Any) -> int:
    found = LogInGeneration.objects.filter(user_id=user.pk).values_list("number", flat=True).first()
    return found or 0


def _over(mark: dict[str, Any], now: float) -> bool:
    idle, age = now - float(mark["seen"]), now - float(mark["at"])
    return bool(idle > settings.SESSION_IDLE_HOURS * HOUR_S or age > settings.SESSION_MAX_HOURS * HOUR_S)


def _factor_shown(mark: dict[str, Any], found: Standing) -> bool:
    by_provider = mark["factor"] == PROVIDER and settings.OIDC.mfa
    return by_provider or found.factor is None or bool(mark["factor"] == found.factor)

"""How long a log-in lasts, and who is logged in.

A session holds a mark of its log-in. It ends when its mark says so (too old, idle for too long), when the user's
generation has moved on, and when the user has a second factor that was not shown.
"""

from __future__ import annotations

import time
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth import login as auth_login
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
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


def user_of(request: HttpRequest, active: bool = False) -> Any:
    """Who is logged in. `active`: the request counts as activity."""
    user = get_user(request)
    if not user.is_authenticated:
        return user
    mark = request.session.get(MARK)
    if mark is None:  # of a version that made none
        mark = begin(request, user)
    now = time.time()
    if _over(mark, now) or mark["generation"] != generation(user) or not _factor_shown(mark, user):
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
    """Whether the user, who is logged in, has to set up a second factor before anything else."""
    by_provider = settings.OIDC.mfa and request.session.get(MARK, {}).get("factor") == PROVIDER
    return not by_provider and second_factor.missing(user)


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


def generation(user: Any) -> int:
    found = LogInGeneration.objects.filter(user_id=user.pk).values_list("number", flat=True).first()
    return found or 0


def _over(mark: dict[str, Any], now: float) -> bool:
    idle, age = now - float(mark["seen"]), now - float(mark["at"])
    return bool(idle > settings.SESSION_IDLE_HOURS * HOUR_S or age > settings.SESSION_MAX_HOURS * HOUR_S)


def _factor_shown(mark: dict[str, Any], user: Any) -> bool:
    if mark["factor"] == PROVIDER and settings.OIDC.mfa:
        return True
    factor = second_factor.of(user)
    return factor is None or bool(mark["factor"] == factor.pk)

"""Makes, finds and revokes API tokens."""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import NAME_CHARS, START_CHARS, ApiToken
from accounts.scopes import ordered
from audit.services import record

PREFIX: Final = "tb_"
"""By which scanners of source code find a token: `tb_` and 40 letters and digits."""
RANDOM_CHARS: Final = 40
LETTERS: Final = string.ascii_letters + string.digits
MOST_TOKENS: Final = 50
"""Of one user, usable at the same time."""
USED_EVERY: Final = timedelta(minutes=1)
"""How exactly the last use is recorded: a write for each request would cost more than the request."""


class TokenError(ValueError):
    """A token cannot be made; the message says why."""


def digest_of(key: str) -> str:
    """The key has 238 random bits, so that a fast digest cannot be reversed."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def make(user: Any, name: str, scopes: Iterable[str], days: int | None = None) -> ApiToken:
    """The stored token with its `key`, which nobody can show again. Raises TokenError."""
    days = settings.TOKEN_DAYS if days is None else days
    name = name.strip()
    if not 1 <= days <= settings.TOKEN_MAX_DAYS:
        raise TokenError(f"a token is valid for 1 to {settings.TOKEN_MAX_DAYS} days, not {days}")
    if not name or len(name) > NAME_CHARS:
        raise TokenError(f"give the token a name of at most {NAME_CHARS} characters")
    try:
        chosen = ordered(list(scopes))
    except ValueError as exc:
        raise TokenError(str(exc)) from exc
    key = PREFIX + "".join(secrets.choice(LETTERS) for _ in range(RANDOM_CHARS))
    with transaction.atomic():
        # Two at once do not pass the limit together.
        get_user_model()._default_manager.select_for_update().get(pk=user.pk)
        if usable(user).count() >= MOST_TOKENS:
            raise TokenError(f"{user} has {MOST_TOKENS} tokens: revoke those that nothing uses")
        token = ApiToken.objects.create(
            user=user,
            name=name,
            start=key[:START_CHARS],
            digest=digest_of(key),
            scopes=chosen,
            expires_at=timezone.now() + timedelta(days=days),
        )
    token.key = key
    return token


def visible_to(user: Any, rows: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
    """One's own; an administrator sees everybody's."""
    return rows if user.is_superuser else rows.filter(user_id=user.pk)


def usable(user: Any) -> Any:
    return ApiToken.objects.filter(user=user, revoked_at=None, expires_at__gt=timezone.now())


def find(key: str) -> ApiToken | None:
    """The token, if it and its user are still valid. Both are looked up at each request."""
    token = ApiToken.objects.select_related("user").filter(digest=digest_of(key)).first()
    if token is None or token.state != "active" or not (token.user.is_active and token.user.is_staff):
        return None
    return token


def note_use(token: ApiToken, address: str | None) -> None:
    now = timezone.now()
    if token.last_used_at is not None and address == token.last_used_from and now - token.last_used_at < USED_EVERY:
        return
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=now, last_used_from=address)


def revoke(token: ApiToken) -> bool:
    """Whether this call revoked it."""
    done = bool(ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()))
    if done:
        record("apitoken.revoke", on=token)
    return done

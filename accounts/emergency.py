"""A link that logs one user in once: for whoever has the server's command line when passwords and single sign-on do not
work."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.signing import BadSignature, TimestampSigner
from django.utils.crypto import constant_time_compare, salted_hmac

LINK_S: Final = 300
SALT: Final = "accounts.emergency"


def key_for(user: Any) -> str:
    return TimestampSigner(salt=SALT).sign(f"{user.pk}:{_state(user)}")


def user_of(key: str) -> Any:
    """Nobody, if the key is not genuine, too old, or was used."""
    try:
        pk, _, state = TimestampSigner(salt=SALT).unsign(key, max_age=LINK_S).partition(":")
    except BadSignature:
        return None
    user = get_user_model()._default_manager.filter(pk=pk, is_active=True).first()
    return user if user is not None and constant_time_compare(_state(user), state) else None


def _state(user: Any) -> str:
    """Changes with each log-in and each change of the password."""
    return salted_hmac(SALT, f"{user.pk} {user.last_login} {user.password}", algorithm="sha256").hexdigest()

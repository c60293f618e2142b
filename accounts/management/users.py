"""Users that commands name."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from plain_text.visible import visible


def named(name: str) -> Any:
    """Raises CommandError."""
    user = get_user_model()._default_manager.filter(username=name).first()
    if user is None:
        raise CommandError(f"there is no user {visible(name)}")
    return user

"""Looks again, while something lasts, whether its user may still see it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accounts.sessions import allowed_user
from runs.permissions import may_read_texts, may_view

LOOK_EVERY_S = 3.0
"""How often the database is asked."""


class NoLongerAllowed(Exception):
    """Ends a download in the middle, so that the file is seen to be incomplete."""


def present_user(session_key: str | None) -> Any:
    """From the database: meanwhile the session may have ended (a logout, a new password), and its user may have lost
    rights."""
    request = HttpRequest()  # `allowed_user` reads the session of one
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return allowed_user(request)


def while_allowed(request: HttpRequest, pieces: Iterator[str | bytes]) -> Iterator[str | bytes]:
    """The pieces of a run's file, as long as the user may see as much as at its begin. Raises NoLongerAllowed."""
    key, texts, looked = request.session.session_key, may_read_texts(request.user), time.monotonic()
    for piece in pieces:
        if time.monotonic() - looked >= LOOK_EVERY_S:
            user = present_user(key)
            if not may_view(user) or (texts and not may_read_texts(user)):
                raise NoLongerAllowed
            looked = time.monotonic()
        yield piece

"""Log-ins, log-outs, and what was tried in vain."""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

from audit.description import short
from audit.services import record, record_refusal

NO_USER: Final = "(API token)"
"""Stands for the user name where a token was wrong: it belongs to nobody."""


def connect() -> None:
    user_logged_in.connect(_logged_in, dispatch_uid="audit.login")
    user_logged_out.connect(_logged_out, dispatch_uid="audit.logout")
    user_login_failed.connect(_failed, dispatch_uid="audit.login_failed")
    if apps.is_installed("axes"):
        from axes.signals import user_locked_out

        user_locked_out.connect(_locked_out, dispatch_uid="audit.locked_out")


def _logged_in(request: Any = None, user: Any = None, **_: Any) -> None:
    record("login", request=request, user=user)


def _logged_out(request: Any = None, user: Any = None, **_: Any) -> None:
    if user is not None:
        record("logout", request=request, user=user)


def _failed(credentials: dict[str, Any], request: Any = None, **_: Any) -> None:
    record_refusal("login", request=request, details=_whose(credentials.get("username")))


def _locked_out(request: Any = None, username: Any = None, **_: Any) -> None:
    record_refusal("login.locked", request=request, details=_whose(username))


def _whose(name: Any) -> dict[str, Any]:
    """The name that was typed, if it is one: some people type their password there."""
    text = str(name or "")
    if text == NO_USER:
        return {"name": short(text)}
    users = get_user_model()._default_manager
    known = "\0" not in text and users.filter(**{get_user_model().USERNAME_FIELD: text}).exists()
    return {"name": short(text)} if known else {}

"""Permissions to view, start and stop runs: staff, by Django's model permissions."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from inputs.admin_lookups import READ_TEXTS

CONTROL = "runs.change_run"
"""Starting and stopping need this permission in addition to being staff."""


def may_view(user: AbstractBaseUser | AnonymousUser) -> bool:
    return has_right(user, "runs.view_run") or has_right(user, CONTROL)


def may_read_texts(user: AbstractBaseUser | AnonymousUser) -> bool:
    return may_view(user) and has_right(user, READ_TEXTS)


def may_control(user: AbstractBaseUser | AnonymousUser) -> bool:
    return has_right(user, CONTROL)


def has_right(user: AbstractBaseUser | AnonymousUser, permission: str) -> bool:
    """Groups outlive the tick "staff", by which people are demoted: without it no right counts, as in admin and API."""
    staff = bool(user.is_active) and bool(getattr(user, "is_staff", False))
    return staff and bool(getattr(user, "has_perm", lambda _: False)(permission))

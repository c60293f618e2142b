"""What takes from a user what they may see, in the middle of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from tests.integration.web import made_up


def _lose(permission: str, person: User) -> None:
    person.user_permissions.remove(made_up.permission(permission))


def _deactivate(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)


def _demote(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_staff=False)


def _log_out(person: User) -> None:
    Session.objects.all().delete()


def _change_password(person: User) -> None:
    person.set_password("another long password")
    person.save()


def _delete(person: User) -> None:
    person.delete()


TEXTS: Final = "the right to read texts"
LOSSES: Final[dict[str, Callable[[User], None]]] = {
    "the right to see runs": partial(_lose, "runs.view_run"),
    TEXTS: partial(_lose, "runs.view_texts"),
    "an active account": _deactivate,
    "the tick staff": _demote,
    "the log-in": _log_out,
    "the password": _change_password,
    "the account": _delete,
}
"""By what is lost."""

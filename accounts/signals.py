"""Log-ins begin with a mark, and end when their user loses a right."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import m2m_changed, pre_delete, pre_save

from accounts.sessions import begin, end_all

RIGHTS = ("is_active", "is_staff", "is_superuser")
LESS = {"post_remove", "pre_clear"}


def connect() -> None:
    user_logged_in.connect(_logged_in, dispatch_uid="accounts.logged_in")
    pre_save.connect(_saved, sender=User, dispatch_uid="accounts.saved")
    for through in (User.groups.through, User.user_permissions.through):
        m2m_changed.connect(_less_of_users, sender=through, dispatch_uid=f"accounts.{through.__name__}")
    m2m_changed.connect(_less_of_groups, sender=Group.permissions.through, dispatch_uid="accounts.group_permissions")
    pre_delete.connect(_group_deleted, sender=Group, dispatch_uid="accounts.group_deleted")


def _logged_in(request: Any, user: Any, **_: Any) -> None:
    begin(request, user)


def _saved(instance: Any, **_: Any) -> None:
    before = User.objects.filter(pk=instance.pk).values(*RIGHTS).first() if instance.pk else None
    if before and any(before[right] and not getattr(instance, right) for right in RIGHTS):
        end_all(instance)


def _less_of_users(instance: Any, action: str, reverse: bool, pk_set: set[int] | None, model: Any, **_: Any) -> None:
    """`reverse`: written from the group or the permission."""
    if action not in LESS:
        return
    if not reverse:
        end_all(instance)
        return
    users = User.objects.filter(pk__in=pk_set) if pk_set is not None else instance.user_set.all()
    for user in users:
        end_all(user)


def _less_of_groups(instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **_: Any) -> None:
    if action not in LESS:
        return
    groups = [instance]
    if reverse:
        groups = list(Group.objects.filter(pk__in=pk_set) if pk_set is not None else instance.group_set.all())
    for group in groups:
        _group_deleted(group)


def _group_deleted(instance: Any, **_: Any) -> None:
    for user in instance.user_set.all():
        end_all(user)

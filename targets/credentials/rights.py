"""Who may do what with a credential.

- use: send its values to its origins, by a test message or a run. Owner, listed users and groups, whoever has the
  permission `use_credential`.
- edit: change its name, values and origins. Owner, and whoever has `change_credential`.
- share: change who may use it. Whoever may edit it and use it: editors cannot make themselves users.
- delete: owner, and whoever has `delete_credential`.
- read the values: nobody.
"""

from __future__ import annotations

from typing import Final, TypeGuard

from django.contrib.auth import models as auth
from django.db.models import Q, QuerySet

from policy.limits import User
from targets.credentials.models import Credential

USE: Final = "targets.use_credential"
EDIT: Final = "targets.change_credential"
DELETE: Final = "targets.delete_credential"
VIEW: Final = "targets.view_credential"
CREATE: Final = ("targets.add_credential", "targets.add_target", "targets.change_target")
"""One of these: what people enter is their own, so whoever may write targets may."""


def may_use(user: User, credential: Credential) -> bool:
    return _owns(user, credential) or _has(user, USE) or _own_or_listed(user).filter(pk=credential.pk).exists()


def may_edit(user: User, credential: Credential) -> bool:
    return _owns(user, credential) or _has(user, EDIT)


def may_share(user: User, credential: Credential) -> bool:
    return may_edit(user, credential) and may_use(user, credential)


def may_delete(user: User, credential: Credential) -> bool:
    return _owns(user, credential) or _has(user, DELETE)


def may_create(user: User) -> bool:
    return any(_has(user, permission) for permission in CREATE)


def visible(user: User) -> QuerySet[Credential]:
    """Those whose names and origins somebody may see: their own, those that they may use, or all."""
    if any(_has(user, permission) for permission in (USE, EDIT, DELETE, VIEW)):
        return Credential.objects.all()
    return _own_or_listed(user)


def usable(user: User) -> QuerySet[Credential]:
    """Those that somebody may use."""
    return Credential.objects.all() if _has(user, USE) else _own_or_listed(user)


def _own_or_listed(user: User) -> QuerySet[Credential]:
    rows = Credential.objects.all()
    if not _active(user):
        return rows.none()
    mine = rows.filter(Q(owner=user) | Q(users=user) | Q(groups__user=user))
    return rows.filter(pk__in=mine.values("pk"))  # each once


def _owns(user: User, credential: Credential) -> bool:
    return _active(user) and credential.owner_id is not None and credential.owner_id == user.pk


def _active(user: User) -> TypeGuard[auth.User]:
    return user is not None and user.is_authenticated and user.is_active


def _has(user: User, permission: str) -> bool:
    return _active(user) and user.has_perm(permission)

"""Who may do what with a credential.

- use: send its values to its origins, by a test message or a run. Owner, listed users and groups, whoever has the
  permission `use_credential`.
- edit: change its name, values and origins. Owner, and whoever has `change_credential`.
- share: change who may use it. Whoever may edit it and use it: editors cannot make themselves users.
- delete: owner, and whoever has `delete_credential`.
- read the values: nobody.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, QuerySet

from targets.credentials.models import Credential

USE: Final = "targets.use_credential"
EDIT: Final = "targets.change_credential"
DELETE: Final = "targets.delete_credential"
VIEW: Final = "targets.view_credential"
CREATE: Final = ("targets.add_credential", "targets.add_target", "targets.change_target")
"""One of these: what people enter is their own, so whoever may write targets may."""
User = AbstractBaseUser | AnonymousUser | None


def may_use(user: User, credential: Credential) -> bool:
    return _owns(user, credential) or _has(user, USE) or (_active(user) and _is_listed(user, credential))


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
    rows = Credential.objects.all()
    if any(_has(user, permission) for permission in (USE, EDIT, DELETE, VIEW)):
        return rows
    return _own_or_listed(rows, user)


def usable(user: User) -> QuerySet[Credential]:
    """Those that somebody may use."""
    rows = Credential.objects.all()
    return rows if _has(user, USE) else _own_or_listed(rows, user)


def _own_or_listed(rows: QuerySet[Credential], user: User) -> QuerySet[Credential]:
    if not _active(user):
        return rows.none()
    own: Any = user
    mine = Q(owner=own) | Q(pk__in=own.shared_credentials.all()) | Q(groups__in=own.groups.all())
    return rows.filter(pk__in=rows.filter(mine).values("pk"))


def _is_listed(user: User, credential: Credential) -> bool:
    assert user is not None  # noqa: S101 - it is active
    listed: Any = user
    return (
        credential.users.filter(pk=listed.pk).exists()
        or credential.groups.filter(pk__in=listed.groups.values("pk")).exists()
    )


def _owns(user: User, credential: Credential) -> bool:
    return _active(user) and credential.owner_id is not None and credential.owner_id == getattr(user, "pk", None)


def _active(user: User) -> bool:
    return user is not None and user.is_authenticated and bool(user.is_active)


def _has(user: User, permission: str) -> bool:
    return _active(user) and bool(getattr(user, "has_perm", lambda _: False)(permission))

"""Credentials of targets for tests, and somebody who may use every one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib.auth.models import User

from targets.binding import led_to
from targets.models import Credential, Target


def boss() -> User:
    """An administrator, whoever else there is."""
    return User.objects.get_or_create(username="boss of tests", defaults={"is_staff": True, "is_superuser": True})[0]


def keep(
    target: Target, values: Mapping[str, str], *, owner: User | None = None, origins: Sequence[str] | None = None
) -> Credential:
    """Give the stored target these secrets, which may go to where it leads."""
    credential = target.credential or Credential(name=target.name, owner=owner, origins=list(led_to(target)))
    if origins is not None:
        credential.origins = list(origins)
    credential.set_secrets(dict(values))
    credential.save()
    target.credential = credential
    target.save()
    return credential

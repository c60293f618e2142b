"""What tells this installation from others on the same broker."""

from __future__ import annotations

import secrets
from typing import Any

from django.apps import apps as global_apps
from django.db import models


class Installation(models.Model):
    """One row, made with the database. Copies of a database are the same installation."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    name = models.CharField(max_length=32)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


def make_installation(using: str, apps: Any = global_apps, **_: Any) -> None:
    """After `migrate` and `flush`: makes the row if it is missing. `apps` are those of the state that was reached."""
    try:
        model = apps.get_model("runs", "Installation")
    except LookupError:  # migrated back to before it
        return
    model.objects.using(using).get_or_create(id=1, defaults={"name": secrets.token_hex(8)})

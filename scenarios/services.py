"""What is done with scenarios in the database."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.db import models, transaction

from scenarios.importers import library
from scenarios.models import Scenario


def sync_library(using: str = "default", model: type[models.Model] = Scenario) -> int:
    """Bring the database's library to that of the code: create what is missing, renew what has changed.

    A row of somebody's own is left alone, even if it has the name of a library scenario. A library scenario that
    no longer comes with the code stays: plans may use it. Returns how many rows were written.

    `model` is the Scenario of the state that a migration has reached.
    """
    written = 0
    rows: models.Manager[Any] = model._default_manager
    with transaction.atomic(using=using):
        for spec in library():
            fields = {"description": spec.description, "spec": spec.model_dump(mode="json")}
            row, created = rows.using(using).get_or_create(name=spec.name, defaults={**fields, "builtin": True})
            changed = row.builtin and any(getattr(row, name) != value for name, value in fields.items())
            if changed:
                for name, value in fields.items():
                    setattr(row, name, value)
                row.save(using=using, update_fields=[*fields, "updated_at"])
            written += created or changed
    return written


def sync_after_migrate(using: str, apps: Apps | None = None, **_: object) -> None:
    """The receiver of post_migrate: it comes after `migrate` and `flush`, on a database at any state of migration."""
    if apps is None:
        sync_library(using)
        return
    try:
        model = apps.get_model("scenarios", "Scenario")
    except LookupError:  # migrated back to nothing
        return
    sync_library(using, model)

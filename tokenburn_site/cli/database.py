"""Prepares the database for a run. SQLite is migrated automatically; PostgreSQL is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pkgutil import iter_modules

from django.apps import apps
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import DatabaseError

from runs.database_name import database_name
from runs.db_clock import DATABASE_AWAY
from tokenburn_site.cli.errors import CannotRun
from tokenburn_site.local.migrating import one_at_a_time

SERVER_ADVICE = "check DATABASE_URL, and that the server runs"
FILE_ADVICE = "check that no other program holds its lock, and that the disk has room"


def ensure_database() -> None:
    """Raises CannotRun if the database cannot be reached or is not migrated."""
    try:
        if connection.vendor == "sqlite":
            with one_at_a_time():
                if _pending():
                    call_command("migrate", verbosity=0, interactive=False)
        elif _pending():
            raise CannotRun("the database is not up to date: run `manage.py migrate` first")
    except OperationalError as exc:
        what = SERVER_ADVICE
        if connection.vendor == "sqlite":
            what = f"check that {connection.settings_dict['NAME']} can be written"
        raise CannotRun(f"the {database_name()} cannot be used: {exc}; {what}") from exc
    except DatabaseError as exc:
        raise CannotRun(f"the database could not be brought up to date: {exc}; run `manage.py migrate`") from exc


@contextmanager
def database_needed(then: str) -> Iterator[None]:
    """If the database becomes unavailable inside, prints one line that says what to do, including `then`. Raises
    CannotRun."""
    try:
        yield
    except DATABASE_AWAY as exc:
        what = FILE_ADVICE if connection.vendor == "sqlite" else SERVER_ADVICE
        raise CannotRun(f"the {database_name()} cannot be used any more: {exc}; {what}, {then}") from exc


def _pending() -> bool:
    """Whether migrations are to be applied. If their names say that all are, none is read: reading them takes a tenth
    of the time that a short `burn` needs."""
    if _migration_names() <= MigrationRecorder(connection).applied_migrations().keys():
        return False
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _migration_names() -> set[tuple[str, str]]:
    """App and name of each file that Django would read as a migration."""
    found = set()
    for app in apps.get_app_configs():
        package, _ = MigrationLoader.migrations_module(app.label)
        spec = find_spec(package) if package else None
        folders = (spec and spec.submodule_search_locations) or ()
        found |= {(app.label, file.name) for file in iter_modules(folders) if file.name[0] not in "_~"}
    return found

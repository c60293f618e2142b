"""The same test on SQLite and on PostgreSQL, in one process.

How: Django looks up "default" in `connections` at each query, so the fixture puts another configuration there for
the length of one test. Code under test, threads it starts and (through `child_env`) child processes all follow. The
database is migrated once per test process and emptied after each test; the test's transactions really commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, connections, transaction

from audit.models import AuditChain
from runs.models import Installation
from tokenburn_site.config.env import database_config

INSTALLATION = "0123456789abcdef"
ENGINES = {"sqlite": "django.db.backends.sqlite3", "postgresql": "django.db.backends.postgresql"}


def default_is(vendor: str) -> bool:
    return bool(connections.settings["default"]["ENGINE"] == ENGINES[vendor])


def configuration(url: str) -> dict[str, Any]:
    """A complete entry for `connections.settings`, with what the product sets for SQLite."""
    settled = ("ATOMIC_REQUESTS", "AUTOCOMMIT", "TIME_ZONE", "TEST")  # defaults that Django fills in when it starts
    return {**{key: connections.settings["default"][key] for key in settled}, **database_config(url)}


def sqlite_url(name: str) -> str:
    return f"sqlite:///{Path(settings.VAR_DIR) / name}"


@contextmanager
def as_default(config: dict[str, Any]) -> Iterator[None]:
    """Everything in here that uses "default" uses `config`."""
    kept, kept_connection = connections.settings["default"], connections["default"]
    connections.settings["default"] = config
    connections["default"] = connections.create_connection("default")
    ContentType.objects.clear_cache()
    try:
        yield
    finally:
        connections["default"].close()
        connections.settings["default"] = kept
        connections["default"] = kept_connection
        ContentType.objects.clear_cache()


def migrate() -> None:
    call_command("migrate", verbosity=0, interactive=False)
    remember()


def write_migrated(file: Path) -> None:
    """An SQLite database as `migrate` leaves it; to be called while nothing else is in "default"."""
    with as_default(configuration(f"sqlite:///{file}")):
        migrate()


def remember() -> None:
    """What is in the database now is what `empty` leaves there. All databases of the tests are one installation, which
    also tests know that use none."""
    Installation.objects.update(name=INSTALLATION)
    _first_rows[_name()] = {
        table: _rows(table) for table in connection.introspection.django_table_names(only_existing=True)
    }


def empty() -> None:
    """Delete all rows but those that `migrate` made. Django's own `flush` does the same at fifty times the cost: it
    makes permissions and whatever else comes with a migration anew."""
    with transaction.atomic(), connection.cursor() as cursor:
        AuditChain.objects.update_or_create(id=1, defaults={"pruning": 2**63 - 1})  # else triggers keep the events
        kept = {table: rows for table, rows in _first_rows[_name()].items() if rows}
        changed = [table for table, rows in kept.items() if _rows(table) != rows]
        emptied = ["audit_auditevent", *(table for table in _first_rows[_name()] if table not in kept), *changed]
        deletes = [f"DELETE FROM {connection.ops.quote_name(table)}" for table in emptied]
        together = connection.vendor == "postgresql"  # a message to a server costs more than what it says
        for statement in ["; ".join(deletes)] if together else deletes:
            cursor.execute(statement)
        for table in changed:
            places = ", ".join(["%s"] * len(kept[table][0]))
            cursor.executemany(f"INSERT INTO {connection.ops.quote_name(table)} VALUES ({places})", kept[table])


_first_rows: dict[str, dict[str, list[tuple[Any, ...]]]] = {}
"""By name of the database and table."""


def _name() -> str:
    return str(connection.settings_dict["NAME"])


def _rows(table: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} ORDER BY 1")
        return list(cursor.fetchall())

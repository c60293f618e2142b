"""Triggers that refuse changes of events, for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connections

TABLE = "audit_auditevent"
SAID = "uid, at, user_key, user_name, token, action, kind, key, text, outcome, door, address, user_agent, details"
REFUSED = "the audit log is append-only"
RAISE = f"RAISE EXCEPTION '{REFUSED}';"
SEALED = "OLD.sequence IS NOT NULL OR OLD.digest IS NOT NULL"
KEPT = "COALESCE(OLD.sequence, 9223372036854775807) > COALESCE((SELECT MAX(pruning) FROM audit_auditchain), 0)"
"""A condition of one table that only `audit.retention` makes false, for the length of its transaction."""
SAME = f"EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id OR uid = NEW.uid OR sequence = NEW.sequence)"  # noqa: S608  constants
"""SQLite's INSERT OR REPLACE deletes without asking the triggers of DELETE."""
TAKEN = f"EXISTS (SELECT 1 FROM {TABLE} WHERE id <> OLD.id AND (uid = NEW.uid OR sequence = NEW.sequence))"  # noqa: S608  constants
"""So does its UPDATE OR REPLACE; and UPDATE OF id does not see `SET rowid`, which is the same column."""
RULES = {
    "audit_no_change": (f"UPDATE OF id, {SAID}", "1 = 1"),
    "audit_no_move": ("UPDATE", f"NEW.id <> OLD.id OR {TAKEN}"),
    "audit_no_reseal": ("UPDATE OF sequence, digest", SEALED),
    "audit_no_delete": ("DELETE", KEPT),
    "audit_no_replace": ("INSERT", SAME),
}


def ensure(using: str, **_: Any) -> None:
    """After `migrate`: makes the triggers anew, which a migration that rewrites the table takes away on SQLite."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):  # migrated back
            return
        for statement in _postgresql() if connection.vendor == "postgresql" else _sqlite():
            cursor.execute(statement)


def _sqlite() -> Iterator[str]:
    for name, (what, when) in RULES.items():
        yield f"DROP TRIGGER IF EXISTS {name}"
        yield f"CREATE TRIGGER {name} BEFORE {what} ON {TABLE} WHEN {when} BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"


def _postgresql() -> Iterator[str]:
    """A trigger's own WHEN may hold no subquery there."""
    for name, (what, when) in RULES.items():
        yield _function(name, f"IF {when} THEN {RAISE} END IF; RETURN {'OLD' if what == 'DELETE' else 'NEW'};")
        yield f"CREATE OR REPLACE TRIGGER {name} BEFORE {what} ON {TABLE} FOR EACH ROW EXECUTE FUNCTION {name}()"
    name = "audit_no_truncate"
    yield _function(name, RAISE)
    yield f"CREATE OR REPLACE TRIGGER {name} BEFORE TRUNCATE ON {TABLE} EXECUTE FUNCTION {name}()"


def _function(name: str, body: str) -> str:
    return f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"

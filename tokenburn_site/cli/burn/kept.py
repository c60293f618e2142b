"""Checks whether the database that stored a run is still in place.

SQLite goes on writing to a file that was deleted: everything succeeds, and is gone with the process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from django.db import connection

from runs.database_name import database_name
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.models import Run

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class FileId(NamedTuple):
    device: int
    inode: int


def database_file() -> FileId | None:
    """Identity of the SQLite database file now; None: there is no file, or another kind of database."""
    if connection.vendor != "sqlite":
        return None
    try:
        found = Path(connection.settings_dict["NAME"]).stat()
    except OSError:
        return None
    return FileId(found.st_dev, found.st_ino)


def is_lost(run: Run, opened: FileId | None) -> bool:
    """Whether the database, opened anew, lacks the run as it is known here. `opened`: the file when the run was
    requested."""
    if opened is None:
        return False
    return database_file() != opened or not _is_found(run)


def _is_found(run: Run) -> bool:
    """Uses a separate connection, which also detects a deleted log (WAL)."""
    uri = f"{Path(connection.settings_dict['NAME']).absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as fresh:
            row = fresh.execute(f'SELECT status FROM "{Run._meta.db_table}" WHERE id = ?', [run.pk]).fetchone()  # noqa: S608  a name of our own
    except sqlite3.DatabaseError as exc:
        return getattr(exc, "sqlite_errorcode", None) in _BUSY
    return row is not None and (run.status not in RUN_TERMINAL or row[0] == run.status)


def lost_words(run: Run, ledgers: Sequence[str]) -> str:
    """One line for stderr."""
    kept = f"; its ledgers hold everything: {', '.join(ledgers)}" if ledgers else ""
    return (
        f"the {database_name()} was deleted or replaced during run {run.pk}: the run is not stored there, and no "
        f"page shows it{kept}"
    )

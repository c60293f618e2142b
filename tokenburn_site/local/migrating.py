"""Serializes migrations: two processes that start together on a new database would both create its tables."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import OperationalError, connection

LOCK_SUFFIX: Final = ".migrating"
"""Suffix of the lock file beside a SQLite database."""
ADVISORY_LOCK: Final = 0x746F6B656E6275
"""PostgreSQL advisory lock: an arbitrary number."""


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Waits until no other process is in here for this database; the lock ends with its holder. Opens no SQLite
    database: its first opening already changes a new one. Raises DatabaseError."""
    if connection.vendor == "sqlite":
        name = str(connection.settings_dict["NAME"])
        in_memory = not name or name == ":memory:" or "mode=memory" in name
        if in_memory:
            yield
            return
        with _file_lock(name + LOCK_SUFFIX):
            yield
    elif connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])
    else:
        yield


@contextmanager
def _file_lock(path: str) -> Iterator[None]:
    """The file stays: if it were removed, two processes could lock it, one the old file and one a new one."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise OperationalError(f"{path} cannot be opened: {exc.strerror}") from exc
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)

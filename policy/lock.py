"""One at a time: whoever requests a run, raises a load or pulls the emergency stop looks at sums that the others
change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection, transaction

LOCK: Final = 0x746F6B70
"""PostgreSQL's advisory lock. On SQLite a transaction has the only writer's place from its beginning."""


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """A transaction beside which no other of these runs. What it reads stays true until its commit."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        yield

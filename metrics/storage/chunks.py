"""Rows that are read a chunk at a time, because all of them would not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)
R = TypeVar("R")


def in_chunks(rows: QuerySet[M, R], size: int = 2000) -> Iterator[R]:
    """`rows.iterator(size)`, all of whose errors are Django's.

    On PostgreSQL the rows come through a cursor of the server. If the connection breaks while that is closed, Django
    passes the driver's own error on, which nobody takes for a database that is away.
    """
    with connection.wrap_database_errors:
        yield from rows.iterator(chunk_size=size)

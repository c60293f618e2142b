"""The database's clock: the one clock that supervisors on several hosts share. Leases and starts use no other."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import InterfaceError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func
from django.db.models.sql.compiler import SQLCompiler

NS = 1_000_000_000
DATABASE_AWAY = (OperationalError, InterfaceError)
"""What a query raises when the server cannot be reached, or a lock was not to be had in time."""
SAMPLES = 5


class DbNow(Func):
    """The time at which the database evaluates it, plus `offset_s`; resolution 1 us (PostgreSQL) or 1 ms (SQLite).

    PostgreSQL's clock_timestamp, not NOW(): the latter stands still in a transaction.
    SQLite keeps times as text; the format is the one that Django writes, so that comparing text compares times.
    """

    output_field: DateTimeField[Any, Any] = DateTimeField()

    def __init__(self, offset_s: float = 0.0) -> None:
        self.offset_s = offset_s
        super().__init__()

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        function: str | None = None,
        template: str | None = None,
        arg_joiner: str | None = None,
        **extra_context: Any,
    ) -> tuple[str, tuple[Any, ...]]:
        if connection.vendor == "postgresql":
            return "(clock_timestamp() + make_interval(secs => %s))", (float(self.offset_s),)
        if connection.vendor == "sqlite":
            return "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', %s)", (f"{self.offset_s:+.3f} seconds",)
        raise NotImplementedError(f"no clock for the database {connection.vendor!r}: use PostgreSQL or SQLite")


def now() -> datetime:
    """The database's time."""
    sql = {
        "postgresql": "SELECT clock_timestamp()",
        "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(sql)
        (value,) = cursor.fetchone()
    return value if isinstance(value, datetime) else datetime.fromisoformat(value).replace(tzinfo=UTC)


class ClockOffset(NamedTuple):
    """Database time minus CLOCK_MONOTONIC, in ns, and the most by which it may be wrong."""

    offset_ns: int
    error_ns: int

    def to_mono_ns(self, moment: datetime) -> int:
        """When CLOCK_MONOTONIC of this host will show what the database's clock calls `moment`."""
        return epoch_ns(moment) - self.offset_ns


def epoch_ns(moment: datetime) -> int:
    """ns since 1970, exact to the microsecond (a float of seconds is not)."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86400 + delta.seconds) * NS + delta.microseconds * 1000


def measure_offset(samples: int = SAMPLES) -> ClockOffset:
    """Midpoint of the quickest of `samples` round trips; half of that trip is the error's bound."""
    best: ClockOffset | None = None
    for _ in range(samples):
        before = time.monotonic_ns()
        moment = epoch_ns(now())
        after = time.monotonic_ns()
        found = ClockOffset(moment - (before + after) // 2, (after - before + 1) // 2)
        if best is None or found.error_ns < best.error_ns:
            best = found
    if best is None:
        raise ValueError("measure_offset needs at least one sample")
    return best

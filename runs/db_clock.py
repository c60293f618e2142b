"""The database's clock, shared by supervisors on all hosts. Leases and starts use no other clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func, Q
from django.db.models.sql.compiler import SQLCompiler

NS = 1_000_000_000
DATABASE_AWAY = (OperationalError, InterfaceError)
"""Raised by a query if the server is unreachable or a lock was not available in time."""
SAMPLES = 5
TRIPS_KEPT = 32
DRIFT = 1e-4
"""Maximum drift between the clocks of two hosts, as a share of elapsed time (NTP slews by more than 500 ppm only if
configured; a crystal is off by about 50)."""
AHEAD_S = 1.0
"""A time that lies further ahead than possible by this much is ignored: the clock was put back since it was written."""
RESOLUTION_NS = {"postgresql": 1_000, "sqlite": 1_000_000}


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
        raise ImproperlyConfigured(f"no clock for the database {connection.vendor!r}: use PostgreSQL or SQLite")


def ahead(field: str, longest_s: float) -> Q:
    """Rows whose `field` lies more than `longest_s`, the maximum ever written, in the future."""
    return Q(**{f"{field}__gt": DbNow(longest_s + AHEAD_S)})


def passed(field: str, longest_s: float) -> Q:
    """Rows whose `field` has passed, or is impossible."""
    return Q(**{f"{field}__lt": DbNow()}) | ahead(field, longest_s)


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
    """Database time minus CLOCK_MONOTONIC in ns, and the maximum error."""

    offset_ns: int
    error_ns: int

    def to_mono_ns(self, moment: datetime) -> int:
        """The time of CLOCK_MONOTONIC on this host at which the database's clock shows `moment`."""
        return epoch_ns(moment) - self.offset_ns


def epoch_ns(moment: datetime) -> int:
    """ns since 1970, exact to the microsecond, which a float of seconds is not."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86400 + delta.seconds) * NS + delta.microseconds * 1000


class Trip(NamedTuple):
    """One reading of the database's clock: CLOCK_MONOTONIC before and after, and the database's time in between, in
    ns."""

    before: int
    moment: int
    after: int


def intersect(trips: Sequence[Trip], resolution_ns: int = 0) -> ClockOffset:
    """The offset that the readings, oldest first, allow together. Pure.

    The database read its clock between `before` and `after`, so each reading bounds the offset from both sides,
    whatever the network delays; the true value lies where all bounds overlap (Marzullo's algorithm without faulty
    clocks). Bounds grow with age, because clocks drift. If they do not overlap, a clock was set, and only later
    readings count.
    """
    newest, *older = reversed(trips)
    low, high = newest.moment - newest.after, newest.moment + resolution_ns - newest.before
    for trip in older:
        drift = int((newest.after - trip.after) * DRIFT)
        least = max(low, trip.moment - trip.after - drift)
        most = min(high, trip.moment + resolution_ns - trip.before + drift)
        if least > most:
            break
        low, high = least, most
    return ClockOffset((low + high) // 2, (high - low + 1) // 2)


class ClockWatch:
    """Reads the database's clock repeatedly, so that its offset is known precisely at a start. Not thread-safe."""

    def __init__(self) -> None:
        self._trips: deque[Trip] = deque(maxlen=TRIPS_KEPT)

    def look(self, times: int = 1) -> None:
        """Read the clock once more, or several times."""
        for _ in range(times):
            before = time.monotonic_ns()
            moment = epoch_ns(now())
            self._trips.append(Trip(before, moment, time.monotonic_ns()))

    def offset(self) -> ClockOffset:
        """By all readings that are kept. Reads the clock if there are none."""
        if not self._trips:
            self.look(SAMPLES)
        return intersect(self._trips, RESOLUTION_NS[connection.vendor])


def measure_offset(samples: int = SAMPLES) -> ClockOffset:
    """By `samples` readings made now; the quickest counts most."""
    watch = ClockWatch()
    watch.look(samples)
    return watch.offset()

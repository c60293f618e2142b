"""The database's clock: the one clock that supervisors on several hosts share. Leases and starts use no other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import InterfaceError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func, Q
from django.db.models.sql.compiler import SQLCompiler

NS = 1_000_000_000
DATABASE_AWAY = (OperationalError, InterfaceError)
"""What a query raises when the server cannot be reached, or a lock was not to be had in time."""
SAMPLES = 5
TRIPS_KEPT = 32
DRIFT = 1e-4
"""Clocks of two hosts part by at most so much of the time that goes by (NTP slews by up to 500 ppm only when told to;
a crystal is off by some 50)."""
AHEAD_S = 1.0
"""A time that lies so much further ahead than it may is not believed: the clock was put back since it was written."""
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
        raise NotImplementedError(f"no clock for the database {connection.vendor!r}: use PostgreSQL or SQLite")


def ahead(field: str, longest_s: float) -> Q:
    """Rows whose `field` lies further ahead than `longest_s`, the most that is ever written there."""
    return Q(**{f"{field}__gt": DbNow(longest_s + AHEAD_S)})


def passed(field: str, longest_s: float) -> Q:
    """Rows whose `field` is over, or cannot be true."""
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


class Trip(NamedTuple):
    """One look at the database's clock: CLOCK_MONOTONIC before and after, the database's time in between. ns."""

    before: int
    moment: int
    after: int


def intersect(trips: Sequence[Trip], resolution_ns: int = 0) -> ClockOffset:
    """What the trips, oldest first, say together. Pure.

    The database read its clock somewhere between `before` and `after`, so each trip bounds the offset from both sides,
    whatever the delays there and back; the truth lies where all bounds overlap (Marzullo's algorithm without liars).
    Bounds grow with age, since clocks drift. If they do not overlap, a clock was set: only what came after counts.
    """
    newest = trips[-1].after
    low = high = None
    for trip in reversed(trips):
        drift = int((newest - trip.after) * DRIFT)
        least, most = trip.moment - trip.after - drift, trip.moment + resolution_ns - trip.before + drift
        least, most = max(least, low if low is not None else least), min(most, high if high is not None else most)
        if least > most:
            break
        low, high = least, most
    assert low is not None and high is not None  # noqa: S101  a single trip always has bounds
    return ClockOffset((low + high) // 2, (high - low + 1) // 2)


class ClockWatch:
    """The database's clock seen again and again, so that a start finds it known well. Not for use by two threads."""

    def __init__(self) -> None:
        self._trips: deque[Trip] = deque(maxlen=TRIPS_KEPT)

    def look(self, times: int = 1) -> None:
        """One more trip, or several."""
        for _ in range(times):
            before = time.monotonic_ns()
            moment = epoch_ns(now())
            self._trips.append(Trip(before, moment, time.monotonic_ns()))

    def offset(self) -> ClockOffset:
        """By all trips that are kept. Makes one if there was none."""
        if not self._trips:
            self.look(SAMPLES)
        return intersect(self._trips, RESOLUTION_NS[connection.vendor])


def measure_offset(samples: int = SAMPLES) -> ClockOffset:
    """By `samples` trips made now, of which the quickest counts most."""
    watch = ClockWatch()
    watch.look(samples)
    return watch.offset()

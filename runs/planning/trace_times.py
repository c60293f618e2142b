"""Parses the times of a trace's rows as numbers or dates, in the formats of logs, spreadsheets and recorders. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from connectors.spec import SpecError
from runs.load.trace_units import LARGEST, Unit

NAMES: Final = (
    *("timestamp", "time", "arrival_time", "arrived_at", "arrival", "start_time", "at"),
    *("time_local", "time_iso8601", "datetime", "created_at", "ts", "msec"),
)
"""Names of the time field, in any case, alone or followed by the unit: `TIMESTAMP`, `timestamp_ms`, `Time (s)`."""
_UNITS: Final[Mapping[str, Unit]] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "µs", "μs", "usec", "micros", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanosecond", "nanoseconds"), "ns"),
}
_UNIT: Final = "|".join(sorted(_UNITS, key=len, reverse=True))
_FIELD: Final = re.compile(
    rf"(?:{'|'.join(NAMES)})(?:[ _.-]*[(\[]\s*({_UNIT})\s*[)\]]|[ _.-]+({_UNIT})|((?-i:Ms|Us|Ns)))?", re.IGNORECASE
)
_LONG_UNIT: Final = "d|days?|h|hrs?|hours?|m|mins?|minutes?"
_COARSE: Final = re.compile(
    rf"(?:{'|'.join(NAMES)})[ _.-]*"
    rf"(?:[(\[]\s*(?:{_LONG_UNIT})\s*[)\]]|(?<=[ _.-])(?:{_LONG_UNIT})|(?-i:Min|Hour|Day)s?)"
    "|days?|hours?|minutes?",
    re.IGNORECASE,
)
"""A time whose unit is not one of `_UNITS`."""
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d+,\d+")
_SLASHED: Final = re.compile(r"\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b.*")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_TIME: Final = "is not a time: give a number or an ISO time"


class Date(NamedTuple):
    """Microseconds since 1970; `zoned`: the text has a zone, otherwise it is taken as UTC."""

    at_us: int
    zoned: bool


class Cell(NamedTuple):
    """The time of a row. `where`: file, row and field; `unit`: as in the field's name."""

    where: str
    time: float | int | Date
    unit: Unit | None = None


def cell_of(where: str, row: Any) -> Cell:
    """The time of a row, which is an object with a field for it, or the time itself. Raises SpecError."""
    if not isinstance(row, dict):
        return Cell(where, _time(where, row))
    names = [name for name in row if isinstance(name, str)]
    fields = {name: match for name in names if (match := _FIELD.fullmatch(name))}
    dates = [name for name in names if name.lower() == "date"]
    name = next(iter([*fields, *dates]), None)
    if name is None:
        raise SpecError(f"{where}: has no time: {_missing(row)}")
    unit = next((_UNITS[word.lower()] for word in fields[name].groups() if word), None) if name in fields else None
    value = row[name]
    if fields and dates and isinstance(value, str) and _CLOCK.match(value.strip()):
        value = f"{row[dates[0]]} {value.strip()}"
    return Cell(f"{where}: {name}", _time(f"{where}: {name}", value), unit)


def _missing(row: Mapping[str, Any]) -> str:
    if "delay" in row:
        return "it has `delay`, a turn that follows another; keep only rows with a time, or replay it with --scenario"
    if coarse := next((name for name in row if isinstance(name, str) and _COARSE.fullmatch(name)), None):
        return f"{coarse!r} is in days, hours or minutes, which are not read: convert it to s, ms, us or ns"
    return f"name it {', '.join(NAMES[:3])}, or timestamp_ms"


def _time(where: str, value: Any) -> float | int | Date:
    if isinstance(value, str):
        text = value.strip()
        try:
            value = float(text) if any(mark in text for mark in ".eE") else int(text)
        except ValueError:
            return _date(where, text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
        raise SpecError(f"{where}: {value!r:.60} {_NO_TIME}")
    return value


def _date(where: str, text: str) -> Date:
    if not text:
        raise SpecError(f"{where}: is empty: every row needs its time")
    moment = _moment(text)
    if moment is None:
        raise SpecError(f"{where}: {text!r:.60} {_why_not(text)}")
    zoned = moment.tzinfo is not None
    return Date(((moment if zoned else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1), zoned)


def _moment(text: str) -> datetime | None:
    """ISO 8601 (also with slashes, or followed by UTC), the common log format of web servers, or the date of an
    e-mail."""
    iso = re.sub(r"^(\d{4})/(\d\d)/(\d\d)", r"\1-\2-\3", text)
    iso = re.sub(r"\s*(UTC|GMT)$", "+00:00", iso)
    readers: tuple[Callable[[], datetime], ...] = (
        lambda: datetime.fromisoformat(iso),
        lambda: datetime.strptime(text.strip("[]"), "%d/%b/%Y:%H:%M:%S %z"),
        lambda: parsedate_to_datetime(text),
    )
    for read in readers:
        try:
            return read()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _why_not(text: str) -> str:
    if _DECIMAL_COMMA.fullmatch(text):
        return "is not a time: write decimals with a point"
    if _CLOCK.fullmatch(text):
        return "is a time of day without its date: add a column `date`"
    if _SLASHED.fullmatch(text):
        return "may be day or month first: write the date as 2024-12-31"
    return _NO_TIME
